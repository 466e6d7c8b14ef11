"""Turns: cells, threads and widgets that use one engine at once wait for each other.

llama.cpp's context serves one caller at a time; two at once end the process.  A reply that is
being streamed keeps its turn until it is finished, so that others wait.  But a reply may also be
left lying half-read (a loop that was broken out of): then nobody will ever finish it, and whoever
comes next takes over.  Should the first reader come back, the engine re-reads its text and goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from course_utils.engines.local.runtime import Stopped
from course_utils.errors import CourseError

LEFT_AFTER_SECONDS = 2.0


class Turn:
    """One caller's use of the engine. ``busy`` is True while it computes, not while it waits."""

    __slots__ = ("busy", "last_active", "thread")

    def __init__(self):
        self.busy = False
        self.last_active = 0.0
        self.thread = threading.get_ident()

    def pause(self, now: float) -> None:
        """Hand a result to the reader, who may or may not come back for more after ``now``."""
        self.last_active = now
        self.busy = False


class Turns:
    """Hands out the engine to one ``Turn`` at a time."""

    def __init__(self):
        self.owner: Turn | None = None
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)

    def take(self, turn: Turn, stopping: threading.Event | None = None) -> None:
        """Wait until the engine is free or its owner has left it, then own it and be busy.

        Raises ``Stopped`` when ``stopping`` is set before that.
        """
        turn.thread = threading.get_ident()
        with self._changed:
            while self.owner is not None and self.owner is not turn:
                if self.owner.busy and self.owner.thread == turn.thread:
                    raise CourseError(
                        "The engine was called again from inside its own reply.",
                        "Let the first call finish before making the second.",
                    )
                if not self.owner.busy and self._is_left(self.owner, turn):
                    break
                if stopping is not None and stopping.is_set():
                    raise Stopped
                self._changed.wait(0.05)
            self.owner = turn
            turn.busy = True

    def resume(self, turn: Turn, stopping: threading.Event | None = None) -> bool:
        """Go on after a pause. False if somebody else has used the engine in the meantime."""
        with self._lock:
            if self.owner is turn:
                turn.busy = True
                turn.thread = threading.get_ident()  # another thread may read on
                return True
        self.take(turn, stopping)
        return False

    def give_back(self, turn: Turn) -> None:
        """Free the engine, if this turn still owns it."""
        with self._changed:
            if self.owner is turn:
                self.owner = None
                self._changed.notify_all()

    @contextmanager
    def one(self) -> Iterator[Turn]:
        """Own the engine for one uninterrupted computation."""
        turn = Turn()
        self.take(turn)
        try:
            yield turn
        finally:
            self.give_back(turn)

    @staticmethod
    def _is_left(owner: Turn, newcomer: Turn) -> bool:
        # The thread that reads a stream cannot be here as well, unless it has put the stream down.
        same_thread = owner.thread == newcomer.thread
        return same_thread or time.perf_counter() - owner.last_active > LEFT_AFTER_SECONDS
