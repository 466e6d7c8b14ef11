"""Who is ahead when one party measured both models? Differences of scores with their intervals.

A fair comparison has one party run both models in the same way.  ``measured_beside`` finds those
among the published scores, and says of which measurements there is no such partner.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import NamedTuple

from course_utils.evaluation.published import (
    PublishedResult,
    category_difference,
    elsewhere,
    find,
    load_benchmarks,
    load_categories,
)
from course_utils.evaluation.statistics import score_interval


class Gap(NamedTuple):
    """A difference of two scores in points, with its 95 % interval; None where there is none."""

    points: float
    low: float | None = None
    high: float | None = None

    @property
    def decided(self) -> bool:
        """Does the interval exclude zero?"""
        return self.low is not None and (self.low > 0 or self.high < 0)


class Beside(NamedTuple):
    """One measurement of a model. ``gap``: the lead over the rival, None if it was not measured."""

    benchmark: str
    version: str
    measured_by: str
    gap: Gap | None


def newcombe(first: float, second: float, problems: int) -> Gap:
    """Difference of two scores in percent on so many problems each, with its 95 % interval.

    Method 10 of R. G. Newcombe, *Statistics in Medicine* 17 (1998): built from the two Wilson
    intervals, as if the two had met different problems.
    """
    a, b = (score_interval(score / 100, problems) for score in (first, second))
    down = sqrt((a.estimate - a.low) ** 2 + (b.high - b.estimate) ** 2)
    up = sqrt((a.high - a.estimate) ** 2 + (b.estimate - b.low) ** 2)
    points = first - second
    return Gap(points, points - 100 * down, points + 100 * up)


def measured_beside(
    results: Iterable[PublishedResult], model: str, rival: str
) -> tuple[list[Beside], list[Beside]]:
    """Every measurement of a model: those beside the rival by the same party, and the others.

    Copies count for neither.  On an edition of LiveBench whose categories are known the
    interval goes over the categories; averages of categories have none otherwise.
    """
    results, benchmarks = list(results), load_benchmarks()
    found = []
    for row in find(results, model=model):
        if row.copied != "no":
            continue
        theirs = [
            r.score
            for r in find(
                results,
                model=rival,
                benchmark=row.benchmark,
                version=row.version,
                measured_by=row.measured_by,
            )
            if r.copied == "no"
        ]
        board = load_categories(edition=row.version) if row.benchmark == "LiveBench" else {}
        gap = None
        if theirs and {model, rival} <= board.keys():
            lead = category_difference(board, model, rival)
            gap = Gap(*(100 * value for value in lead))
        elif theirs and benchmarks[row.benchmark].problems:
            gap = newcombe(row.score, theirs[0], benchmarks[row.benchmark].problems)
        elif theirs:
            gap = Gap(row.score - theirs[0])
        found.append(Beside(row.benchmark, row.version, row.measured_by, gap))
    order = list(benchmarks)
    found.sort(key=lambda row: order.index(row.benchmark))
    return [row for row in found if row.gap], [row for row in found if not row.gap]


def differs_beyond_luck(result: PublishedResult, results: Iterable[PublishedResult]) -> bool:
    """Does everybody else's measurement lie further off than the number of problems allows?

    False where nobody else measured it, or no interval follows from the benchmark's size.
    """
    problems = load_benchmarks()[result.benchmark].problems
    others = elsewhere(result, results)
    return bool(problems and others) and all(
        newcombe(result.score, other.score, problems).decided for other in others
    )
