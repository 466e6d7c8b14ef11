"""Which exercises does notebook 01, next-token prediction, ask?

This module is long because an exercise is kept whole: its check, hints, solution and questions.
"""

from __future__ import annotations

import math

import numpy as np

from course_utils.teaching import distribution
from course_utils.teaching.exercises.compare import (
    compare_array,
    compare_number,
    compare_probabilities,
    first_mistake,
    known_mistake,
)
from course_utils.teaching.exercises.declaration import Exercise, Mistake, Option, Question


def _check_softmax(answer) -> Mistake | None:
    small = np.array([2.0, 1.0, 0.0, -1.0])
    values = answer(small.copy())
    off = compare_probabilities(values, distribution.softmax(small))
    if off:
        return _softmax_mistake(values, small) or off
    # The largest neither first nor last, and so far from the rest that only it helps.
    for logits in ([1000.0, 999.0], [0.0, 3000.0, 2999.0, 10.0], [-1000.0, -1002.0]):
        wanted = distribution.softmax(np.array(logits))
        if compare_probabilities(answer(np.array(logits)), wanted):
            return Mistake(
                "overflow",
                f"Small logits come out right, but {logits} do not: an exponential overflows, or "
                "all of them are 0. Which number can you subtract from every logit, whatever "
                "their order, without changing the result?",
            )
    return None


def _softmax_mistake(values, logits: np.ndarray) -> Mistake | None:
    """A mistake in turning logits into probabilities that has a name, if it is one."""
    softmax = distribution.softmax
    known = (
        (
            logits / logits.sum(),
            "no-exponential",
            "The logits are divided by their sum, so a negative one gives a negative probability. "
            "What turns every number into a positive one?",
        ),
        (np.log(softmax(logits)), "logarithms", "These are the logarithms of the probabilities."),
        (
            softmax(-logits),
            "sign",
            "The lowest logit gets the highest probability: check a sign.",
        ),
        (
            softmax(logits * np.log(2)),
            "base",
            "These are powers of 2. The field takes powers of e: `np.exp`.",
        ),
    )
    return known_mistake(values, known, compare_array)


def _check_top_p(answer) -> Mistake | None:
    # Not sorted, since a model's vocabulary is not; sums that a float holds exactly.
    probabilities = np.array([0.125, 0.5, 0.03125, 0.25, 0.09375])
    for p in (0.45, 0.7, 0.5, 0.75, 0.9, 1.0):
        keep = distribution.keep_top_p(probabilities, p)
        wanted = np.where(keep, probabilities, 0) / probabilities[keep].sum()
        values = answer(probabilities.copy(), p)
        off = compare_probabilities(values, wanted)
        if off is None:
            continue
        if off.name not in ("no-array", "shape", "not-finite", "negative-probability"):
            off = _top_p_mistake(np.asarray(values, dtype=float), wanted, p) or off
        return off.where(f"With p = {p}")
    return None


def _top_p_mistake(values: np.ndarray, wanted: np.ndarray, p: float) -> Mistake | None:
    """A mistake in choosing the tokens that has a name, if it is one."""
    left, needed = int((values > 0).sum()), int((wanted > 0).sum())
    signs = (
        (left == 0, "nothing-left", "no token is left at all. The likeliest always belongs."),
        (
            left < needed,
            "too-few",
            "too few tokens are left. The token that takes the sum to p or above still belongs "
            "to them.",
        ),
        (
            p in (0.5, 0.75) and left == needed + 1,
            "one-too-many",
            "one token fewer takes the sum to exactly p, and that is enough.",
        ),
        (
            left > needed,
            "too-many",
            "more tokens are left than needed to reach a sum of p. Do you sort first, the "
            "likeliest at the front?",
        ),
        (
            np.allclose(np.sort(values), np.sort(wanted)),
            "wrong-places",
            "the numbers are right, but in the wrong places. Put each probability back where its "
            "token stands.",
        ),
    )
    return first_mistake(signs)


def _check_perplexity(answer) -> Mistake | None:
    for probabilities in ([0.5, 0.5, 0.5], [0.9, 0.1, 0.25, 0.01], [1.0, 1.0], [0.2]):
        logs = np.log(probabilities)
        surprise = -float(logs.mean())
        value = answer(logs.copy())
        off = compare_number(value, math.exp(surprise), relative=1e-6)
        if off:
            return _perplexity_mistake(value, logs) or off
    return None


