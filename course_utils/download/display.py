"""How far is the download, how fast is it, how long will it take? A bar tells."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..errors import OptionError

logger = logging.getLogger("course_utils.download")

ProgressOption = Callable[[int, int], None] | bool | None


class Display:
    """Shows progress in bytes, and notes about what happens on the way.

    ``progress`` None or True: a tqdm bar with speed and time left (a widget in a notebook; none
    where the output is a file).  False: nothing, notes go to the log.  A function: it is called
    as ``progress(done_bytes, total_bytes)``.
    """

    def __init__(self, progress: ProgressOption):
        if not (progress is None or isinstance(progress, bool) or callable(progress)):
            raise OptionError(
                f"progress={progress!r} cannot show progress.",
                "Leave it out for a bar, give False for silence, or a function of (done, total).",
            )
        self._callback = progress if callable(progress) else None
        self._shows_bar = progress is None or progress is True
        self._bar = None
        self._done = self._total = 0

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_exception) -> None:
        self._close_bar()

    def begin(self, label: str, total: int, done: int = 0) -> None:
        """Start a bar over ``total`` bytes of which ``done`` are there; the former one ends."""
        self._close_bar()
        self._done, self._total = done, total
        if self._shows_bar:
            from tqdm.auto import tqdm

            # disable=None: no bar where the output is not a terminal or a notebook.
            self._bar = tqdm(
                desc=label, total=total, initial=done, unit="B", unit_scale=True, disable=None
            )
        self._tell()

    def advance(self, count: int) -> None:
        """``count`` more bytes are there."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        self._tell()

    def follow(self, label: str, total: int, done: int) -> None:
        """Show the progress of somebody else's download: ``done`` bytes are there in all."""
        if total != self._total:
            self.begin(label, total, done)
        self.advance(done - self._done)

    def note(self, text: str) -> None:
        """Say something that the learner should know, without spoiling the bar."""
        logger.info(text)
        if self._shows_bar:
            from tqdm.auto import tqdm

            tqdm.write(text)

    def _tell(self) -> None:
        if self._callback is not None:
            self._callback(self._done, self._total)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def readable_size(count: int) -> str:
    """Bytes in the decimal units that hubs and disks use: ``19.85 GB``."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count} bytes"
