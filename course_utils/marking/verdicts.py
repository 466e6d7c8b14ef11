"""How many points is an answer worth? What the graded cells of a notebook call.

A mark is two points: one for the cases that the learner can see, one for cases that nobody has
seen before.  What was off goes into the cell's output too, under its short name.
"""

from __future__ import annotations

from collections.abc import Mapping

from IPython.display import display

from course_utils.marking.hidden import hidden_mistake
from course_utils.teaching.exercises.checking import Verdict, judge
from course_utils.teaching.exercises.declaration import find_exercise

POINTS = 2
NOT_ANSWERED = "not-answered"
NO_ANSWER = "no-answer"
"""The answer is still open; nothing of its name is there, since its cell failed or is gone."""

MIME = "application/vnd.qwq-course.mark+json"
"""The type of the output that holds a mark: exercise, points, mistake, words."""


def mark(exercise_id: str, names: Mapping[str, object], seed: int | None = None) -> float:
    """The points of the answer that ``names`` (the notebook's ``globals()``) holds.

    seed: of the hidden cases, which only the teacher's version names; without one the visible
    cases decide alone.  Shows what is off, and raises nothing but OptionError for an exercise
    that does not exist.
    """
    exercise = find_exercise(exercise_id)
    answer = names.get(exercise.answer, ...)
    given = {name: names[name] for name in exercise.given if name in names}
    found = judge(exercise, answer, **given)
    points = POINTS if found.state == "right" else 0
    off = None
    if found.state == "right" and seed is not None:
        off = hidden_mistake(exercise, answer, seed)
    if off is not None:
        points = POINTS / 2
        found = Verdict(exercise_id, "wrong", off.message, off.name)
    mistake = found.mistake
    if found.state == "unanswered":
        mistake = NOT_ANSWERED if exercise.answer in names else NO_ANSWER
    record = {"exercise": exercise_id, "points": points, "mistake": mistake, "words": found.message}
    display({MIME: record, "text/plain": f"{points:g} of {POINTS}: {found.message}"}, raw=True)
    return float(points)
