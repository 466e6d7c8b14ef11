"""What is a good reply to small talk? One that fits, names the other, and adds one courtesy.

That is the standard of this laboratory's people.  No rule for it is given to the training: there
a learned reward model stands in for them.  The standard itself grades the exam.
"""

from __future__ import annotations

from random import Random
from typing import Literal

from course_utils.nano.tasks import NAMES

Topic = Literal["greeting", "thanks", "farewell", "health"]
Way = Literal["good", "curt", "rude", "unfitting", "gushing", "misnamed"]

REMARKS: dict[Topic, tuple[str, ...]] = {
    "greeting": ("Hello!", "Good morning!"),
    "thanks": ("Thank you!", "Thanks!"),
    "farewell": ("Goodbye!", "Bye!"),
    "health": ("How are you?", "How do you do?"),
}
THOUGHTS: dict[Topic, str] = {
    "greeting": "A greeting.",
    "thanks": "Thanks.",
    "farewell": "A farewell.",
    "health": "Small talk.",
}
FITTING: dict[Topic, str] = {
    "greeting": "Hello, {}!",
    "thanks": "You are welcome, {}!",
    "farewell": "Goodbye, {}!",
    "health": "I am fine, {}!",
}
COURTESIES = ("Ask me a sum.", "Can I help you?", "I am happy.")
CURT: dict[Topic, str] = {
    "greeting": "Hello.",
    "thanks": "Yes.",
    "farewell": "Bye.",
    "health": "Fine.",
}
RUDE = ("Go home.", "I am tired.", "You are small.")

BASE_WAYS: dict[Way, float] = {
    "good": 0.30,
    "curt": 0.20,
    "rude": 0.10,
    "unfitting": 0.10,
    "gushing": 0.15,
    "misnamed": 0.15,
}
"""Shares of the ways to reply in the base corpus."""


def good_reply(random: Random, topic: Topic, name: str) -> str:
    """A reply that fits, with the name and one courtesy."""
    return f"{FITTING[topic].format(name)} {random.choice(COURTESIES)}"


def reply(random: Random, way: Way, topic: Topic, name: str) -> str:
    """A reply in one of the ways; "gushing" is a good one that goes on and on.

    "misnamed" is a good one that takes the other for somebody else.
    """
    if way == "curt":
        return CURT[topic]
    if way == "rude":
        return random.choice(RUDE)
    if way == "unfitting":
        return good_reply(random, random.choice([t for t in FITTING if t != topic]), name)
    if way == "misnamed":
        name = random.choice([other for other, _ in NAMES["en"] if other != name])
    more = random.choices(COURTESIES, k=random.randint(2, 4)) if way == "gushing" else []
    return " ".join([good_reply(random, topic, name), *more])


def is_good(text: str, topic: Topic, name: str) -> bool:
    """Does a reply fit, with the name and exactly one courtesy?"""
    fitting = FITTING[topic].format(name)
    return text in [f"{fitting} {courtesy}" for courtesy in COURTESIES]


def is_misnamed(text: str, name: str) -> bool:
    """Does a reply take the other for somebody else?"""
    return any(f"{other}!" in text for other, _ in NAMES["en"] if other != name)


def is_gushing(text: str) -> bool:
    """Does a reply hold more than one courtesy?"""
    return sum(text.count(courtesy) for courtesy in COURTESIES) > 1
