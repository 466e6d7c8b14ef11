"""How does a long computation show that it is alive? With a bar, but only once it proves long."""

from __future__ import annotations

import time

SHOW_AFTER_SECONDS = 2.0


class Progress:
    """A progress bar that appears after two seconds and leaves nothing behind.

    ``label`` says what is going on; ``total`` is the amount of work in ``unit``.  Use it as a
    context manager and call ``reach(done)`` as the work goes on.
    """

    def __init__(self, label: str, total: int, unit: str = ""):
        self._label, self._total, self._unit = label, total, unit
        self._started = time.perf_counter()
        self._bar = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_exception) -> None:
        if self._bar is not None:
            self._bar.close()

    def reach(self, done: int) -> None:
        """Show that ``done`` of the total is finished."""
        if self._bar is None:
            if time.perf_counter() - self._started < SHOW_AFTER_SECONDS:
                return
            from tqdm.auto import tqdm

            self._bar = tqdm(desc=self._label, total=self._total, unit=self._unit, leave=False)
        self._bar.update(done - self._bar.n)