def _perplexity_mistake(value, logs: np.ndarray) -> Mistake | None:
    """A mistake in the formula that has a name, if it is one."""
    surprise, count = -float(logs.mean()), len(logs)
    known = (
        (
            surprise,
            "mean-surprise",
            "This is the mean surprise. One step is missing to turn it into perplexity.",
        ),
        (surprise * count, "sum", "This is the sum of the surprises. Two steps are missing."),
        (
            math.exp(min(surprise * count, 700)),
            "no-mean",
            "The surprises are added up, and not divided by how many there are.",
        ),
        (math.exp(-surprise), "sign", "Check the sign: the surprise is minus the log-probability."),
        (
            2**surprise,
            "base",
            "The logarithms are natural ones, and this undoes them with a power of 2.",
        ),
        (
            float(np.exp(-logs).mean()),
            "mean-of-inverses",
            "The mean comes before the exponential: average the surprises first.",
        ),
        (
            1 / float(np.exp(logs).mean()),
            "mean-of-probabilities",
            "The mean is taken over the probabilities. Average their logarithms instead.",
        ),
    )
    return known_mistake(value, known, relative=1e-6)


def _check_slopes(answer) -> Mistake | None:
    random = np.random.default_rng(1)
    for size, one in ((4, 2), (6, None), (5, 0)):
        logits = random.normal(0, 2, size)
        came = random.dirichlet(np.ones(size)) if one is None else np.eye(size)[one]
        values = answer(logits.copy(), came.copy())
        wanted = distribution.softmax(logits) - came
        # Wide enough for slopes that were measured by nudging.
        off = compare_array(values, wanted, tolerance=1e-3)
        if off is None:
            continue
        if off.name in ("no-array", "shape", "not-finite"):
            return off
        return _slopes_mistake(values, logits, came) or off
    return None


def _slopes_mistake(values, logits: np.ndarray, came: np.ndarray) -> Mistake | None:
    """A mistake in the gradient that has a name, if it is one."""
    probabilities = distribution.softmax(logits)
    known = (
        (
            came - probabilities,
            "sign",
            "The sizes are right, and the signs are wrong. Raising the logit of the token that "
            "came makes the surprise smaller, so its slope is negative.",
        ),
        (
            probabilities,
            "nothing-came",
            "These are the probabilities. What is different at the token that came?",
        ),
        (logits - came, "logits", "The probabilities belong in here, and these are the logits."),
        (
            np.where(came > 0, probabilities - came, 0),
            "only-what-came",
            "The other tokens have slopes too: raising them makes less room for the one that came.",
        ),
        (
            (probabilities - came) ** 2,
            "squared",
            "A square cannot be negative, and one slope has to be.",
        ),
    )
    return known_mistake(values, known, compare_array, tolerance=1e-3)


def _check_order(answer) -> Mistake | None:
    five = np.array([0.73, 0.095, 0.08, 0.055, 0.04])
    last = int(distribution.keep_top_p(five, 0.95).sum())
    first = int(distribution.keep_top_p(distribution.softmax(np.log(five) / 0.6), 0.95).sum())
    kept = np.asarray(answer, dtype=float)
    if kept.shape != (2,):
        return Mistake("two-numbers", "Give two numbers: temperature last, then temperature first.")
    kept_last, kept_first = kept
    signs = (
        (
            (kept_last, kept_first) == (first, last),
            "swapped",
            "Both numbers are right, but the other way round: the first is for temperature last.",
        ),
        (
            kept_last != last,
            "temperature-last",
            f"With the temperature last: {_too_large_or_small(kept_last, last)} Add up the "
            "probabilities as they are given.",
        ),
        (
            kept_first != first,
            "temperature-first",
            f"With the temperature first: {_too_large_or_small(kept_first, first)} Apply it to the "
            "logits, the logarithms of the probabilities, take the softmax, and only then add up.",
        ),
    )
    return first_mistake(signs)


