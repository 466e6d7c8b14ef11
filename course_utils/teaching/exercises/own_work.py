"""Whose function runs below? The learner's once it is right, else the course's.

The page says which of them it is, when it is chosen and, with ``which_ran``, after a cell that used
it.  What a learner wrote is worth writing when later cells use it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

from IPython.display import display

from course_utils.errors import OptionError
from course_utils.teaching.exercises.attempt import name_of
from course_utils.teaching.exercises.checking import verdict
from course_utils.teaching.page import OnPage, prose_html

T = TypeVar("T")


def yours_if_right(exercise_id: str, yours: T, ours: T, **given: object) -> T:
    """``yours`` if the exercise's check finds it right, else ``ours``; says which of them it is.

    yours, ours: two functions that do the same, or two values.  A function of the course takes
    over, with a word about it, if ``yours`` raises an error on something that the check did not
    try.
    given: what else the check needs, as for ``check``.
    """
    state = verdict(exercise_id, yours, **given).state
    if not callable(ours):
        if state == "right":
            _say(f"✓ Your answer to {exercise_id} is used from here on.")
            return yours
        _say(f"○ Your answer to {exercise_id} {_WHY[state]}, so the course's own is used.")
        return ours
    name = name_of(yours)
    if state == "right":
        _say(f"✓ Your `{name}` ({exercise_id}) is used from here on.")
        return _Chosen(exercise_id, name, ours, yours)
    _say(f"○ Your `{name}` ({exercise_id}) {_WHY[state]}, so the course's own version is used.")
    return _Chosen(exercise_id, name, ours)


def which_ran(function: Callable) -> None:
    """Say whether the learner's function or the course's has run since this was last asked.

    function: what ``yours_if_right`` gave. Raises OptionError for any other function.
    """
    if not isinstance(function, _Chosen):
        raise OptionError(
            "Nobody knows whose function this is.", "Give what yours_if_right returned."
        )
    ran, function.ran = function.ran, set()
    yours = f"`{function.name}` ({function.exercise_id})"
    if ran == {"yours"}:
        _say(f"✓ Your {yours} ran here.")
    elif ran == {"ours"}:
        _say(f"○ The course's own version ran here. Yours runs instead once it is right: {yours}.")
    elif ran:
        _say(f"✗ Your {yours} ran here until it failed; then the course's own version took over.")
    else:
        _say("○ Neither your function nor the course's has run yet.")


_WHY = {"unanswered": "is not written yet", "wrong": "is not right yet"}


class _Chosen:
    """The function that runs; it remembers whose it was, and has a net below the learner's."""

    def __init__(self, exercise_id: str, name: str, ours: Callable, yours: Callable | None = None):
        self.exercise_id = exercise_id
        self.name = name
        self.ran: set[str] = set()
        self._ours = ours
        self._yours = yours
        functools.update_wrapper(self, yours or ours)

    def __call__(self, *arguments, **keywords):
        if self._yours is not None:
            try:
                result = self._yours(*arguments, **keywords)
                self.ran.add("yours")
                return result
            except Exception as error:
                self._yours = None
                self.ran.add("yours")
                _say(
                    f"✗ `{self.name}` raised {type(error).__name__}: {error}. "
                    "The course's own version takes over."
                )
        self.ran.add("ours")
        return self._ours(*arguments, **keywords)


def _say(line: str) -> None:
    display(OnPage(f"<p>{prose_html(line)}</p>", line))
