"""Is a setting of a training run one that it can be trained with? Asked when settings are made.

A wrong setting found here costs nothing; found by a matrix product it costs the run.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from numbers import Integral, Real

from course_utils.engines.checks import shown_short
from course_utils.errors import OptionError

MOST = 2**31 - 1
"""No count of anything here is larger, and PyTorch takes no larger seed everywhere."""


def whole(name: str, value: object, at_least: int, at_most: int = MOST, *, limit: str = "") -> None:
    """Raise OptionError unless ``value`` is a whole number in these bounds.

    limit: what sets ``at_most``, as in "the completions that one step can draw".
    """
    good = isinstance(value, Integral) and not isinstance(value, bool)
    if not good or not at_least <= value <= at_most:
        bounded = at_most < MOST or (good and value > at_most)
        above = f" and at most {at_most:,}" if bounded else ""
        raise OptionError(
            f"{name}={shown_short(value)} is not a whole number of at least {at_least}{above}"
            f"{limit and above and ', ' + limit}.",
            f"For example {name}={min(max(at_least, 8), at_most)}.",
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
    good = isinstance(value, Real) and not isinstance(value, bool)
    # A whole number beyond all floats cannot even be asked whether it is finite.
    good = good and abs(value) <= sys.float_info.max
    if not good or not at_least <= value <= at_most:
        above = "" if at_most == math.inf else f" and at most {at_most:g}"
        raise OptionError(
            f"{name}={shown_short(value)} is not a finite number of at least {at_least:g}{above}.",
            remedy or f"Give {name} such a number.",
        )


def choice(name: str, value: object, choices: Sequence) -> None:
    """Raise OptionError unless ``value`` is one of ``choices``, of the same type."""
    if not any(value == known and type(value) is type(known) for known in choices):
        raise OptionError(
            f"{name}={shown_short(value)} is not a choice.",
            f"Choose {name} from: {', '.join(map(repr, choices))}.",
        )
