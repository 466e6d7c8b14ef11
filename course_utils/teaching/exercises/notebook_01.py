"""Which exercises does notebook 01, next-token prediction, ask?"""

from __future__ import annotations

import math

import numpy as np

from course_utils.teaching import distribution
from course_utils.teaching.exercises.compare import compare_number, compare_probabilities
from course_utils.teaching.exercises.declaration import Exercise, WrongExample


def _check_softmax(answer) -> str | None:
    off = compare_probabilities(answer(np.array([2.0, 1.0, 0.0])), _softmax([2.0, 1.0, 0.0]))
    if off:
        return off
    off = compare_probabilities(answer(np.array([1000.0, 999.0])), _softmax([1000.0, 999.0]))
    return off and (
        "Small logits come out right, but logits near 1,000 do not: exp overflows. "
        "Which number can you subtract from all logits without changing the result?"
    )


def _check_top_p(answer) -> str | None:
    # Not sorted, since a model's vocabulary is not.
    probabilities = np.array([0.1, 0.5, 0.05, 0.3, 0.05])
    for p in (0.45, 0.7, 0.85, 1.0):
        keep = distribution.keep_top_p(probabilities, p)
        wanted = np.where(keep, probabilities, 0) / probabilities[keep].sum()
        values = np.asarray(answer(probabilities.copy(), p), dtype=float)
        if values.shape != wanted.shape:
            return compare_probabilities(values, wanted)
        if (values > 0).sum() < keep.sum():
            return (
                f"With p = {p} too few tokens are left. The token that takes the sum to p or "
                "above still belongs to them."
            )
        if (values > 0).sum() > keep.sum():
            return (
                f"With p = {p} more tokens are left than needed to reach a sum of p. Do you sort "
                "first, the likeliest at the front?"
            )
        if not np.allclose(values, wanted) and np.allclose(np.sort(values), np.sort(wanted)):
            return (
                "The numbers are right, but in the wrong places. Put each probability back where "
                "its token stands."
            )
        off = compare_probabilities(values, wanted)
        if off:
            return f"With p = {p}: {off}"
    return None


def _check_perplexity(answer) -> str | None:
    for probabilities in ([0.5, 0.5, 0.5], [0.9, 0.1, 0.25, 0.01]):
        logs = [math.log(p) for p in probabilities]
        wanted = math.exp(-sum(logs) / len(logs))
        value = answer(list(logs))
        if compare_number(value, wanted, relative=1e-6) is None:
            continue
        if compare_number(value, -sum(logs) / len(logs), relative=1e-6) is None:
            return "This is the mean surprise. One step is missing to turn it into perplexity."
        if compare_number(value, math.exp(-sum(logs)), relative=1e-6) is None:
            return "The surprises are added up, and not divided by how many there are."
        if compare_number(value, math.exp(sum(logs) / len(logs)), relative=1e-6) is None:
            return "Check the sign: the surprise is minus the log-probability."
        return compare_number(value, wanted, relative=1e-6)
    return None


def _check_order(answer) -> str | None:
    five = np.array([0.73, 0.095, 0.08, 0.055, 0.04])
    last = int(distribution.keep_top_p(five, 0.95).sum())
    first = int(distribution.keep_top_p(_softmax(np.log(five) / 0.6), 0.95).sum())
    kept_last, kept_first = answer
    if (kept_last, kept_first) == (first, last):
        return "Both numbers are right, but the other way round: the first is for temperature last."
    if kept_last != last:
        return (
            f"With the temperature last: {_too_large_or_small(kept_last, last)} Add up the "
            "probabilities as they are given."
        )
    if kept_first != first:
        return (
            f"With the temperature first: {_too_large_or_small(kept_first, first)} Apply it to the "
            "logits, the logarithms of the probabilities, take the softmax, and only then add up."
        )
    return None


def _too_large_or_small(count, wanted: int) -> str:
    return f"{count} is too {'large' if count > wanted else 'small'}."


def _softmax(logits) -> np.ndarray:
    return distribution.softmax(np.asarray(logits, dtype=float))


