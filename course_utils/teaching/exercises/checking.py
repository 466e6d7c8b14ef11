"""Verdicts on answers: a gentle line, a pointer to what is off, or a confirmation; never an error.

In a notebook::

    perplexity_of_base = ...  # your code here
    check("01.perplexity", perplexity_of_base)

A function is called under a limit (``guarded``), so one that never ends gets its line as well.
"""

from __future__ import annotations

import html
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from IPython.display import display

from course_utils.errors import CourseError
from course_utils.teaching.exercises.attempt import (
    Attempt,
    AttemptFailed,
    BlankResult,
    changes_its_input,
    endless,
    is_blank,
    is_empty_function,
    is_function,
    name_of,
    one_line,
)
from course_utils.teaching.exercises.declaration import UNNAMED, Exercise, Mistake, find_exercise
from course_utils.teaching.exercises.guarded import run_guarded
from course_utils.teaching.exercises.offers import lines_below
from course_utils.teaching.exercises.results import Result, record
from course_utils.teaching.page import OnPage, prose_html

State = Literal["unanswered", "wrong", "right"]


@dataclass(frozen=True)
class Verdict:
    """What a check found, and what it says to the learner.

    mistake: the short name of what is off, None unless the state is "wrong".
    printed: what the learner's function printed, at most its beginning.
    """

    exercise_id: str
    state: State
    message: str
    mistake: str | None = None
    printed: str = ""


def check(exercise_id: str, answer: object = ..., **given: object) -> None:
    """Look at a learner's answer and say how it stands. Never raises.

    answer: a value or a function; ``...`` and None count as not answered yet.
    given: what else the exercise's check needs from the notebook.
    """
    found = verdict(exercise_id, answer, **given)
    if found.printed:
        print(found.printed.rstrip("\n"))
    passed = found.state == "right"
    answered = found.state != "unanswered" and found.mistake != "unknown-exercise"
    display(_on_page(found, lines_below(found.exercise_id, passed) if answered else []))
    if answered:
        record(Result(found.exercise_id, passed, found.mistake))


def verdict(exercise_id: str, answer: object = ..., **given: object) -> Verdict:
    """What ``check`` shows, as a value; nothing is recorded."""
    try:
        exercise = find_exercise(exercise_id)
    except CourseError as error:
        words = f"{error.problem} {error.remedy}"
        return Verdict(str(exercise_id), "wrong", words, "unknown-exercise")
    return judge(exercise, answer, **given)


def judge(exercise: Exercise, answer: object, **given: object) -> Verdict:
    """The verdict on an answer to this exercise."""
    if is_blank(answer) or is_empty_function(answer):
        return _unanswered(exercise, answer)
    if not is_function(answer):
        return _judged(exercise, answer, given)
    outcome = run_guarded(lambda: _judged(exercise, Attempt(answer), given))
    name = name_of(answer, exercise.answer)
    if outcome.failure == "endless":
        found = _wrong(exercise, endless(name))
    elif outcome.failure == "crashed":
        words = f"`{name}` ended the Python that ran it. Your notebook is safe: that was a copy."
        found = _wrong(exercise, Mistake("crashed", words))
    elif outcome.failure == "interrupted":
        words = f"`{name}` was interrupted before it was done."
        found = _wrong(exercise, Mistake("interrupted", words))
    else:
        found = outcome.value
    return Verdict(found.exercise_id, found.state, found.message, found.mistake, outcome.printed)


def _judged(exercise: Exercise, answer: object, given: dict[str, object]) -> Verdict:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            off = exercise.check(answer, **given)
    except BlankResult:
        return _unanswered(exercise, answer)
    except AttemptFailed as failure:
        return _wrong(exercise, failure.mistake)
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        words = (
            f"This answer, {_kind(answer)}, could not be checked ({one_line(error)}). "
            "Compare its type with what the question asks for."
        )
        return _wrong(exercise, Mistake("wrong-type", words))
    if off is None and isinstance(answer, Attempt) and answer.changed:
        off = changes_its_input(answer.__name__)
    if off is None:
        return Verdict(exercise.id, "right", exercise.right)
    return _wrong(exercise, off if isinstance(off, Mistake) else Mistake(UNNAMED, off))


def _wrong(exercise: Exercise, mistake: Mistake) -> Verdict:
    return Verdict(exercise.id, "wrong", mistake.message, mistake.name)


def _unanswered(exercise: Exercise, answer: object) -> Verdict:
    if callable(answer):
        name = name_of(answer, exercise.answer)
        message = f"Not answered yet. Fill in `{name}`, end it with `return`, and run this cell."
    else:
        message = f"Not answered yet. Give `{exercise.answer}` a value and run this cell."
    return Verdict(exercise.id, "unanswered", message)


def _kind(answer: object) -> str:
    if callable(answer):
        return "a function"
    name = type(answer).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


_LOOK = {
    # state: (sign, word, colour of the bar)
    "unanswered": ("○", "Waiting for you", "#767676"),
    "wrong": ("✗", "Not yet", "#D55E00"),
    "right": ("✓", "Right", "#009E73"),
}


def _on_page(verdict: Verdict, below: Sequence[str] = ()) -> OnPage:
    """The verdict as it is shown, and the lines below it in small letters."""
    sign, word, colour = _LOOK[verdict.state]
    more = "".join(f"<br><small>{prose_html(line)}</small>" for line in below)
    return OnPage(
        f'<div style="border-left: 5px solid {colour}; padding: 0.3em 0.8em; margin: 0.3em 0">'
        f"<strong>{sign} {word}</strong> <small>({html.escape(verdict.exercise_id)})</small><br>"
        f"{prose_html(verdict.message)}{more}</div>",
        "\n".join([f"{sign} {word} ({verdict.exercise_id}): {verdict.message}", *below]),
    )
