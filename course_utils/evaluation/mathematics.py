"""Equality of two mathematical expressions, asked of math-verify in a process of its own.

An expression such as ``5^{(5^{11})}`` keeps a computer algebra system busy for ever, within one
operation that no signal interrupts.  So the comparison runs in a child process, which is ended
when its time is up and started anew for the next question.
Library: https://github.com/huggingface/Math-Verify
"""

from __future__ import annotations

import atexit
import contextlib
import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

from course_utils.errors import MachineError

SECONDS = 3
"""Time limit for one comparison."""

STARTING_SECONDS = 120
"""Time limit for the child to be ready; it takes a second, or many on a busy machine."""

WORKER = Path(__file__).with_name("math_worker.py")


class Comparison(NamedTuple):
    """``verdict``: "equal", "not equal", "unreadable truth", "unreadable answer" or "too large".

    ``read`` is what was taken for the answer, where the library found one.
    """

    verdict: str
    read: str


def compare(truth: str, answer: str, *, prose: bool = False) -> Comparison:
    """Is ``answer`` equal to ``truth``? Both LaTeX without dollar signs; thread-safe.

    With ``prose`` the answer is a text whose last expression counts.  What takes longer than
    ``SECONDS`` is "too large".  Raises MachineError if the child cannot be started.
    """
    request = {"truth": truth, "answer": answer, "prose": prose, "seconds": SECONDS}
    with _lock:
        child = _running_child()
        try:
            reply = child.ask(json.dumps(request), SECONDS)
        except BaseException:  # The stop button: a late answer must not meet the next question.
            child.end()
            raise
        if reply is None:
            child.end()
            return Comparison("too large", "")
    return Comparison(**reply)


class _Child:
    """The process, and a thread that waits for its lines: a pipe alone knows no time limit."""

    def __init__(self):
        self.process = subprocess.Popen(
            # Without -P the script's folder would hide the standard library's ``statistics``.
            [sys.executable, "-P", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        if self._next(STARTING_SECONDS) is None:
            self.end()
            raise MachineError(
                "The process that compares mathematics did not start.",
                "Install the course's packages again: it needs math-verify.",
            )

    def ask(self, line: str, seconds: float) -> dict | None:
        """The child's answer; None if it took too long or died over it."""
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except OSError:
            return None
        return self._next(seconds)

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()

    def _listen(self) -> None:
        with contextlib.suppress(ValueError, OSError):  # closed while it waited
            for line in self.process.stdout:
                self.lines.put(line)
        self.lines.put("")

    def _next(self, seconds: float) -> dict | None:
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            return None
        return json.loads(line) if line else None


_lock = threading.Lock()
_child: _Child | None = None


def _running_child() -> _Child:
    global _child
    if _child is None or _child.process.poll() is not None:
        _child = _Child()
    return _child


@atexit.register
def _end_child() -> None:
    if _child is not None:
        _child.end()
