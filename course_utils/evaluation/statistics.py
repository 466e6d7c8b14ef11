"""How sure is a benchmark score, and when is one model really better than another?

Every function takes plain arrays and returns plain numbers; only NumPy is needed.  A *benchmark* is
treated as a sample of problems from all the problems that its authors might have chosen, so an
interval answers: where might the score be, had they chosen others?
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np

from course_utils.errors import OptionError
from course_utils.intervals import Interval, student_quantile, wilson_interval


class PairedTest(NamedTuple):
    """Two models on the same problems: how many each solved alone, and how surprising that is.

    ``p_value`` is the probability of a split at least as uneven if both were equally good.
    """

    only_a: int
    only_b: int
    p_value: float


@dataclass(frozen=True)
class PairedDifference:
    """How much higher A scores than B on the same problems, and how sure that is.

    ``probability_better`` is the share of bootstrap benchmarks on which A leads (a tie is half).
    """

    difference: Interval
    probability_better: float


def standard_error(score: float, problems: int) -> float:
    """Standard error of a share ``score`` measured once on so many problems: sqrt(p(1-p)/n)."""
    _check_share(score, "score")
    _check_count(problems, "problems")
    return math.sqrt(score * (1 - score) / problems)


def score_interval(score: float, problems: int, confidence: float = 0.95) -> Interval:
    """Interval for a published score from the size of the benchmark alone (Wilson).

    ``score`` is a share between 0 and 1, for one answer per problem.  A score that is an average
    over many answers per problem varies less than this says; ``pass_at_1`` needs the answers, and
    uses them.
    """
    _check_share(score, "score")
    _check_count(problems, "problems")
    # Wilson's formula needs the share only; an averaged score need not be a whole number solved.
    low, high = wilson_interval(score * problems, problems, confidence)
    return Interval(score, low, high)


def pass_at_1(
    correct: np.ndarray,
    confidence: float = 0.95,
    over: Literal["problems", "runs"] = "problems",
) -> Interval:
    """Share of correct answers, averaged over several answers to each problem, with its interval.

    ``correct``: (problems, answers) of 0 and 1, or (problems,) when there is one answer each.
    ``over="problems"`` asks where the score would be on other problems of this kind; answers to
    one problem belong together, so the spread *between problems* counts, however many answers
    each has.  ``over="runs"`` asks where it would be on the same problems in another run.

    Source of the clustered standard error: E. Miller, "Adding error bars to evals",
    https://arxiv.org/abs/2411.00640, section 3.  The interval is Wilson's with the number of
    problems that would give this standard error (E. L. Korn and B. I. Graubard, Survey Methodology
    24 (1998), 193-201), which keeps it inside 0 and 1.
    """
    correct = _answers(correct)
    problems, answers = correct.shape
    means = correct.mean(axis=1)
    share = float(means.mean())
    if over == "problems":
        if problems < 2:
            raise OptionError(
                "One problem cannot show how much problems differ.",
                'Give two problems or more, or ask over="runs".',
            )
        variance = float(means.var(ddof=1)) / problems
        freedom = problems - 1
    elif over == "runs":
        if answers < 2:
            raise OptionError(
                "One answer per problem cannot show how much runs differ.",
                'Give two answers or more for each problem, or ask over="problems".',
            )
        within = correct.var(axis=1, ddof=1)
        variance = float(within.sum()) / (problems**2 * answers)
        freedom = problems * (answers - 1)
    else:
        raise OptionError(f"over={over!r} is not a choice.", 'Use "problems" or "runs".')
    if variance == 0:
        # No spread was seen (all right, all wrong, or all alike): only the count can speak.
        size = float(problems if over == "problems" else problems * answers)
    else:
        size = share * (1 - share) / variance
        # The variance is itself estimated, so Student's t is due in place of the normal.
        normal = NormalDist().inv_cdf(0.5 + confidence / 2)
        size *= (normal / student_quantile(0.5 + confidence / 2, freedom)) ** 2
    low, high = wilson_interval(share * size, max(size, 1.0), confidence)
    return Interval(share, low, high)


def pass_at_k_per_problem(correct: np.ndarray, k: int) -> np.ndarray:
    """Unbiased chance, for each problem, that at least one of k answers is right: (problems,).

    ``correct``: (problems, answers) of 0 and 1, with at least k answers.  With c of n answers
    right it is ``1 - C(n - c, k) / C(n, k)``, computed as a product so that nothing overflows.
    Source: M. Chen et al., "Evaluating large language models trained on code" (2021),
    https://arxiv.org/abs/2107.03374, equation 1.
    """
    correct = _answers(correct)
    n = correct.shape[1]
    if not (_whole(k) and 1 <= k <= n):
        raise OptionError(
            f"pass@{k} cannot be estimated from {n} answers per problem.",
            f"Choose k between 1 and {n}, or sample more answers.",
        )
    wrong = n - correct.sum(axis=1)
    # C(wrong, k) / C(n, k) is the product of (wrong - i) / (n - i) for i = 0 .. k-1.
    steps = np.arange(k)
    factors = np.clip(wrong[:, None] - steps, 0, None) / (n - steps)
    return 1.0 - factors.prod(axis=1)


def pass_at_k(
    correct: np.ndarray,
    k: int,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """pass@k of a benchmark with a bootstrap interval over its problems.

    ``correct``: (problems, answers) of 0 and 1, with at least k answers.  The interval is the
    percentile bootstrap (B. Efron and R. Tibshirani, "An introduction to the bootstrap", 1993,
    chapter 13): draw as many problems as there are, with replacement, again and again.
    """
    values = pass_at_k_per_problem(correct, k)
    low, high = _percentiles(_resampled_means(values, resamples, seed), confidence)
    return Interval(float(values.mean()), low, high)


def majority_vote(answers: Sequence[Hashable | None]) -> Hashable | None:
    """The answer given most often; None if no answer was given.

    A missing answer (None) has no vote.  Of two answers with equally many votes, the one given
    first wins, so that the result does not depend on chance.
    """
    votes = Counter(answer for answer in answers if answer is not None)
    return votes.most_common(1)[0][0] if votes else None


def cons_at_k(
    answers: Sequence[Sequence[Hashable | None]],
    truth: Sequence[Hashable],
    k: int,
    confidence: float = 0.95,
    draws: int = 200,
    seed: int = 0,
) -> Interval:
    """cons@k: how often the majority of k sampled answers is right, with its interval.

    ``answers``: for each problem, at least k answers in one common form (None for no answer);
    ``truth``: the right answer to each.  With more than k answers, every group of k of them votes,
    or ``draws`` random groups where there are more than that, and the results are averaged.  A tie
    between t answers counts 1/t if the right one is among them.  The interval is over
    problems, as in ``pass_at_1``.
    Source of the idea: X. Wang et al., "Self-consistency improves chain of thought reasoning",
    https://arxiv.org/abs/2203.11171.
    """
    if len(answers) != len(truth):
        raise OptionError(
            f"There are answers to {len(answers)} problems but {len(truth)} right answers.",
            "Give one right answer for each problem.",
        )
    fewest = min((len(given) for given in answers), default=0)
    if not (_whole(k) and 1 <= k <= fewest):
        raise OptionError(
            f"cons@{k} needs {k} answers to each problem; some have {fewest}.",
            f"Choose k between 1 and {max(fewest, 1)}, or sample more answers.",
        )
    rng = np.random.default_rng(seed)
    shares = []
    for given, right in zip(answers, truth, strict=True):
        if math.comb(len(given), k) <= draws:
            groups = combinations(range(len(given)), k)
        else:
            groups = (rng.choice(len(given), k, replace=False) for _ in range(draws))
        shares.append(np.mean([_vote_share([given[i] for i in g], right) for g in groups]))
    return pass_at_1(np.array(shares), confidence)


def probability_better(
    score_a: float, problems_a: int, score_b: float, problems_b: int | None = None
) -> float:
    """Probability that A's true share is above B's, from two independent measurements.

    Each true share has a uniform prior, so its posterior is a beta distribution with
    ``1 + solved`` and ``1 + missed`` (A. Gelman et al., "Bayesian data analysis", chapter 2);
    the probability is integrated on a grid.  When both models answered the *same* problems and
    you have the answers, use ``paired_bootstrap`` or ``mcnemar_exact``: they are sharper.
    """
    problems_b = problems_a if problems_b is None else problems_b
    for name, score in (("score_a", score_a), ("score_b", score_b)):
        _check_share(score, name)
    for name, count in (("problems_a", problems_a), ("problems_b", problems_b)):
        _check_count(count, name)
    # Midpoints of the cells: the logarithms stay finite and the sums are the midpoint rule.
    grid = (np.arange(20_000) + 0.5) / 20_000
    mass_a = _beta_mass(grid, score_a, problems_a)
    mass_b = _beta_mass(grid, score_b, problems_b)
    below = np.cumsum(mass_b) - mass_b / 2
    return float((mass_a * below).sum())


def mcnemar_exact(a: Sequence[bool], b: Sequence[bool]) -> PairedTest:
    """Did A and B, on the same problems, win unequally often? Exact two-sided McNemar test.

    ``a`` and ``b``: (problems,) of true and false.  Only the problems that one solved and the
    other did not carry information; under equal skill each is a coin toss.
    Source: Q. McNemar, Psychometrika 12 (1947), 153-157; exact binomial form.
    """
    first, second = _paired(a, b)
    if not all(np.isin(x, (0, 1)).all() for x in (first, second)):
        raise OptionError(
            "McNemar's test needs right or wrong for each problem, not a share.",
            "Give one answer per problem, or use paired_bootstrap.",
        )
    only_a = int(((first == 1) & (second == 0)).sum())
    only_b = int(((first == 0) & (second == 1)).sum())
    n = only_a + only_b
    tail = sum(math.comb(n, i) for i in range(min(only_a, only_b) + 1)) / 2**n
    return PairedTest(only_a, only_b, min(1.0, 2 * tail))


def paired_bootstrap(
    a: Sequence[float],
    b: Sequence[float],
    confidence: float = 0.95,
    resamples: int = 5000,
    seed: int = 0,
) -> PairedDifference:
    """How much better is A than B on the same problems? Bootstrap over the problems.

    ``a`` and ``b``: (problems,) scores between 0 and 1, such as each problem's share of right
    answers.  Problems are drawn in pairs, so a problem that is hard for both cancels out.
    Source: P. Koehn, "Statistical significance tests for machine translation evaluation",
    https://aclanthology.org/W04-3250/.
    """
    first, second = _paired(a, b)
    difference = first - second
    means = _resampled_means(difference, resamples, seed)
    low, high = _percentiles(means, confidence)
    better = float((means > 0).mean() + (means == 0).mean() / 2)
    return PairedDifference(Interval(float(difference.mean()), low, high), better)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values adjusted for having made several comparisons, in the order given.

    Keep a comparison if its adjusted value is below your threshold: then the chance of *any*
    false alarm among all of them stays below that threshold.
    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979), 65-70.
    """
    for p in p_values:
        _check_share(p, "a p value")
    m = len(p_values)
    adjusted = [0.0] * m
    largest = 0.0
    for rank, index in enumerate(sorted(range(m), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (m - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def problems_needed(
    score_a: float, score_b: float, confidence: float = 0.95, power: float = 0.8
) -> int:
    """How many problems would tell these two true shares apart, one answer to each problem?

    The usual formula for two independent shares: with this many problems for each model, a
    two-sided test at ``confidence`` finds the difference with probability ``power``.
    Source: J. L. Fleiss, B. Levin and M. C. Paik, "Statistical methods for rates and
    proportions", 3rd edition, chapter 4 (without continuity correction).
    """
    _check_share(score_a, "score_a")
    _check_share(score_b, "score_b")
    if score_a == score_b:
        raise OptionError(
            "Equal scores cannot be told apart by any number of problems.",
            "Give two different scores.",
        )
    normal = NormalDist()
    pooled = (score_a + score_b) / 2
    spread = score_a * (1 - score_a) + score_b * (1 - score_b)
    root = normal.inv_cdf(0.5 + confidence / 2) * math.sqrt(2 * pooled * (1 - pooled))
    root += normal.inv_cdf(power) * math.sqrt(spread)
    return math.ceil((root / (score_a - score_b)) ** 2)


def _vote_share(answers: Sequence[Hashable | None], right: Hashable) -> float:
    votes = Counter(answer for answer in answers if answer is not None)
    most = max(votes.values(), default=0)
    winners = [answer for answer, count in votes.items() if count == most]
    return 1 / len(winners) if right in winners else 0.0


def _beta_mass(grid: np.ndarray, score: float, problems: int) -> np.ndarray:
    solved = score * problems
    log_density = solved * np.log(grid) + (problems - solved) * np.log1p(-grid)
    density = np.exp(log_density - log_density.max())
    return density / density.sum()


def _resampled_means(values: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    if not (_whole(resamples) and resamples >= 100):
        raise OptionError(
            f"resamples={resamples!r} is too few for a bootstrap.", "Give 100 or more."
        )
    rng = np.random.default_rng(seed)
    # How often each problem is drawn is all that matters, and is cheaper than the draws.
    weights = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), size=resamples)
    return weights @ values / len(values)


def _percentiles(means: np.ndarray, confidence: float) -> tuple[float, float]:
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


def _answers(correct) -> np.ndarray:
    array = np.asarray(correct, dtype=float)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.size == 0 or not ((array >= 0) & (array <= 1)).all():
        raise OptionError(
            "The answers are not a table of 0 (wrong) and 1 (right).",
            "Give an array of the shape (problems, answers).",
        )
    return array


def _paired(a, b) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.ndim != 1 or first.shape != second.shape or first.size == 0:
        raise OptionError(
            f"A and B were not measured on the same problems: {first.shape} and {second.shape}.",
            "Give one score per problem for each, in the same order.",
        )
    return first, second


def _check_share(value: float, name: str) -> None:
    if not 0 <= value <= 1:
        raise OptionError(
            f"{name} = {value!r} is not a share between 0 and 1.",
            "Divide a percentage by 100.",
        )


def _check_count(value: int, name: str) -> None:
    if not (_whole(value) and value >= 1):
        raise OptionError(f"{name} = {value!r} is not a number of problems.", "Give 1 or more.")


def _whole(value) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
