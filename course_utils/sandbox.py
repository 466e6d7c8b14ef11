"""The sandbox: runs model-written code where it can do no harm, and sees what it does.

The code runs in Monty (https://github.com/pydantic/monty), a Python interpreter without files,
network, processes or imports beyond a few harmless modules, inside a child process with limits on
time, memory and output.  Whatever the code does, the notebook lives and gets a ``SandboxResult``.

Monty knows a large part of Python, not all: ``yield`` and modules such as ``heapq`` are missing.
Code that needs them gets the verdict "unsupported", which is not the same as being wrong.
"""

from __future__ import annotations

import contextlib
import keyword
import math
import os
import re
import reprlib
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from course_utils.errors import OptionError
from course_utils.units import MIB

Verdict = Literal[
    "passed",
    "wrong answer",
    "error",
    "syntax error",
    "unsupported",
    "time limit",
    "memory limit",
    "output limit",
    "crashed",
]


@dataclass(frozen=True)
class Limits:
    """What code may use: seconds per call, bytes of memory and output, depth of recursion."""

    seconds: float = 2.0
    memory_bytes: int = 64 * MIB
    output_bytes: int = 20_000
    recursion: int = 500

    def __post_init__(self):
        for name, value in vars(self).items():
            if not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
                raise OptionError(f"{name}={value!r} is not a limit.", "Give a number above 0.")


@dataclass(frozen=True)
class Case:
    """One test: call the function with these arguments, expect this value."""

    arguments: tuple
    expected: object


@dataclass(frozen=True)
class SandboxResult:
    """What happened. ``verdict`` is "passed" only if every case passed (or nothing was asked).

    ``message`` says in one line what went wrong, empty if nothing did.  ``value`` is that of the
    last expression (without cases) or of the failing call, None if it is too large to be shown.
    ``output`` is what was printed.
    """

    verdict: Verdict
    message: str
    passed: int
    cases: int
    value: object
    output: str
    seconds: float

    def __bool__(self) -> bool:
        return self.verdict == "passed"

    def __repr__(self) -> str:
        shown = {**vars(self), "value": _show(self.value), "output": _show(self.output)}
        return f"SandboxResult({', '.join(f'{name}={part}' for name, part in shown.items())})"


