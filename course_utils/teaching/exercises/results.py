"""Who has passed what? Every answered ``check`` of this kernel, kept in memory and nowhere else.

``results()`` is what there is to read: for each exercise its attempts in order, each passed or
with the name of its mistake.  ``watch`` passes each new one on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One attempt at an exercise. ``mistake`` is its short name, None once it is passed."""

    exercise_id: str
    passed: bool
    mistake: str | None = None


_results: dict[str, list[Result]] = {}
_watchers: list[Callable[[Result], object]] = []


def results() -> dict[str, list[Result]]:
    """The attempts so far: for each exercise that was answered, in order. A copy."""
    return {exercise_id: list(attempts) for exercise_id, attempts in _results.items()}


def record(result: Result) -> None:
    """Keep an attempt and pass it on to those who watch."""
    _results.setdefault(result.exercise_id, []).append(result)
    for watcher in _watchers:
        try:
            watcher(result)
        except Exception:  # A watcher that fails is no concern of the learner's.
            continue


def watch(watcher: Callable[[Result], object]) -> None:
    """Call ``watcher`` with each new result from now on; its errors are dropped."""
    if watcher not in _watchers:
        _watchers.append(watcher)


def unwatch(watcher: Callable[[Result], object]) -> None:
    """Stop calling this watcher."""
    if watcher in _watchers:
        _watchers.remove(watcher)


def forget() -> None:
    """Drop all results, as in a fresh kernel."""
    _results.clear()
