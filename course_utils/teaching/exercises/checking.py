"""Is my answer right? A gentle line, a pointer to what is off, or a confirmation; never an error.

In a notebook::

    perplexity_of_base = ...  # your code here
    check("01.perplexity", perplexity_of_base)
"""

from __future__ import annotations

import html
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from IPython.display import display

from course_utils.errors import CourseError
from course_utils.teaching.exercises.declaration import Exercise, find_exercise
from course_utils.teaching.page import OnPage, with_code

State = Literal["unanswered", "wrong", "right"]


@dataclass(frozen=True)
class Verdict:
    """What a check found, and what it says to the learner."""

    exercise_id: str
    state: State
    message: str


def check(exercise_id: str, answer: object = ..., **given: object) -> None:
    """Look at a learner's answer and say how it stands. Never raises.

    answer: a value or a function; ``...`` and None count as not answered yet.
    given: what else the exercise's check needs from the notebook.
    """
    display(_on_page(verdict(exercise_id, answer, **given)))


def verdict(exercise_id: str, answer: object = ..., **given: object) -> Verdict:
    """What ``check`` shows, as a value."""
    try:
        exercise = find_exercise(exercise_id)
    except CourseError as error:
        return Verdict(str(exercise_id), "wrong", f"{error.problem} {error.remedy}")
    return judge(exercise, answer, **given)


def judge(exercise: Exercise, answer: object, **given: object) -> Verdict:
    """The verdict on an answer to this exercise."""
    if _is_blank(answer):
        return _unanswered(exercise, answer)
    attempt = _Attempt(answer) if _is_function(answer) else answer
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            off = exercise.check(attempt, **given)
    except _BlankResult:
        return _unanswered(exercise, answer)
    except _AttemptFailed as failure:
        return Verdict(exercise.id, "wrong", failure.explanation)
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        return Verdict(
            exercise.id,
            "wrong",
            f"This answer, {_kind(answer)}, could not be checked ({_one_line(error)}). "
            "Compare its type with what the question asks for.",
        )
    if off is None:
        return Verdict(exercise.id, "right", exercise.right)
    return Verdict(exercise.id, "wrong", off)


class _BlankResult(Exception):
    """The learner's function is still empty."""


class _AttemptFailed(Exception):
    """The learner's function raised an error; ``explanation`` says so in one line."""

    def __init__(self, explanation: str):
        super().__init__(explanation)
        self.explanation = explanation


class _Attempt:
    """A learner's function that tells an empty body and an error apart from a wrong result."""

    def __init__(self, function: Callable):
        self.function = function
        self.__name__ = getattr(function, "__name__", "your function")

    def __call__(self, *arguments, **keywords):
        try:
            result = self.function(*arguments, **keywords)
        except KeyboardInterrupt:
            raise _AttemptFailed(
                f"`{self.__name__}` was interrupted before it was done. Does a loop never end?"
            ) from None
        except (Exception, SystemExit) as error:
            line = _line_in(self.function, error)
            raise _AttemptFailed(
                f"`{self.__name__}` stopped with an error{line}: {_one_line(error)}."
            ) from None
        if _is_blank(result):
            raise _BlankResult
        return result


def _unanswered(exercise: Exercise, answer: object) -> Verdict:
    if _is_function(answer):
        name = getattr(answer, "__name__", exercise.answer)
        message = f"Not answered yet. Fill in `{name}`, end it with `return`, and run this cell."
    else:
        message = f"Not answered yet. Give `{exercise.answer}` a value and run this cell."
    return Verdict(exercise.id, "unanswered", message)


def _is_blank(answer: object) -> bool:
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, list | tuple):
        return any(part is Ellipsis or part is None for part in answer)
    return answer is Ellipsis or answer is None


def _is_function(answer: object) -> bool:
    return callable(answer) and not isinstance(answer, type)


def _kind(answer: object) -> str:
    if _is_function(answer):
        return "a function"
    name = type(answer).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def _line_in(function: Callable, error: BaseException) -> str:
    """Where in the learner's function it happened, counted from its ``def`` line."""
    code = getattr(function, "__code__", None)
    if code is None:
        return ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code is code:
            return f" in its line {line - code.co_firstlineno + 1}"
    return ""


_LOOK = {
    # state: (sign, word, colour of the bar)
    "unanswered": ("○", "Waiting for you", "#767676"),
    "wrong": ("✗", "Not yet", "#D55E00"),
    "right": ("✓", "Right", "#009E73"),
}


def _on_page(verdict: Verdict) -> OnPage:
    sign, word, colour = _LOOK[verdict.state]
    return OnPage(
        f'<div style="border-left: 5px solid {colour}; padding: 0.3em 0.8em; margin: 0.3em 0">'
        f"<strong>{sign} {word}</strong> <small>({html.escape(verdict.exercise_id)})</small><br>"
        f"{with_code(verdict.message)}</div>",
        f"{sign} {word} ({verdict.exercise_id}): {verdict.message}",
    )