EXERCISES = [
    Exercise(
        id="01.softmax",
        title="Turn logits into probabilities",
        answer="softmax",
        check=_check_softmax,
        right="Only differences between logits count, so subtracting the largest changes nothing.",
        hints=(
            "Probabilities are positive and sum to 1. `np.exp` makes any number positive.",
            "Divide the exponentials by their sum.",
            "`np.exp(1000)` is too large for a float. Subtract `logits.max()` first.",
        ),
        setup="import numpy as np",
        solution="""
def softmax(logits):
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()
""",
        wrong=(
            WrongExample("def softmax(logits):\n    return np.exp(logits)", "sum to 1"),
            WrongExample(
                "def softmax(logits):\n    return np.exp(logits) / np.exp(logits).sum()",
                "overflows",
            ),
            WrongExample("def softmax(logits):\n    return logits / logits.sum()", "They sum to 1"),
            WrongExample(
                "def softmax(logits):\n    return 1 / 0", "`softmax` stopped with an error in its"
            ),
        ),
    ),
    Exercise(
        id="01.top_p",
        title="Keep the fewest tokens whose probabilities sum to at least p",
        answer="top_p",
        check=_check_top_p,
        right="Where the model is sure few tokens stay, where it wavers many: that is the point.",
        hints=(
            "Sort the tokens, the likeliest first: `order = np.argsort(-probabilities)`.",
            "`np.cumsum(probabilities[order])` is the running sum. Where does it reach p first?",
            "Set the others to 0, and divide by the sum that is left.",
        ),
        setup="import numpy as np",
        solution="""
def top_p(probabilities, p):
    order = np.argsort(-probabilities)
    running_sum = np.cumsum(probabilities[order])
    # Those whose sum stays below p, and the one that takes it to p or above.
    kept = order[: int((running_sum < p).sum()) + 1]
    result = np.zeros_like(probabilities)
    result[kept] = probabilities[kept]
    return result / result.sum()
""",
        wrong=(
            WrongExample(
                "def top_p(q, p):\n"
                "    order = np.argsort(-q)\n"
                "    kept = order[np.cumsum(q[order]) <= p]\n"
                "    r = np.zeros_like(q)\n"
                "    r[kept] = q[kept]\n"
                "    return r / max(r.sum(), 1e-9)",
                "too few tokens",
            ),
            WrongExample(
                "def top_p(q, p):\n"
                "    order = np.argsort(-q)\n"
                "    kept = order[np.cumsum(q[order]) - q[order] < p - 1e-12]\n"
                "    r = np.zeros_like(q)\n"
                "    r[kept] = q[kept]\n"
                "    return r",
                "sum to 1",
            ),
            WrongExample("def top_p(q, p):\n    return q", "more tokens are left"),
            WrongExample(
                "def top_p(q, p):\n"
                "    r = q.copy()\n"
                "    r[int((np.cumsum(q) < p).sum()) + 1 :] = 0\n"
                "    return r / r.sum()",
                "Do you sort",
            ),
            WrongExample(
                "def top_p(q, p):\n"
                "    r = np.sort(q)[::-1]\n"
                "    r[int((np.cumsum(r) < p).sum()) + 1 :] = 0\n"
                "    return r / r.sum()",
                "in the wrong places",
            ),
        ),
    ),
    Exercise(
        id="01.order",
        title="Does it matter whether the temperature comes first or last?",
        answer="kept",
        check=_check_order,
        right="A low temperature applied first makes the favourite larger, so top-p cuts more.",
        hints=(
            "For the first number, `np.cumsum(five)` shows where the sum reaches 0.95.",
            "The logits are `np.log(five)`, up to a constant, which softmax ignores.",
            "For the second number, take `np.cumsum` of the softmax of `np.log(five) / 0.6`.",
        ),
        setup="import numpy as np\nfive = np.array([0.73, 0.095, 0.08, 0.055, 0.04])",
        solution="""
def tokens_needed(probabilities):
    return int((np.cumsum(probabilities) < 0.95).sum()) + 1

warm = np.exp(np.log(five) / 0.6)
kept = (tokens_needed(five), tokens_needed(warm / warm.sum()))
""",
        wrong=(
            WrongExample("kept = (2, 4)", "other way round"),
            WrongExample("kept = (4, 4)", "With the temperature first"),
            WrongExample("kept = (3, 2)", "With the temperature last"),
            WrongExample("kept = (4, 1)", "1 is too small"),
        ),
    ),
    Exercise(
        id="01.perplexity",
        title="How undecided is the model? Compute perplexity from log-probabilities",
        answer="perplexity",
        check=_check_perplexity,
        right="A perplexity of 8 means: as undecided as between 8 equally likely tokens.",
        hints=(
            "The surprise at a token is its negative log-probability.",
            "Take the mean surprise, then undo the natural logarithm with `np.exp`.",
        ),
        setup="import numpy as np",
        solution="""
def perplexity(log_probabilities):
    mean_surprise = -sum(log_probabilities) / len(log_probabilities)
    return np.exp(mean_surprise)
""",
        wrong=(
            WrongExample(
                "def perplexity(logs):\n    return np.exp(sum(logs) / len(logs))", "Check the sign"
            ),
            WrongExample(
                "def perplexity(logs):\n    return -sum(logs) / len(logs)", "mean surprise"
            ),
            WrongExample("def perplexity(logs):\n    return np.exp(-sum(logs))", "not divided"),
        ),
    ),
]
