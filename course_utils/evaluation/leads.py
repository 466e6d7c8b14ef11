"""Which leads are settled? One rule for every comparison of two models' scores.

Comparisons that are made together are judged together.  A lead is settled if its p value, after
Holm's rule over all of them, is below ``SETTLED_BELOW``; otherwise these scores cannot tell who is
ahead.  That is no proof that the two are equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from course_utils.errors import OptionError
from course_utils.evaluation.published import PublishedResult, load_benchmarks
from course_utils.evaluation.statistics import holm, probability_better

SETTLED_BELOW = 0.05
"""A lead whose adjusted p value is below this is settled."""

CANNOT_TELL = "cannot tell"

RELEASE = "https://qwenlm.github.io/blog/qwq-32b/"
"""Where the figure stands in which QwQ-32B was first compared with its rivals."""


@dataclass(frozen=True)
class Lead:
    """Two published scores (in percent) on one benchmark, and how sure the lead is.

    ``probability``: that the first is truly better.  ``p_value``: two-sided, of this comparison
    alone.  ``adjusted``: after Holm's rule over all that were judged with it.
    """

    benchmark: str
    first: str
    second: str
    scores: tuple[float, float]
    problems: int
    probability: float
    p_value: float
    adjusted: float

    @property
    def verdict(self) -> str:
        """Who is ahead, or that these scores cannot tell."""
        return verdict(self.first, self.second, self.scores[0] - self.scores[1], self.adjusted)


def verdict(first: str, second: str, lead: float, adjusted: float) -> str:
    """Who is ahead, in words, if anyone can tell.

    lead: the first's score minus the second's, in any unit.  adjusted: the p value after ``holm``
    over all comparisons that are made together.
    """
    if adjusted >= SETTLED_BELOW or lead == 0:
        return CANNOT_TELL
    return f"{first if lead > 0 else second} is ahead"


def two_sided(probability: float) -> float:
    """The p value that goes with the probability that A is better: twice the smaller tail.

    With a uniform prior the tail of the posterior is close to that of the usual test of two
    shares (P. M. E. Altham, Journal of the Royal Statistical Society B 31 (1969), 261-269).
    """
    return 2 * min(probability, 1 - probability)


def judge(rows: Sequence[tuple[str, str, str, float, float, int]]) -> list[Lead]:
    """Judge comparisons of published totals together, in the order given.

    rows: benchmark, first model, second model, their scores in percent, number of problems.  The
    totals do not say who solved which problem, so the two are treated as if they had answered
    different ones: a real lead may be missed, and rarely one is made up.
    """
    better = [probability_better(a / 100, problems, b / 100) for *_, a, b, problems in rows]
    p_values = [two_sided(probability) for probability in better]
    return [
        Lead(benchmark, first, second, (a, b), problems, *sure)
        for (benchmark, first, second, a, b, problems), *sure in zip(
            rows, better, p_values, holm(p_values), strict=True
        )
    ]


def release_leads(results: Iterable[PublishedResult], model: str = "QwQ-32B") -> list[Lead]:
    """The release figure of QwQ-32B: the model against every rival on every benchmark with a size.

    BFCL and LiveBench average categories of different sizes, so no p value follows from their
    number of questions, and they are not among the comparisons.
    Raises OptionError if the results do not hold the release figure's scores of this model.
    """
    figure = [r for r in results if r.source == RELEASE and r.score is not None]
    ours = {r.benchmark: r.score for r in figure if r.model == model}
    if not ours:
        raise OptionError(
            f"The release figure's scores of {model!r} are not among these results.",
            "Give what load_results() returns, and a model of the figure.",
        )
    sizes = {name: benchmark.problems for name, benchmark in load_benchmarks().items()}
    return judge(
        [
            (r.benchmark, model, r.model, ours[r.benchmark], r.score, sizes[r.benchmark])
            for r in figure
            if r.model != model and r.benchmark in ours and sizes[r.benchmark]
        ]
    )
