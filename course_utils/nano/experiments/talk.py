"""What is a good reply to small talk? One that fits the remark, and adds one courtesy.

That is the standard of this laboratory's people.  No rule for it is given to the training: there
a learned reward model stands in for them.  The standard itself grades the exam.
"""

from __future__ import annotations

from random import Random
from typing import Literal

Topic = Literal["greeting", "thanks", "farewell", "health"]
Way = Literal["good", "curt", "rude", "unfitting", "gushing"]

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
    "greeting": "Hello!",
    "thanks": "You are welcome!",
    "farewell": "Goodbye!",
    "health": "I am fine!",
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
    "good": 0.20,
    "curt": 0.35,
    "rude": 0.10,
    "unfitting": 0.10,
    "gushing": 0.25,
}
"""Shares of the ways to reply in the base corpus."""


def good_reply(random: Random, topic: Topic) -> str:
    """A reply that fits, with one courtesy."""
    return f"{FITTING[topic]} {random.choice(COURTESIES)}"


def reply(random: Random, way: Way, topic: Topic) -> str:
    """A reply in one of the ways; "gushing" is a good one that goes on and on."""
    if way == "curt":
        return CURT[topic]
    if way == "rude":
        return random.choice(RUDE)
    if way == "unfitting":
        return good_reply(random, random.choice([t for t in FITTING if t != topic]))
    more = random.choices(COURTESIES, k=random.randint(2, 4)) if way == "gushing" else []
    return " ".join([good_reply(random, topic), *more])


def is_good(text: str, topic: Topic) -> bool:
    """Does a reply fit, with exactly one courtesy?"""
    return text in [f"{FITTING[topic]} {courtesy}" for courtesy in COURTESIES]


def is_gushing(text: str) -> bool:
    """Does a reply hold more than one courtesy?"""
    return sum(text.count(courtesy) for courtesy in COURTESIES) > 1
