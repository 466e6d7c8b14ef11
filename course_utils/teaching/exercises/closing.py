"""What did you do in this notebook, and what is still open? Its closing cell, with links back.

Nobody has to do the exercises: who only reads gets a kind line and the way to them.
"""

from __future__ import annotations

import html
from urllib.parse import quote

from IPython.display import display

from course_utils.errors import OptionError
from course_utils.teaching.exercises.declaration import Exercise, exercises_of
from course_utils.teaching.exercises.folded import place_of
from course_utils.teaching.exercises.predictions import predictions_made
from course_utils.teaching.exercises.results import results
from course_utils.teaching.page import OnPage, prose_html


def what_you_did(number: str) -> None:
    """End notebook ``"01"``: its exercises, passed, tried or open, with a link to each.

    Raises OptionError for a notebook without exercises.
    """
    exercises = exercises_of(number)
    if not exercises:
        raise OptionError(
            f"There are no exercises for {number!r}.", 'Give a notebook\'s number, such as "01".'
        )
    states = {exercise.id: _state(exercise) for exercise in exercises}
    sentence = _sentence(list(states.values()))
    made, true = predictions_made(number)
    if made:
        sentence += f" Of your {made} prediction{'s' if made > 1 else ''}, {true} came true."
    rows = [(exercise, *_LOOK[states[exercise.id]]) for exercise in exercises]
    items = "".join(
        f'<li style="list-style: none">{sign} <a href="#{_place(exercise)}" '
        f'style="text-decoration: underline">{prose_html(exercise.title)}</a> '
        f"<small>({html.escape(exercise.id)}, {word}, {_length(exercise)})</small></li>"
        for exercise, sign, word in rows
    )
    lines = [
        f"{sign} {exercise.title} ({exercise.id}, {word}, {_length(exercise)})"
        for exercise, sign, word in rows
    ]
    display(
        OnPage(
            f'<p>{html.escape(sentence)}</p><ul style="padding-left: 0">{items}</ul>',
            "\n".join([sentence, *lines]),
        )
    )


_LOOK = {"passed": ("✓", "passed"), "tried": ("✗", "tried"), "open": ("○", "open")}


def _state(exercise: Exercise) -> str:
    attempts = results().get(exercise.id, [])
    if any(attempt.passed for attempt in attempts):
        return "passed"
    return "tried" if attempts else "open"


def _sentence(states: list[str]) -> str:
    passed, tried, open_ = (states.count(state) for state in ("passed", "tried", "open"))
    if not passed and not tried:
        return (
            "You have come to the end. Reading alone is a fine way to take the course; the "
            "exercises are here whenever you want them, in any order."
        )
    if passed == len(states):
        return f"You have come to the end, and all {passed} exercises are right."
    parts = [
        f"{count} of {len(states)} {words}"
        for count, words in (
            (passed, "right"),
            (tried, "tried but not right yet"),
            (open_, "still open"),
        )
        if count
    ]
    return f"You have come to the end. Your exercises: {', '.join(parts)}."


def _length(exercise: Exercise) -> str:
    return f"about {exercise.minutes} minute{'s' if exercise.minutes > 1 else ''}"


def _place(exercise: Exercise) -> str:
    return quote(place_of(exercise), safe="-:?,.()")
