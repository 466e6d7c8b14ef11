"""Exercises, each declared once: its check, hints, solution and praise.

Each notebook's exercises stand in a module of their own, ``notebook_01.py`` for those whose id
begins with ``01.``, as a list called ``EXERCISES``.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from course_utils.errors import OptionError


@dataclass(frozen=True)
class WrongExample:
    """A mistake learners make: code that gives a wrong answer, and words the reply must hold."""

    code: str
    reply: str


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    id: the notebook's number and a name, ``"01.softmax"``.
    title: the question in one line.
    answer: the variable that the learner assigns or the function that they write.
    check: takes the answer (and the keywords that the notebook passes to ``check``); returns None
        when it is right, otherwise a sentence on what is off, without giving the answer away.
    right: a sentence that adds something once the answer is right.
    hints: from a nudge to nearly there.
    solution: code that a learner could have written; it assigns ``answer``.
    wrong: mistakes, each with words that the reply to it must contain.
    setup: code for what the notebook has defined by then and the solution needs (tests run it).
    given: names from the notebook that are passed on to ``check`` as keywords.
    """

    id: str
    title: str
    answer: str
    check: Callable[..., str | None]
    right: str
    hints: tuple[str, ...]
    solution: str
    wrong: tuple[WrongExample, ...]
    setup: str = ""
    given: tuple[str, ...] = ()

    def answer_of(self, code: str) -> tuple[object, dict[str, object]]:
        """Run ``setup`` and ``code``: the answer and the given names, as in the notebook."""
        names: dict[str, object] = {}
        exec(compile(self.setup + "\n" + code, f"<{self.id}>", "exec"), names)
        return names[self.answer], {name: names[name] for name in self.given}


def find_exercise(exercise_id: str) -> Exercise:
    """The exercise of this id. Raises OptionError, with the ids there are, for an unknown one."""
    number = str(exercise_id).split(".", 1)[0]
    exercises = exercises_of(number)
    for exercise in exercises:
        if exercise.id == exercise_id:
            return exercise
    known = ", ".join(exercise.id for exercise in exercises) or "none in this notebook"
    raise OptionError(
        f"There is no exercise {exercise_id!r}.", f"Check the spelling; there are: {known}."
    )


def exercises_of(number: str) -> list[Exercise]:
    """The exercises of notebook ``"01"``, in order; an empty list where it has none."""
    name = f"course_utils.teaching.exercises.notebook_{number}"
    if not number.isalnum() or importlib.util.find_spec(name) is None:
        return []
    return list(importlib.import_module(name).EXERCISES)
