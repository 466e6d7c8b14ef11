"""How good is *this* model? Our own questions, drawn from a seed, that no model can have seen.

Four families, each with levels of difficulty: whole numbers (level 1 suits a nano model, level 5
makes QwQ-32B think), code with hidden tests, instructions that a program can check, and function
calls.  The same seed gives the same questions and keys on every computer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from course_utils.engines.protocol import Reply
from course_utils.errors import OptionError
from course_utils.evaluation.graders import Grade
from course_utils.evaluation.questions import calls, code, instructions, integers
from course_utils.evaluation.statistics import Interval, score_interval
from course_utils.sandbox import Sandbox

_FAMILIES = {
    "integers": integers,
    "code": code,
    "instructions": instructions,
    "function calls": calls,
}
FAMILIES = tuple(_FAMILIES)


@dataclass(frozen=True)
class Question:
    """One question. ``key`` is the answer key, plain data that a log can hold."""

    id: str
    family: str
    level: int
    prompt: str
    key: dict

    def grade(self, reply: str | Reply, sandbox: Sandbox | None = None) -> Grade:
        """Is this reply right? A text may hold its thought; ``sandbox`` saves time for code."""
        return _FAMILIES[self.family].grade(self.key, reply, sandbox)


def levels(family: str) -> int:
    """How many levels of difficulty a family has."""
    return _module(family).LEVELS


def generate_suite(
    seed: int = 0,
    per_level: int = 5,
    families: Iterable[str] = FAMILIES,
    max_level: int | None = None,
) -> list[Question]:
    """Draw the suite: ``per_level`` different questions for each level of each family.

    A question depends on the seed, its family, level and number only, so a smaller suite is a
    part of a larger one.
    """
    if not (isinstance(per_level, int) and 1 <= per_level <= 100):
        raise OptionError(f"per_level={per_level!r} is not possible.", "Give 1 to 100.")
    suite = []
    for family in families:
        module = _module(family)
        for level in range(1, min(module.LEVELS, max_level or module.LEVELS) + 1):
            prompts: set[str] = set()
            for number in range(1, per_level + 1):
                place = f"{seed} {family} {level} {number}"
                prompt, key = _new_question(module, level, place, prompts)
                prompts.add(prompt)
                name = f"{family.replace(' ', '-')}-{level}-{number:03d}"
                suite.append(Question(name, family, level, prompt, key))
    return suite


def scores(
    questions: Sequence[Question], correct: Sequence[bool], confidence: float = 0.95
) -> dict[tuple[str, int], Interval]:
    """Share of right answers by family and level, each with its interval."""
    if len(questions) != len(correct):
        raise OptionError(
            f"There are {len(questions)} questions but {len(correct)} verdicts.",
            "Give one verdict for each question.",
        )
    groups: dict[tuple[str, int], list[bool]] = {}
    for question, verdict in zip(questions, correct, strict=True):
        groups.setdefault((question.family, question.level), []).append(bool(verdict))
    return {
        group: score_interval(sum(verdicts) / len(verdicts), len(verdicts), confidence)
        for group, verdicts in groups.items()
    }


def _new_question(module, level: int, place: str, known: set[str]) -> tuple[str, dict]:
    for attempt in range(1000):
        prompt, key = module.make(Random(f"{place} {attempt}"), level)
        if prompt not in known:
            return prompt, key
    raise OptionError(
        "There are not that many different questions of this kind.", "Ask for fewer per level."
    )


def _module(family: str):
    if family not in _FAMILIES:
        raise OptionError(
            f"There is no family of questions called {family!r}.",
            f"Use one of: {', '.join(_FAMILIES)}.",
        )
    return _FAMILIES[family]
