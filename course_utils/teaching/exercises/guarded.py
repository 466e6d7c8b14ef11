"""Does a learner's function end? It runs under a limit, and the kernel lives whatever it does.

On Linux it runs in a forked copy of the kernel's process, which may loop, eat memory or end itself.
Windows has no fork, and on macOS forked numerical libraries may crash; there a watchdog interrupts
the kernel's own thread, which ends every loop written in Python (a long call into C ends first).
A GPU rules out the copy too: PyTorch refuses to compute gradients in it.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import psutil

T = TypeVar("T")

LIMIT_SECONDS = 4.0
"""The processor time that an answer may take; checks need a hundredth of it."""

MEMORY_BYTES = 2**30
"""The memory that an answer may take beside what the kernel has already."""

PRINTED_CHARACTERS = 2_000


@dataclass(frozen=True)
class Guarded(Generic[T]):
    """What came of it: ``value``, or ``failure`` where it did not come to its end."""

    value: T | None
    failure: Literal["endless", "crashed", "interrupted"] | None
    printed: str


def run_guarded(work: Callable[[], T]) -> Guarded[T]:
    """``work()`` under the limit. What it returns must be plain data; what it prints is kept."""
    if _can_fork():
        outcome = _in_a_copy(work)
        if outcome is not None:
            return outcome
    return _under_a_watchdog(work)


def printed_so_far() -> int:
    """How many characters the work that is running now has printed; 0 outside ``run_guarded``."""
    return getattr(sys.stdout, "written", 0)


class _Printed(io.TextIOBase):
    """Standard output that keeps its beginning: an endless loop may print too."""

    def __init__(self):
        self.written = 0
        self.text = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text[: max(0, PRINTED_CHARACTERS - len(self.text))]
        self.written += len(text)
        return len(text)


@contextlib.contextmanager
def _kept_output():
    def nobody_to_ask(prompt: object = "") -> str:
        raise EOFError("it asks for input, where its arguments hold all it needs")

    printed, ask = _Printed(), builtins.input
    builtins.input = nobody_to_ask
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            yield printed
    finally:
        builtins.input = ask


def _can_fork() -> bool:
    if sys.platform != "linux" or multiprocessing.current_process().daemon:
        return False
    torch = sys.modules.get("torch")
    return torch is None or not torch.cuda.is_available()


def _in_a_copy(work: Callable[[], T]) -> Guarded[T] | None:
    """None where the copy only waited, as for a lock that another thread held at the fork."""
    forked = multiprocessing.get_context("fork")
    here, there = forked.Pipe(duplex=False)
    process = forked.Process(target=_copy, args=(work, there), daemon=True)
    with warnings.catch_warnings():
        # Python 3.12 warns of forks where threads run, as they do in every kernel.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    there.close()
    try:
        # Work that computes is ended by its own clock before this one, unless the machine is busy.
        if not here.poll(2 * LIMIT_SECONDS):
            return Guarded(None, "endless", "") if _has_worked(process.pid) else None
        value, printed = here.recv()
        return Guarded(value, None, printed)
    except EOFError:
        process.join()
        endless = process.exitcode == -signal.SIGPROF
        return Guarded(None, "endless" if endless else "crashed", "")
    except KeyboardInterrupt:
        return Guarded(None, "interrupted", "")
    finally:
        process.kill()
        process.join()
        process.close()
        here.close()


def _has_worked(pid: int) -> bool:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system > LIMIT_SECONDS / 4


def _copy(work: Callable[[], T], there) -> None:
    """What the forked process does: limits first, then the work, then its result."""
    import resource

    try:
        # Ctrl-C reaches the whole group; the kernel sees to it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Processor time, and no `except` catches it: the signal's default is to end the process.
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, LIMIT_SECONDS)
        with open("/proc/self/statm") as statm:
            taken = int(statm.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY_BYTES, hard))
        with _kept_output() as printed:
            value = work()
        there.send((value, printed.text))
    finally:
        # Nothing that the kernel registered for its own end may run here.
        os._exit(0)


def _under_a_watchdog(work: Callable[[], T]) -> Guarded[T]:
    done, lock = False, threading.Lock()

    def bark() -> None:
        with lock:
            if not done:
                _interrupt_main_thread()

    watched = threading.current_thread() is threading.main_thread()
    timer = threading.Timer(LIMIT_SECONDS, bark)
    timer.daemon = True
    printed = _Printed()
    try:
        if watched:
            timer.start()
        with _kept_output() as printed:
            value = work()
        with lock:
            done = True
        return Guarded(value, None, printed.text)
    except KeyboardInterrupt:
        return Guarded(None, "endless", printed.text)
    finally:
        done = True
        timer.cancel()


def _interrupt_main_thread() -> None:
    if hasattr(signal, "pthread_kill"):  # It wakes a sleeping thread too.
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    else:
        import _thread

        _thread.interrupt_main()
