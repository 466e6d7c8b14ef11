"""How does Jupyter's stop button end a long cell without loss? What has come so far is kept."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def until_stopped(told: Callable[[], str]) -> Iterator[None]:
    """Leave the block at a press of the stop button, print what ``told`` says, and go on."""
    try:
        yield
    except KeyboardInterrupt:
        with uninterrupted():
            print(told())


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """For last words that take a moment: further presses of the stop button do nothing.

    Whoever is impatient presses twice, and the second press would lose what the first has kept.
    """
    # Python delivers interrupts to its main thread alone, and lets no other one change that.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
