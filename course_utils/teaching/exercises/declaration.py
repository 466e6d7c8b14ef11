"""Exercises and quiz questions, each declared once: question, check, hints, solution and praise.

Each notebook's stand in a module of their own, ``notebook_01.py`` for those whose id begins with
``01.``, as lists called ``EXERCISES`` and ``QUESTIONS``.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from course_utils.errors import OptionError

UNNAMED = "unnamed"


@dataclass(frozen=True)
class Mistake:
    """What is off about an answer: words for the learner, and a short name for who counts it.

    name: lower-case words with hyphens, ``"no-division"``. It never changes once it is used.
    message: one or two sentences that point at the mistake and do not give the solution away.
    """

    name: str
    message: str

    def __str__(self) -> str:
        return self.message

    def where(self, case: str) -> Mistake:
        """The same mistake, with the case in which it showed: ``off.where("For p = 0.7")``."""
        return Mistake(self.name, f"{case}: {self.message}")


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    id: the notebook's number and a name, ``"01.softmax"``.
    title: the question in one line.
    answer: the variable that the learner assigns or the function that they write.
    check: takes the answer (and the keywords that the notebook passes to ``check``); returns None
        when it is right, otherwise a ``Mistake`` that does not give the answer away.
    right: a sentence that adds something once the answer is right.
    hints: from a nudge to nearly there.
    solution: code that a learner could have written; it assigns ``answer``.
    difficulty, importance: from 1 to 5, shown above the exercise.
    minutes: how long it takes somebody who has read the notebook up to it.
    setup: code for what the notebook has defined by then and the solution needs (tests run it).
    given: names from the notebook that are passed on to ``check`` as keywords.
    """

    id: str
    title: str
    answer: str
    check: Callable[..., Mistake | str | None]
    right: str
    hints: tuple[str, ...]
    solution: str
    difficulty: int
    importance: int
    minutes: int
    setup: str = ""
    given: tuple[str, ...] = ()

    def call(self, function: str) -> str:
        """How a notebook calls ``check`` or ``hint`` on it: ``check("01.softmax", softmax)``."""
        given = "".join(f", {name}={name}" for name in self.given)
        return f'{function}("{self.id}", {self.answer}{given})'

    def answer_of(self, code: str) -> tuple[object, dict[str, object]]:
        """Run ``setup`` and ``code``: the answer and the given names, as in the notebook."""
        names: dict[str, object] = {}
        exec(compile(self.setup + "\n" + code, f"<{self.id}>", "exec"), names)
        return names[self.answer], {name: names[name] for name in self.given}


@dataclass(frozen=True)
class Option:
    """One option of a question, and why it is right or wrong, in a sentence or two."""

    text: str
    because: str


@dataclass(frozen=True)
class Question:
    """A quiz question on a concept.

    id: the notebook's number and a name, ``"01.greedy"``.
    right: the number of the right option, from 1.
    """

    id: str
    asks: str
    options: tuple[Option, ...]
    right: int


def find_exercise(exercise_id: str) -> Exercise:
    """The exercise of this id. Raises OptionError, with the ids there are, for an unknown one."""
    return _find(exercise_id, exercises_of, "exercise")


def find_question(question_id: str) -> Question:
    """The question of this id. Raises OptionError, with the ids there are, for an unknown one."""
    return _find(question_id, questions_of, "question")


def exercises_of(number: str) -> list[Exercise]:
    """The exercises of notebook ``"01"``, in order; an empty list where it has none."""
    return _declared(number, "EXERCISES")


def questions_of(number: str) -> list[Question]:
    """The quiz questions of notebook ``"01"``, in order; an empty list where it has none."""
    return _declared(number, "QUESTIONS")


def _find(wanted: str, declared: Callable[[str], list], kind: str):
    found = declared(str(wanted).split(".", 1)[0])
    for one in found:
        if one.id == wanted:
            return one
    known = ", ".join(one.id for one in found) or "none in this notebook"
    raise OptionError(f"There is no {kind} {wanted!r}.", f"Check the spelling; there are: {known}.")


def _declared(number: str, kind: str) -> list:
    name = f"course_utils.teaching.exercises.notebook_{number}"
    if not str(number).isalnum() or importlib.util.find_spec(name) is None:
        return []
    return list(getattr(importlib.import_module(name), kind, []))
