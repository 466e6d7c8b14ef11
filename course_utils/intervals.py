"""Intervals: how sure a share of n problems is, or a mean over a few seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist, mean, stdev, variance
from typing import NamedTuple

from course_utils.errors import OptionError


class Interval(NamedTuple):
    """An estimate and the interval around it, all shares between 0 and 1 (or their difference)."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.estimate:.1f}% ({100 * self.low:.1f} to {100 * self.high:.1f})"


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a share, as (low, high) between 0 and 1.

    It stays inside [0, 1] and holds its coverage for small n and shares near 0 or 1, where the
    textbook interval "share plus or minus 1.96 standard errors" fails.
    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (1927), 209-212.

    Raises ValueError unless 0 <= successes <= n, n >= 1 and 0 < confidence < 1.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"need 0 <= successes <= n and n >= 1, got {successes} of {n}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is a share between 0 and 1, got {confidence}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    denominator = 1 + z**2 / n
    centre = (share + z**2 / (2 * n)) / denominator
    half = z / denominator * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # At the ends the formula gives 0 and 1 only up to rounding.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def over_seeds(
    scores: Mapping[int, float],
    baseline: Mapping[int, float] | None = None,
    confidence: float = 0.95,
) -> Interval:
    """How good is this *training*? The mean over seeds with Student's interval.

    ``scores``: what each seed's model reached, such as its share of right answers.  With a
    ``baseline`` the interval is of the difference, scores minus baseline: seed by seed where two
    or more seeds are in both, which lets go of what a seed does to both; else by Welch's method.

    For a claim about training the seeds are the unit.  Ten thousand questions to one model say
    how good that model is, not how good the next one will be, so answers of several seeds are
    never pooled.  For a claim about *one* model the questions are the unit: ``pass_at_1`` and
    ``score_interval`` in ``course_utils.evaluation.statistics``.
    Sources: "Student", Biometrika 6 (1908), 1-25; B. L. Welch, Biometrika 34 (1947), 28-35.

    Raises OptionError for fewer than two seeds.
    """
    if baseline is None:
        return Interval(*mean_interval(list(_two_or_more(scores).values()), confidence))
    common = sorted(scores.keys() & baseline.keys())
    if len(common) >= 2:
        gaps = [scores[seed] - baseline[seed] for seed in common]
        return Interval(*mean_interval(gaps, confidence))
    ours, theirs = (list(_two_or_more(x).values()) for x in (scores, baseline))
    parts = [variance(x) / len(x) for x in (ours, theirs)]
    centre = mean(ours) - mean(theirs)
    if not sum(parts):
        return Interval(centre, centre, centre)
    freedom = sum(parts) ** 2 / sum(
        part**2 / (len(x) - 1) for part, x in zip(parts, (ours, theirs), strict=True)
    )
    # Rounded down: a little too wide rather than too narrow.
    reach = student_quantile(0.5 + confidence / 2, max(1, math.floor(freedom)))
    reach *= math.sqrt(sum(parts))
    return Interval(centre, centre - reach, centre + reach)


def clipped(interval: Interval) -> Interval:
    """The part of an interval that a share can lie in: Student's may reach beyond 0 or 1."""
    return Interval(interval.estimate, max(interval.low, 0.0), min(interval.high, 1.0))


def _two_or_more(scores: Mapping[int, float]) -> Mapping[int, float]:
    if len(scores) < 2:
        raise OptionError(
            f"{len(scores)} seed shows no spread between seeds.",
            "Train with two seeds or more; three make the interval much narrower than two.",
        )
    return scores


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """The mean of independent values with Student's interval, as (mean, low, high).

    Raises ValueError for fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"one value shows no spread, so two or more are needed, got {len(values)}")
    reach = student_quantile(0.5 + confidence / 2, len(values) - 1)
    reach *= stdev(values) / math.sqrt(len(values))
    centre = mean(values)
    return centre, centre - reach, centre + reach


def student_quantile(probability: float, freedom: int) -> float:
    """Quantile of Student's t with ``freedom`` degrees of freedom: 12.71 for 0.975 and 1.

    The distribution function is a finite sum of powers of a cosine, which is inverted by halving
    an interval; beyond 200 degrees an expansion around the normal quantile is exact to eight
    digits.  Source: M. Abramowitz and I. Stegun, "Handbook of mathematical functions" (1964),
    formulas 26.7.3, 26.7.4 and 26.7.5.

    Raises ValueError unless 0 < probability < 1 and freedom is 1 or more.
    """
    if not 0 < probability < 1 or freedom < 1:
        raise ValueError(f"need 0 < probability < 1 and freedom >= 1, got {probability}, {freedom}")
    if freedom > 200:
        z = NormalDist().inv_cdf(probability)
        return (
            z
            + (z**3 + z) / (4 * freedom)
            + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
            + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
        )
    within = abs(2 * probability - 1)  # the share between -t and t
    low, high = 0.0, math.pi / 2
    for _ in range(80):
        angle = (low + high) / 2
        low, high = (angle, high) if _share_within(angle, freedom) < within else (low, angle)
    return math.copysign(math.sqrt(freedom) * math.tan((low + high) / 2), probability - 0.5)


def _share_within(angle: float, freedom: int) -> float:
    """The probability that |t| is below sqrt(freedom) * tan(angle)."""
    cosine = math.cos(angle)
    # Even powers for an even number of degrees, odd powers for an odd one.
    term = cosine if freedom % 2 else 1.0
    total = 0.0
    for power in range(freedom % 2, freedom - 1, 2):
        total += term
        term *= cosine**2 * (power + 1) / (power + 2)
    if freedom % 2:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total
