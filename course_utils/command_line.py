"""How does a command of the course begin and end? One home for its arguments and its exit status.

Arguments come with help, and with one line for a wrong one; an error or Ctrl-C ends a command with
words and no traceback.
"""

from __future__ import annotations

import argparse
import math
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from course_utils.errors import CourseError

MOST = 2**31 - 1

DONE, FAILED, INTERRUPTED, UNREAD = 0, 1, 130, 141
"""Exit statuses.  130 is what shells give a program that Ctrl-C ended, and 141 one whose output
nobody reads any more."""


def parser(doc: str, **settings) -> argparse.ArgumentParser:
    """A parser for a command whose module has the docstring ``doc``: its first line is the help."""
    return argparse.ArgumentParser(description=doc.splitlines()[0], **settings)


def refuse_arguments(doc: str, arguments: Sequence[str] | None = None) -> None:
    """For a command that takes no arguments: give help if asked for it, and refuse any other.

    Whoever asks for help, or mistypes an option, does not want hours of training.
    """
    parser(doc).parse_args(arguments)


def run(work: Callable[[], int | None], stopped: str = "Stopped.") -> int:
    """Do a command's work; the exit status: what it returns, or what ended it, which is told.

    It is ``UNREAD``, without a word, where nobody reads the output any more.
    stopped: what to say after Ctrl-C, such as what has been kept.
    """
    try:
        try:
            return work() or DONE
        except CourseError as error:
            print(error, file=sys.stderr)
            return FAILED
        except KeyboardInterrupt:
            print(f"\n{stopped}", file=sys.stderr)
            return INTERRUPTED
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # Now, where it can be caught, and not when Python ends.
    except BrokenPipeError:
        if not _nobody_reads():
            raise  # It was another pipe.
        return UNREAD


def _nobody_reads() -> bool:
    """Whether the output goes nowhere; ``head`` and pagers close it when they have enough."""
    try:
        output = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return False
    if not hasattr(select, "poll"):  # Windows has no such pipes.
        return False
    ends = select.poll()
    ends.register(output, select.POLLOUT)
    if not any(event & (select.POLLERR | select.POLLHUP) for _, event in ends.poll(0)):
        return False
    # What is left in the buffer would be tried once more, and told, when the program ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    return True


def start(main: Callable[[], int | None]) -> NoReturn:
    """``run`` as the last line of a program."""
    sys.exit(run(main))


def run_modules(names: Iterable[str]) -> int:
    """Run each as a program of its own; the exit status of the first that fails, or 0."""

    def work() -> int:
        for name in names:
            print(f"running: {name}", flush=True)
            status = subprocess.call([sys.executable, "-m", name])
            if status:
                return status
        return DONE

    return run(work)


def whole(least: int = 1, most: int = MOST) -> Callable[[str], int]:
    """A whole number of an option, from ``least`` to ``most``: ``type=whole(1, 9)``."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            above = "up" if most == MOST else f"to {most:,}"
            raise argparse.ArgumentTypeError(f"give a whole number from {least:,} {above}")
        return number

    return read


def positive(text: str) -> float:
    """A number above 0 of an option; "inf" is without end."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number > 0:
        raise argparse.ArgumentTypeError("give a number above 0")
    return number
