"""Checks of numbers, tokens and places that engines are given, and how messages show them."""

from __future__ import annotations

import contextlib
import math
import operator
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from course_utils.errors import MachineError, NotSupportedError, OptionError
from course_utils.secret import without_keys, without_secrets

# Numbers travel to llama.cpp and to servers in 32 bits.
MOST = 2**31 - 1

MOST_COMPLETIONS = 100_000
"""The most completions that one call draws."""


def whole_number(
    name: str, value: object, least: int, most: int = MOST, *, limit: str = "", unit: str = ""
) -> int:
    """``value`` as an int, or OptionError unless it is a whole number from least to most.

    limit: what sets ``most``, as in "the tokens of this model's vocabulary".
    """
    number = None
    if not isinstance(value, bool):
        with contextlib.suppress(TypeError):
            number = operator.index(value)
    if number is not None and least <= number <= most:
        return number
    too_large = number is not None and number > most
    unbounded = most == MOST and not too_large
    upto = f"from {least} up" if unbounded else f"from {least:,} to {most:,}"
    raise OptionError(
        f"{name}={shown_short(value)} is not valid.",
        f"Give a whole number{unit and ' of ' + unit} {upto}{limit and ': ' + limit}.",
    )


def token_list(tokens: object) -> list:
    """Several tokens as a list. Raises OptionError for what is not several of anything."""
    if not isinstance(tokens, Iterable):
        raise OptionError(
            f"tokens={shown(tokens)} is not valid.", "Give a list of tokens or of their numbers."
        )
    return list(tokens)


def refuse_copying(_engine: object, _protocol: int) -> NoReturn:
    """What an engine does when it is copied or pickled, as pools of processes do unasked."""
    raise NotSupportedError(
        "An open model can be neither copied nor pickled.",
        "Pass it on as it is, since threads may share it, or call open_model() again; another "
        "process has to open the model itself.",
    )


def as_path(path: object) -> Path:
    """A path that was given as one, or as text. Raises OptionError for anything else."""
    if not isinstance(path, str | os.PathLike):
        raise OptionError(f"{shown(path)} is not a path.", "Give a file's name as text.")
    return Path(os.fsdecode(path))


def place_to_write(path: str | os.PathLike[str]) -> Path:
    """The path of a file that can be written, tried. Nothing that is there is changed.

    For whatever takes long to compute: better to know before.  Raises MachineError.
    """
    place = as_path(path)
    try:
        place = place.expanduser()
        new = not place.exists()
        with place.open("ab"):
            pass
        if new:
            place.unlink()
    except (OSError, ValueError, RuntimeError) as error:
        raise MachineError(
            f"{shown_path(path)} cannot be written: {why(error)}.",
            "Name a file in a folder that exists and that you may write to.",
        ) from None
    return place


def why(error: Exception) -> str:
    """What the system says about a path, without repeating it."""
    return str(getattr(error, "strerror", None) or error)


def shown(value: object) -> str:
    """A value in a message: as Python writes it, but short, and of characters that print.

    What may be a key is hidden: it was meant for another place.
    """
    try:
        text = repr(value)
    except Exception:  # whatever somebody's __repr__ raises; also integers of thousands of digits
        text = f"<{type(value).__name__}>"
    if not isinstance(value, int | float):
        text = without_keys(text)
    return text if len(text) <= 80 else f"{text[:50]} ... {text[-20:]}"


def shown_short(value: object) -> str:
    """The same for what should have been a number or a short word: longer texts do not show.

    They were meant for another place, and may be keys.
    """
    if isinstance(value, str | bytes) and len(value) > 12:
        return f"<a text of {len(value)} characters>"
    return shown(value)


def shown_path(path: object) -> str:
    """A path in a message or a record: short, and with a mark for bytes that are no text.

    Files may well have random names, so that only what is known to be a key is hidden.
    """
    try:
        text = os.fsencode(path).decode("utf-8", errors="replace")
    except (TypeError, ValueError):
        text = shown(path)
    text = without_secrets(text.replace("\0", "\\0"))
    return text if len(text) <= 120 else f"{text[:60]} ... {text[-50:]}"


def finite_number(value: object) -> float | None:
    """``value`` as a float, or None unless it is a finite number (True and False are none)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
