"""The renderer of strangers' templates, a process of its own that may be ended.

A chat template is a program that comes with a model.  Jinja's sandbox keeps it from Python, but
not from loops without end, or from filling memory in one step (``'x' * 10**10``), which nothing in
the same process can interrupt.  So one child process, shared by all models of this notebook,
renders them all.  It starts with the first template, in a fifth of a second; each rendering costs
a fraction of a millisecond more than in the notebook itself.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from course_utils.errors import MachineError, ModelFileError, PromptError
from course_utils.units import GIB

SECONDS = 5.0
"""How long one rendering may take. A usual one takes less than a thousandth of this."""

MEMORY_BYTES = GIB
"""How much memory the process may have. It starts with a thirtieth of it."""

# Python and Jinja come from the disk; on a busy laptop that has just started, slowly.
_SECONDS_TO_START = 60.0
_LOOK_EVERY_SECONDS = 0.05
_WORKER = Path(__file__).with_name("template_worker.py")

WITHOUT_TEMPLATE = (
    "Use complete() with a prompt of your own, or take the model from another publisher."
)


class TemplateProcess:
    """The child process that renders, one text at a time. It starts again when it has ended."""

    def __init__(self, *, seconds: float = SECONDS, memory_bytes: int = MEMORY_BYTES):
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._owner = os.getpid()

    def render(self, source: str, variables: dict[str, object]) -> str:
        """What the Jinja template ``source`` writes for these variables (plain data).

        Raises PromptError where the template refuses the conversation or fails on it, and
        ModelFileError where it cannot be read, takes too long or needs too much memory.
        """
        try:
            request = json.dumps({"source": source, "variables": variables}).encode() + b"\n"
        except (TypeError, ValueError, RecursionError) as error:
            raise PromptError(
                f"This conversation is not plain data: {error}.",
                "Build messages and tools of texts, numbers, lists and dictionaries only.",
            ) from None
        with self._lock:
            try:
                answer = json.loads(self._ask(request))
            except BaseException:  # Ctrl-C too: whatever comes later would answer this request.
                self._end()
                raise
        if "text" not in answer:
            raise _explained(answer["fault"], answer.get("reason", ""))
        # Where a message holds half a pair, the engine says so, and of whom.
        if not _is_unicode(answer["text"]) and _is_unicode(
            json.dumps(variables, ensure_ascii=False)
        ):
            raise _explained("surrogate")
        return answer["text"]

    def close(self) -> None:
        """End the process; the next rendering starts it again."""
        with self._lock:
            self._end()

    def _ask(self, request: bytes) -> bytes:
        if self._process is None or self._process.poll() is not None or self._owner != os.getpid():
            self._start()
        try:
            self._process.stdin.write(request)
            self._process.stdin.flush()
        except OSError:
            raise _explained("end") from None
        return self._line(self._seconds)

    def _start(self) -> None:
        self._end()
        apart = (
            {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
            if sys.platform == "win32"
            else {"start_new_session": True}
        )
        # Its own timer, for when this process dies, runs out after ours.
        limits = [str(2 * self._seconds), str(self._memory_bytes)]
        try:
            self._process = subprocess.Popen(
                # -P: the modules beside the file must not hide those of Python.
                [sys.executable, "-P", str(_WORKER), *limits],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                **apart,
            )
        except OSError as error:
            raise MachineError(
                f"The process that renders chat templates cannot be started: {error}.",
                "Close other notebooks or programs, and try again.",
            ) from None
        self._owner = os.getpid()
        self._lines = queue.SimpleQueue()
        threading.Thread(
            target=_read_lines, args=(self._process.stdout, self._lines), daemon=True
        ).start()
        try:
            self._line(_SECONDS_TO_START)
        except ModelFileError:
            raise MachineError(
                "The process that renders chat templates does not start.",
                "Try again when the machine is less busy; if it happens again, set the course up "
                "anew with 'make setup'.",
            ) from None

    def _line(self, seconds: float) -> bytes:
        """The process's next line; raises ModelFileError when it exceeds a limit or ends."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=min(left, _LOOK_EVERY_SECONDS))
            except queue.Empty:
                if self._memory_in_use() > self._memory_bytes:
                    raise _explained("memory") from None
                continue
            if not line:
                raise _explained("end")
            return line
        raise _explained("time", f"{seconds:g}")

    def _memory_in_use(self) -> int:
        try:
            return psutil.Process(self._process.pid).memory_info().rss
        except psutil.Error:
            return 0  # It has ended, which reading its next line tells.

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        with contextlib.suppress(OSError):  # What was not yet written has no reader any more.
            process.stdin.close()


def _read_lines(stream, lines: queue.SimpleQueue[bytes]) -> None:
    """Pass on a process's lines, and an empty one when it has ended."""
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(b"")


def _is_unicode(text: str) -> bool:
    """Is this a text that UTF-8 can write, without halves of surrogate pairs?"""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _explained(fault: str, reason: str = "") -> ModelFileError | PromptError:
    """The error for what the process reports, or for how it ended."""
    from course_utils.network import harmless  # the template's own words may hold anything

    reason = harmless(reason, most=500).rstrip(". ")
    if fault == "refusal":
        return PromptError(
            f"The model's chat template refuses this conversation: {reason}.",
            "Most templates want at most one system message, first, and then user and assistant "
            "in turn.",
        )
    if fault == "error":
        return PromptError(
            f"The model's chat template fails on this conversation: {reason}.",
            f"Try a single message from the user. {WITHOUT_TEMPLATE}",
        )
    problem = {
        "syntax": f"cannot be read: {reason}",
        "length": "writes more than any context holds",
        "memory": "needs more memory than a template may have",
        "time": f"has not finished after {reason} seconds",
        "end": "ended the process that renders it",
        "surrogate": "writes half of a surrogate pair, which no text can hold",
    }[fault]
    return ModelFileError(f"The model's chat template {problem}.", WITHOUT_TEMPLATE)


_shared = TemplateProcess()
atexit.register(_shared.close)


def render_template(source: str, variables: dict[str, object]) -> str:
    """``TemplateProcess.render`` in the process that all models of this notebook share."""
    return _shared.render(source, variables)