class Sandbox:
    """A child process ready to run code, one run at a time; use it as a context manager.

    Each call of each run starts from nothing: no variable, import or printed line survives.
    Starting takes a few milliseconds and a run about one, so thousands of runs are cheap.
    """

    def __init__(self, limits: Limits | None = None):
        self.limits = limits or Limits()
        self._pool = None
        self._lock = threading.Lock()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def close(self) -> None:
        """End the child process."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.__exit__(None, None, None)

    def run(
        self,
        code: str,
        cases: Sequence[Case] = (),
        *,
        function: str = "solve",
        inputs: dict[str, object] | None = None,
    ) -> SandboxResult:
        """Run ``code``; with ``cases``, call ``function`` for each until one fails.

        ``inputs`` are plain values that the code finds as variables.  The expected values never
        enter the sandbox, so code cannot look them up.
        """
        if not function.isidentifier() or keyword.iskeyword(function):
            raise OptionError(f"{function!r} is not a function name.", 'Give one such as "solve".')
        start = time.monotonic()
        with self._lock:
            printed: list[str] = []
            passed = 0
            if not cases:
                verdict, message, value = self._call(code, None, inputs or {}, printed)
            for case in cases:
                printed.clear()
                call = f"{function}(*_arguments)"
                values = {**(inputs or {}), "_arguments": tuple(case.arguments)}
                verdict, message, value = self._call(code, call, values, printed)
                if verdict == "passed" and not _equal(value, case.expected):
                    verdict = "wrong answer"
                    message = f"{_show_call(function, case)} gave {_show(value)}"
                if verdict != "passed":
                    break
                passed += 1
            if not _is_showable(value):
                value = None
                if verdict == "passed" and not cases:
                    verdict, message = "output limit", "the value is too large to be shown"
        seconds = time.monotonic() - start
        return SandboxResult(verdict, message, passed, len(cases), value, "".join(printed), seconds)

    def _call(
        self, code: str, call: str | None, inputs: dict[str, object], printed: list[str]
    ) -> tuple[Verdict, str, object]:
        import pydantic_monty as monty

        limits = self.limits
        overflow = False

        def collect(_stream: str, text: str) -> None:
            nonlocal overflow
            room = limits.output_bytes - sum(map(len, printed))
            printed.append(text[:room])
            if len(text) > room:
                overflow = True
                raise RuntimeError("output limit exceeded")

        try:
            with self._running_pool().checkout(
                limits={
                    "max_feed_duration_secs": limits.seconds,
                    "max_memory": limits.memory_bytes,
                    "max_recursion_depth": limits.recursion,
                    "max_total_sleep_secs": limits.seconds,
                    "max_suspensions": 1000,
                },
                # The same run gives the same result, whatever it draws and whenever it runs.
                os_policy={"sleep": "zero", "random_start": {"seed": 0}},
                assert_message_annotations=False,
            ) as session:
                value = session.feed_run(code, inputs=inputs, print_callback=collect)
                if call is not None:
                    value = session.feed_run(call, print_callback=collect)
            return "passed", "", value
        except monty.MontyConversionError as error:
            raise OptionError(
                f"A test value cannot enter the sandbox: {error}.",
                "Use numbers, texts, lists, tuples, sets and dictionaries.",
            ) from None
        except monty.MontyCrashedError as error:
            self.close()
            timed_out = bool(error.timed_out)
            return ("time limit" if timed_out else "crashed"), _line(error), None
        except monty.MontySyntaxError as error:
            return "syntax error", _line(error), None
        except monty.MontyError as error:
            verdict = "output limit" if overflow else _verdict(error)
            if verdict in ("memory limit", "time limit"):
                self.close()  # After a limit the child's memory is in no known state.
            return verdict, _line(error), None

    def _running_pool(self):
        if self._pool is None:
            import pydantic_monty as monty

            # The child reports a broken limit on its standard error too; the verdict says it.
            with _no_standard_error():
                self._pool = monty.Monty(min_processes=1, max_processes=1).__enter__()
        return self._pool


def run_code(
    code: str,
    cases: Sequence[Case] = (),
    *,
    function: str = "solve",
    inputs: dict[str, object] | None = None,
    limits: Limits | None = None,
) -> SandboxResult:
    """Run code once in a sandbox of its own; see ``Sandbox.run``. For many runs, keep a Sandbox."""
    with Sandbox(limits) as sandbox:
        return sandbox.run(code, cases, function=function, inputs=inputs)


def _verdict(error) -> Verdict:
    inner = error.exception()
    text = str(inner)
    if isinstance(inner, TimeoutError) and "limit exceeded" in text:
        return "time limit"
    if isinstance(inner, MemoryError):
        return "memory limit"
    if isinstance(inner, NotImplementedError):
        return "unsupported"
    if isinstance(inner, ModuleNotFoundError):
        named = re.search(r"'([\w.]+)'", text)
        if named and named.group(1).split(".")[0] in sys.stdlib_module_names:
            return "unsupported"
    return "error"


def _line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    text = lines[-1][:300] if lines else type(error).__name__
    # An escape sequence in a message could clear or recolour the reader's terminal.
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _equal(actual: object, expected: object) -> bool:
    """Equal as data. Depth and length follow ``expected``, so hostile values cost nothing."""
    if isinstance(expected, float) and type(actual) in (int, float):
        return math.isclose(actual, expected, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(expected, list | tuple):
        # Python's tests for equality tell lists from tuples; problems rarely mean to.
        if type(actual) not in (list, tuple) or len(actual) != len(expected):
            return False
        return all(_equal(a, e) for a, e in zip(actual, expected, strict=True))
    if isinstance(expected, dict):
        if type(actual) is not dict or actual.keys() != expected.keys():
            return False
        return all(_equal(actual[key], value) for key, value in expected.items())
    return type(actual) is type(expected) and actual == expected


MOST_PARTS = 200_000
DEEPEST = 100


def _is_showable(value: object) -> bool:
    """Can this be written out? A few lists that hold each other often are endless on paper."""
    parts, waiting = 0, [(value, 0)]
    while waiting:
        part, depth = waiting.pop()
        parts += 1
        if parts > MOST_PARTS or depth > DEEPEST:
            return False
        if isinstance(part, int) and part.bit_length() > 14_000:  # Python writes 4,300 digits.
            return False
        if isinstance(part, dict):
            waiting += [(p, depth + 1) for pair in part.items() for p in pair]
        elif isinstance(part, list | tuple | set | frozenset):
            waiting += [(p, depth + 1) for p in part]
    return True


def _show(value: object) -> str:
    try:
        return reprlib.repr(value)
    except Exception:  # A hostile value may refuse to be shown; any reason will do.
        return "a value too large to show"


def _show_call(function: str, case: Case) -> str:
    return f"{function}({', '.join(_show(argument) for argument in case.arguments)})"


@contextlib.contextmanager
def _no_standard_error() -> Iterator[None]:
    """Children started in this block inherit a closed standard error."""
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
