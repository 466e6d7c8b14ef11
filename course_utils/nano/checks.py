"""Is a setting of a training run one that it can be trained with? Asked when settings are made.

A wrong setting found here costs nothing; found by a matrix product it costs the run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

from course_utils.errors import OptionError


def whole(name: str, value: object, at_least: int, at_most: int | None = None) -> None:
    """Raise OptionError unless ``value`` is a whole number in these bounds."""
    good = isinstance(value, Integral) and not isinstance(value, bool) and value >= at_least
    if not good or (at_most is not None and value > at_most):
        above = "" if at_most is None else f" and at most {at_most:,}"
        raise OptionError(
            f"{name}={value!r} is not a whole number of at least {at_least}{above}.",
            f"For example {name}={max(at_least, 8) if at_most is None else at_most}.",
        )


def number(
    name: str,
    value: object,
    at_least: float,
    at_most: float = math.inf,
    *,
    remedy: str = "",
) -> None:
    """Raise OptionError unless ``value`` is a finite number in these bounds."""
    good = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not at_least <= value <= at_most:
        above = "" if at_most == math.inf else f" and at most {at_most:g}"
        raise OptionError(
            f"{name}={value!r} is not a finite number of at least {at_least:g}{above}.",
            remedy or f"Give {name} such a number.",
        )


def choice(name: str, value: object, choices: Sequence) -> None:
    """Raise OptionError unless ``value`` is one of ``choices``, of the same type."""
    if not any(value == known and type(value) is type(known) for known in choices):
        raise OptionError(
            f"{name}={value!r} is not a choice.",
            f"Choose {name} from: {', '.join(map(repr, choices))}.",
        )
