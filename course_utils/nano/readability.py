"""How does a program see that a thought has gone wrong? Fixed measures, no taste and no model.

Scripts: does a thought hold Latin letters and Chinese characters both?  Repetition: which share of
its n-grams has been written before?  Readability: which share of its lines are steps that a reader
of this course knows, and that are true?  Length: how many tokens did a right answer cost?  Every
measure is a function of text alone, so that a model before and after a cure is held to the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

Script = Literal["latin", "chinese", "other"]

WAIT = "Wait"
"""The word with which a nano model begins to check again."""

_KNOWN_STEP = re.compile(
    r"(?:ones|tens|hundreds): (\d+)\+(\d+)=(\d+)(?:, (\d+)\+1=(\d+))?(?:, carry 1)?"
)


class Run(NamedTuple):
    """A stretch of text in one script; digits, signs and spaces are "other"."""

    script: Script
    text: str


def script_of(character: str) -> Script:
    """The script of one character."""
    if "\u4e00" <= character <= "\u9fff":
        return "chinese"
    return "latin" if character.isascii() and character.isalpha() else "other"


def script_runs(text: str) -> list[Run]:
    """``text`` cut where its script changes; the runs joined are the text again."""
    runs: list[Run] = []
    for character in text:
        script = script_of(character)
        if runs and runs[-1].script == script:
            runs[-1] = Run(script, runs[-1].text + character)
        else:
            runs.append(Run(script, character))
    return runs


def mixes_scripts(thought: str) -> bool:
    """Does a thought hold both Latin letters and Chinese characters?"""
    return {"latin", "chinese"} <= {script_of(character) for character in thought}


def repeated_ngrams(tokens: Sequence, n: int = 8) -> float:
    """Share of the n-grams of ``tokens`` that stood there before; 0 where there are none.

    ``tokens``: anything in a row, such as token numbers or words.  Near 1 for a text that goes in
    circles.  Raises ValueError for n below 1.
    """
    if n < 1:
        raise ValueError(f"an n-gram has at least one token, got n={n}")
    grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def known_step(line: str) -> bool:
    """Is a line a step of column addition as this course writes it, and is it true?

    For example ``ones: 7+8=15, carry 1`` or ``tens: 4+3=7, 7+1=8``.  A forgotten carry does not
    make a line false: each line is judged alone.
    """
    match = _KNOWN_STEP.fullmatch(line.strip())
    if not match:
        return False
    first, second, value, again, after = match.groups()
    if int(first) + int(second) != int(value):
        return False
    return again is None or (again == value and int(again) + 1 == int(after))


def known_steps(thought: str) -> float:
    """Share of a thought's lines that are known steps; 0 for a thought without lines."""
    lines = [line for line in thought.splitlines() if line.strip()]
    return sum(map(known_step, lines)) / len(lines) if lines else 0.0


def checks(thought: str) -> int:
    """How often does a thought begin to check what it has?"""
    return len(re.findall(rf"\b{WAIT}\b", thought))


def checks_when_right(thought: str, answer: int) -> int:
    """How many checks come after the right result has been written as ``So 85.``?"""
    _, found, rest = thought.partition(f"So {answer}.")
    return checks(rest) if found else 0
