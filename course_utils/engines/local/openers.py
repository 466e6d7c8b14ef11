"""A count of who has a model open, so that one cell's ``close`` does not take it from another."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Openers:
    """Counts those who have something open; when the last one leaves, it is closed.

    ``close``: what closes it, in this order, without a reference to any of the openers.
    """

    def __init__(self, *close: Callable[[], None]):
        self._close = close
        self._count = 0
        # A garbage collection in the middle may let another opener leave.
        self._lock = threading.RLock()
        self._over = False

    def enter(self) -> bool:
        """Be one of them. False if the last one has left, and it is closed."""
        with self._lock:
            if self._over:
                return False
            self._count += 1
            return True

    def leave(self) -> None:
        """Be none of them any more."""
        with self._lock:
            self._count -= 1
            self._over = last = self._count == 0
        if last:
            for close in self._close:
                close()
