"""How does a command of the course read its arguments? With help, and one line for a wrong one."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence

MOST = 2**31 - 1


def parser(doc: str, **settings) -> argparse.ArgumentParser:
    """A parser for a command whose module has the docstring ``doc``: its first line is the help."""
    return argparse.ArgumentParser(description=doc.splitlines()[0], **settings)


def refuse_arguments(doc: str, arguments: Sequence[str] | None = None) -> None:
    """For a command that takes no arguments: give help if asked for it, and refuse any other.

    Whoever asks for help, or mistypes an option, does not want hours of training.
    """
    parser(doc).parse_args(arguments)


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
