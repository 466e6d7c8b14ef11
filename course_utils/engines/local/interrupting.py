"""How does Ctrl-C end a computation in the middle? llama.cpp asks, and is told."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import llama_cpp.llama_cpp as C


class Interrupt:
    """Lets Ctrl-C, a kernel interrupt or a stop button end a long computation inside llama.cpp.

    Python handles signals only between its own instructions, so an interrupt would otherwise wait
    for the whole call, minutes for a long prompt on a large model.  llama.cpp asks ``callback``
    between the operations of its graph; it stops as soon as the answer is yes.
    """

    def __init__(self, stop_wanted: Callable[[], bool]):
        self._interrupted = False
        self.callback = C.ggml_abort_callback(lambda _data: self._interrupted or stop_wanted())

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While inside, an interrupt is noted for llama.cpp, and raised when it has returned."""
        main = threading.current_thread() is threading.main_thread()
        if not main or signal.getsignal(signal.SIGINT) is None:
            # Only the main thread may set handlers, and only it receives interrupts; and a handler
            # that was not set by Python could not be put back.
            yield
            return
        self._interrupted = False

        def note(_signal, _frame):
            self._interrupted = True

        previous = signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt
