"""A progress bar for long computations, which appears only once they prove long."""

from __future__ import annotations

import time

SHOW_AFTER_SECONDS = 2.0


class Progress:
    """A progress bar that appears after two seconds and leaves nothing behind.

    ``label`` says what is going on; ``total`` is the amount of work in ``unit``.  Use it as a
    context manager and call ``reach(done)`` or ``advance(count)`` as the work goes on.
    """

    def __init__(self, label: str, total: int, unit: str = ""):
        self._label, self._total, self._unit = label, total, unit
        self._started = time.perf_counter()
        self._bar = None
        self._done = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_exception) -> None:
        if self._bar is not None:
            self._bar.close()

    def reach(self, done: int) -> None:
        """Show that ``done`` of the total is finished."""
        self._done = done
        if self._bar is None:
            if time.perf_counter() - self._started < SHOW_AFTER_SECONDS:
                return
            from tqdm.auto import tqdm

            self._bar = tqdm(desc=self._label, total=self._total, unit=self._unit, leave=False)
        self._bar.update(done - self._bar.n)

    def advance(self, count: int) -> None:
        """Show that ``count`` more is finished."""
        self.reach(self._done + count)
