"""llama.cpp in this process: its log, its threads, and handles for what it hands out.

llama.cpp gives pointers and trusts its caller: a call with one that was freed ends the process.  So
every call goes through a ``Handle``, which is the one place that checks it.  Only a chain of
samplers needs none: it belongs to one reply.
"""

from __future__ import annotations

import atexit
import collections
import ctypes
import functools
import os
import threading
import time
import weakref
from collections.abc import Callable

import llama_cpp._ctypes_extensions as loading
import llama_cpp._ggml as ggml_package
import llama_cpp.llama_cpp as C

from course_utils.errors import CourseError

# llama.cpp writes hundreds of lines to stderr, where a notebook would store them as output.
# We keep the errors, so that a message can quote the one that matters.
_log_lines: collections.deque[str] = collections.deque(maxlen=50)


@C.llama_log_callback
def _keep_log(level: int, text: bytes, _user_data) -> None:
    if level == 4:  # GGML_LOG_LEVEL_ERROR, see ggml.h
        _log_lines.append(text.decode("utf-8", errors="replace").strip())


C.llama_log_set(_keep_log, None)


def forget_log() -> None:
    """Begin a call whose failure ``reason`` may have to explain."""
    _log_lines.clear()


def reason() -> str:
    """What llama.cpp logged as the cause of the failure just met.

    The first error names the cause; those after it only pass it on.
    """
    return _log_lines[0] if _log_lines else "it gives no reason"


@functools.cache
def ggml() -> ctypes.CDLL:
    """The library that holds ggml's tensors; llama-cpp-python does not wrap these functions."""
    library = ggml_package.libggml
    if not hasattr(library, "ggml_get_name"):
        # Windows looks into one library only, not into those it depends on.
        library = loading.load_shared_library("ggml-base", ggml_package.libggml_base_path)
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    for function, result, arguments in (
        (library.ggml_get_name, ctypes.c_char_p, [pointer]),
        (library.ggml_nbytes, size, [pointer]),
        (library.ggml_backend_tensor_get, None, [pointer, pointer, size, size]),
        (library.ggml_validate_row_data, ctypes.c_bool, [ctypes.c_int, pointer, size]),
    ):
        function.restype, function.argtypes = result, arguments
    return library


def closed_error() -> CourseError:
    """What every use of a closed model raises."""
    return CourseError("This model has been closed.", "Open it again with open_model().")


# Threads of llama.cpp's do not survive a fork: a child that computes with several waits for ever
# (as met with vLLM in VLMEvalKit's issue 1363, and here).
_several_threads_used = False
_several_threads_lost = False


def _note_fork() -> None:
    global _several_threads_lost
    _several_threads_lost = _several_threads_used


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=_note_fork)


def check_several_threads() -> None:
    """Before a computation with several. Raises CourseError where they would never come."""
    global _several_threads_used
    if _several_threads_lost:
        raise CourseError(
            "This process was forked from one that computes with several threads, and they "
            "did not come along.",
            'Start it with multiprocessing.get_context("spawn"), and open the model in it.',
        )
    _several_threads_used = True


class Handle:
    """A pointer of llama.cpp's. ``with handle as pointer:`` is the way to use it.

    Inside the ``with`` it stays alive, whatever another thread closes; after ``close`` nobody gets
    in any more, and the last one out frees it.  It also stays alive as long as other handles need
    it (a model, while one of its contexts lives), and one whose ``needs`` is closed counts as
    closed.  One that nobody refers to any more is closed by itself.
    """

    __slots__ = ("__weakref__", "_free", "_lock", "_needs", "_pointer", "_uses", "closed")

    def __init__(
        self, pointer: object, free: Callable[[object], None], needs: Handle | None = None
    ):
        self._pointer = pointer
        self._free = free
        self._needs = needs
        self.closed = False
        self._uses = 1  # by being open
        # Garbage collection may close another handle while this thread holds the lock.
        self._lock = threading.RLock()
        if needs is not None:
            with needs._lock:
                needs._uses += 1
        _alive.add(self)

    def __enter__(self) -> object:
        with self._lock:
            if self.closed or (self._needs is not None and self._needs.closed):
                raise closed_error()
            self._uses += 1
        return self._pointer

    def __exit__(self, *_exception) -> None:
        with self._lock:
            self._uses -= 1
            last = self._uses == 0
        if last:
            self._free(self._pointer)
            if self._needs is not None:
                self._needs.__exit__()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Let nobody in any more; freed at once, or when the last call has come out."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
        self.__exit__()

    @property
    def freed(self) -> bool:
        """Whether it is closed, and the last call has come out."""
        return self._uses == 0

    def wait_until_freed(self, seconds: float) -> None:
        """After ``close``: wait for calls of other threads to come out, but not for ever."""
        deadline = time.perf_counter() + seconds
        while not self.freed and time.perf_counter() < deadline:
            time.sleep(0.005)


# Freed before Python takes itself apart: llama.cpp still writes its log then, into our callback.
_alive: weakref.WeakSet[Handle] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for handle in list(_alive):
        handle.close()