def _too_large_or_small(count: float, wanted: int) -> str:
    return f"{count:g} is too {'large' if count > wanted else 'small'}."


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
        difficulty=2,
        importance=5,
        minutes=6,
    ),
    Exercise(
        id="01.top_p",
        title="Keep the fewest tokens whose probabilities sum to at least p",
        answer="top_p",
        check=_check_top_p,
        right="Where the model is sure, few tokens stay; where it wavers, many: that is the point.",
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
        difficulty=3,
        importance=4,
        minutes=20,
    ),
    Exercise(
        id="01.order",
        title="Does it matter whether the temperature comes first or last?",
        answer="kept",
        check=_check_order,
        right="A low temperature applied first makes the favourite larger, so top-p cuts off more.",
        hints=(
            "For the first number, `np.cumsum(five)` shows where the sum reaches 0.95.",
            "The logits are `np.log(five)`, up to a constant, which softmax ignores.",
            "For the second number, take `np.cumsum` of the softmax of `np.log(five) / 0.6`.",
        ),
        setup="import numpy as np\nfive = np.array([0.73, 0.095, 0.08, 0.055, 0.04])",
        solution="""
def tokens_needed(probabilities):
    return int((np.cumsum(probabilities) < 0.95).sum()) + 1

sharper = np.exp(np.log(five) / 0.6)
# Sharpened first, the likeliest token takes up most of p: 2 tokens are enough, not 4.
kept = (tokens_needed(five), tokens_needed(sharper / sharper.sum()))
""",
        difficulty=3,
        importance=3,
        minutes=8,
    ),
    Exercise(
        id="01.perplexity",
        title="How undecided is the model? Compute perplexity from log-probabilities",
        answer="perplexity",
        check=_check_perplexity,
        right="At a perplexity of 8, a model is as undecided as between 8 equally likely tokens.",
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
        difficulty=2,
        importance=4,
        minutes=6,
    ),
    Exercise(
        id="01.slopes",
        title="Which way should each logit move?",
        answer="slopes",
        check=_check_slopes,
        right="This formula trains every language model; the chain rule does the rest.",
        hints=(
            "Compare the two columns of the table above, token by token. Where do they agree?",
            "They differ only at the token that came, and there by exactly 1.",
            "So they are the probabilities minus `came`. `course_softmax` gives the probabilities.",
        ),
        setup=(
            "import numpy as np\nfrom course_utils.teaching import softmax\n"
            "course_softmax = softmax"
        ),
        solution="""
def slopes(logits, came):
    return course_softmax(logits) - came
""",
        difficulty=3,
        importance=5,
        minutes=6,
    ),
]

QUESTIONS = [
    Question(
        id="01.model",
        asks="What does a language model return when you give it a text?",
        options=(
            Option(
                "The next token.",
                "Not yet: somebody still has to choose one, by sampling or greedily.",
            ),
            Option(
                "A probability for every token of its vocabulary.",
                "Everything else, sampling included, is done with these numbers.",
            ),
            Option(
                "The answer to a question.",
                "An answer is many next tokens in a row, and nothing in the model knows that they "
                "form an answer.",
            ),
        ),
        right=2,
    ),
    Question(
        id="01.temperature",
        asks="You lower the temperature from 1 to 0.6. What happens to the tokens?",
        options=(
            Option(
                "Their order changes.",
                "Dividing all logits by the same number keeps their order.",
            ),
            Option(
                "Unlikely ones can no longer be drawn.",
                "They get rarer, but none gets probability 0. Cutting off is the job of top-k, "
                "top-p and min-p.",
            ),
            Option(
                "The likeliest one gains, and the order stays the same.",
                "A low temperature stretches the differences between logits.",
            ),
        ),
        right=3,
    ),
    Question(
        id="01.loop",
        asks="Why does greedy decoding run into loops?",
        options=(
            Option(
                "Once a stretch is repeated, the likeliest next token is the one that followed "
                "it the first time.",
                "The same text leads to the same choice, and nothing random can break the circle.",
            ),
            Option(
                "The model runs out of memory.",
                "Nothing runs out. The likeliest next token leads back to where the text has been.",
            ),
            Option(
                "The temperature is too high.",
                "Greedy decoding is what you get as the temperature approaches 0.",
            ),
        ),
        right=1,
    ),
    Question(
        id="01.step",
        asks="One step of gradient descent on one token of text: which logits change?",
        options=(
            Option(
                "Only that of the token that came, upwards.",
                "The others go down as well: their slopes are their probabilities.",
            ),
            Option(
                "All of them: the logit of the token that came goes up, the others go down.",
                "Each in proportion to how wrong its probability was.",
            ),
            Option(
                "None: logits are computed, not stored.",
                "In the bigram model they are stored. In a transformer the step moves the "
                "weights, and the logits follow.",
            ),
        ),
        right=2,
    ),
    Question(
        id="01.fluent",
        asks="Model A has a lower perplexity than model B. What follows?",
        options=(
            Option(
                "A gives better answers.",
                "Not always: the thinker predicts its base's texts less well, and adds better.",
            ),
            Option(
                "A predicts that text better.",
                "That is all that perplexity measures, on the text that was measured.",
            ),
            Option(
                "A is the larger model.",
                "Often it is, but a small model trained on such texts can beat a large one on "
                "them.",
            ),
        ),
        right=2,
    ),
]
