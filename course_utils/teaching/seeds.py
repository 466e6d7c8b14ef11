"""What did each seed come to, in one line of text? Shares and their changes, as notebooks print."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import mean

from course_utils.intervals import Interval


def by_seed(shares: Mapping[int, float]) -> str:
    """The mean and every seed: ``37%  (seeds: 38%, 32%, 40%)``."""
    seeds = ", ".join(f"{share:.0%}" for share in shares.values())
    return f"{mean(shares.values()):4.0%}  (seeds: {seeds})"


def in_points(change: Interval, digits: int = 0) -> str:
    """A change of shares with its interval: ``+44 points (+23 to +65)``."""
    estimate, low, high = (f"{100 * x:+.{digits}f}" for x in change)
    return f"{estimate} points ({low} to {high})"


def verdict(change: Interval) -> str:
    """Is what changed ``ahead`` or ``behind``? ``cannot tell`` where the interval contains 0."""
    return "ahead" if change.low > 0 else "behind" if change.high < 0 else "cannot tell"
