"""What is in a field of llama-server's own pages? The type that is needed, or one clear fault."""

from __future__ import annotations

import math
from collections.abc import Mapping

from course_utils.engines.checks import finite_number
from course_utils.engines.server.errors import Misshapen
from course_utils.engines.server.shape import describe


def text_in(answer: object, name: str) -> str:
    """A field that holds a text. Raises Misshapen for any other, as all of these do."""
    value = _field(answer, name)
    if not isinstance(value, str):
        raise Misshapen(describe(name, value, "text"))
    return value


def list_in(answer: object, name: str) -> list:
    """A field that holds a list."""
    value = _field(answer, name)
    if not isinstance(value, list):
        raise Misshapen(describe(name, value, "a list"))
    return value


def number_in(answer: object, name: str) -> int:
    """A field that holds a token's number."""
    value = _field(answer, name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Misshapen(describe(name, value, "a whole number"))
    return value


def bytes_in(answer: object, name: str) -> bytes:
    """A field that holds a token's bytes: a text, or a list of them where they are none."""
    value = _field(answer, name)
    if isinstance(value, str):
        return value.encode("utf-8", errors="replace")
    try:
        # A number alone would be taken for a length, and fill the memory with zeros.
        return bytes(value if isinstance(value, list) else [value])
    except (TypeError, ValueError):
        raise Misshapen(describe(name, value, "a list of bytes")) from None


def chance_in(answer: object, name: str = "logprob") -> float:
    """The probability whose logarithm a field holds; for 0 that is the lowest number there is."""
    value = finite_number(_field(answer, name))
    if value is None:
        raise Misshapen(describe(name, _field(answer, name), "a number"))
    return math.exp(min(value, 0.0))


def _field(answer: object, name: str) -> object:
    if not isinstance(answer, Mapping):
        raise Misshapen(describe(f"what holds {name}", answer))
    return answer.get(name)
