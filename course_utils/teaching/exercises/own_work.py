"""Whose function runs below? The learner's once it is right, else the course's.

The page says which of them it is.  What a learner wrote is worth writing when later cells use it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from IPython.display import display

from course_utils.teaching.exercises.checking import verdict
from course_utils.teaching.page import OnPage, with_code


def yours_if_right(exercise_id: str, yours: Callable, ours: Callable, **given: object) -> Callable:
    """``yours`` if the exercise's check finds it right, else ``ours``; says which of them it is.

    ours: does the same, and takes over, with a word about it, if ``yours`` raises an error on
    something that the check did not try.
    given: what else the check needs, as for ``check``.
    """
    state = verdict(exercise_id, yours, **given).state
    name = getattr(yours, "__name__", "your function")
    if state == "right":
        _say(f"✓ Your `{name}` ({exercise_id}) is used from here on.")
        return _with_a_net(yours, ours, name)
    why = "is not written yet" if state == "unanswered" else "is not right yet"
    _say(f"○ Your `{name}` ({exercise_id}) {why}: the course's own is used from here on.")
    return ours


def _with_a_net(yours: Callable, ours: Callable, name: str) -> Callable:
    fell = False

    @functools.wraps(yours)
    def safe(*arguments, **keywords):
        nonlocal fell
        if not fell:
            try:
                return yours(*arguments, **keywords)
            except Exception as error:
                fell = True
                _say(
                    f"✗ `{name}` raised {type(error).__name__}: {error}. The course's own goes on."
                )
        return ours(*arguments, **keywords)

    return safe


def _say(line: str) -> None:
    display(OnPage(f"<p>{with_code(line)}</p>", line))
