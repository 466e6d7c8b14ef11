"""Which exercises does notebook 05, mixture of experts against dense, ask?"""

from __future__ import annotations

import numpy as np

from course_utils.teaching.exercises.compare import compare_array, compare_number
from course_utils.teaching.exercises.declaration import Exercise


def _check_mixture_layer(answer) -> str | None:
    for hidden, width, experts, used in ((2048, 768, 128, 8), (7168, 2048, 256, 8), (10, 3, 4, 1)):
        value = answer(hidden, width, experts, used)
        if not isinstance(value, tuple | list) or len(value) != 2:
            return "Two numbers are asked for: all parameters, then those that a token uses."
        router, expert = hidden * experts, 3 * hidden * width
        case = f"For {experts} experts of width {width}, {used} of them used"
        for name, given, count in (
            ("all", value[0], router + experts * expert),
            ("used by a token", value[1], router + used * expert),
        ):
            if compare_number(given, count, relative=1e-12) is None:
                continue
            if compare_number(given, count - router, relative=1e-12) is None:
                return f"{case}: the router's matrix is missing; every token uses it whole."
            if compare_number(given - count, router // experts * (used - experts)) is None:
                return f"{case}: a token uses the whole router, since all experts get a score."
            if compare_number((given - router) * 3, (count - router) * 2) is None:
                return f"{case}: an expert has three matrices: gate, up and down."
            return f"{case} ({name}): {compare_number(given, count, relative=1e-12)}"
    return None


def _check_touched(answer) -> str | None:
    for experts, used, tokens in ((128, 8, 1), (128, 8, 4), (256, 8, 32), (8, 2, 3)):
        value = answer(experts, used, tokens)
        wanted = experts * (1 - (1 - used / experts) ** tokens)
        if compare_number(value, wanted) is None:
            continue
        case = f"For {tokens} tokens, each with {used} of {experts} experts"
        if compare_number(value, min(experts, used * tokens)) is None:
            return f"{case}: two tokens may share an expert, which is then read only once."
        if compare_number(value, wanted / experts) is None:
            return f"{case}: that is the share of the experts. Their number is asked for."
        if compare_number(value, experts - wanted) is None:
            return f"{case}: that is how many are *not* touched."
        return f"{case}: {compare_number(value, wanted)}"
    return None


def _check_route(answer) -> str | None:
    scores = np.array([[0.0, 2.0, 1.0, -1.0], [3.0, 0.5, 0.0, 1.5], [-2.0, -1.0, -4.0, -3.0]])
    for used in (2, 1, 3):
        values = answer(scores.copy(), used)
        if not isinstance(values, tuple | list) or len(values) != 2:
            return "Two things are asked for: the experts' numbers, then their weights."
        experts = np.argsort(-scores, axis=-1)[:, :used]
        probabilities = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
        chosen = np.take_along_axis(probabilities, experts, axis=-1)
        given, weights = (np.asarray(value, dtype=float) for value in values)
        if given.shape == experts.shape and (given == experts[:, ::-1]).all() and used > 1:
            return "These are the right experts, but the likeliest should come first."
        if given.shape == experts.shape and (given != experts).any():
            return "Other experts have the highest scores."
        if weights.shape == chosen.shape and np.allclose(weights, chosen) and used > 1:
            return "These are the probabilities; the weights of the chosen ones should sum to 1."
        off = compare_array(given, experts)
        if off:
            return f"The experts' numbers: {off}"
        off = compare_array(weights, chosen / chosen.sum(-1, keepdims=True))
        if off:
            return f"The weights, with {used} experts for each token: {off}"
    return None


def _check_effective_experts(answer) -> str | None:
    for load in ([0.25] * 4, [0.5, 0.3, 0.15, 0.05], [0.5, 0.5, 0.0, 0.0], [1.0, 0.0]):
        load = np.array(load)
        seen = load[load > 0]
        entropy = -(seen * np.log(seen)).sum()
        value = answer(load.copy())
        if compare_number(value, np.exp(entropy)) is None:
            continue
        if isinstance(value, float | int | np.floating) and np.isnan(value):
            return "An expert without work makes this undefined: 0 log 0 should count as 0."
        if compare_number(value, entropy) is None and entropy:
            return "This is the entropy. Its exponential is asked for."
        if compare_number(value, np.exp(entropy / np.log(2))) is None:
            return "The entropy is in bits here; the exponential needs it in nats (np.log)."
        if compare_number(value, np.exp(-entropy)) is None:
            return "A sign is the wrong way round: the entropy is never negative."
        off = compare_number(value, np.exp(entropy))
        return f"For the load {load.tolist()}: {off}"
    return None


def _check_mutual_information(answer) -> str | None:
    for counts in ([[10, 0], [0, 10]], [[4, 4], [6, 6]], [[8, 1, 1], [2, 5, 3]]):
        counts = np.array(counts, dtype=float)
        joint = counts / counts.sum()
        apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
        seen = joint > 0
        bits = (joint[seen] * np.log2(joint[seen] / apart[seen])).sum()
        value = answer(counts.copy())
        off = compare_number(value, bits, absolute=1e-6)
        if off is None:
            continue
        if isinstance(value, float | int | np.floating) and np.isnan(value):
            return "An empty cell makes this undefined: it should count 0."
        if bits and compare_number(value, bits * np.log(2)) is None:
            return "This is in nats. Bits are asked for: take np.log2."
        if bits and compare_number(value, bits * counts.sum()) is None:
            return "First turn the counts into shares of all choices."
        return f"For the counts {counts.astype(int).tolist()}: {off}"
    return None


EXERCISES = [
    Exercise(
        id="05.mixture_layer",
        title="Count the feed-forward part of one mixture layer",
        answer="mixture_layer",
        check=_check_mixture_layer,
        right="Memory pays for all of them; arithmetic and bandwidth only for those at work.",
        hints=(
            "An expert is a small SwiGLU block: gate, up and down, each hidden times width.",
            "The router has one row of `hidden` numbers for each expert, and is used whole.",
        ),
        solution="""
def mixture_layer(hidden, width, experts, used):
    router = experts * hidden
    expert = 3 * hidden * width
    return router + experts * expert, router + used * expert
""",
        difficulty=3,
        importance=5,
        minutes=8,
    ),
    Exercise(
        id="05.route",
        title="Choose each token's experts and their weights",
        answer="route",
        check=_check_route,
        right="Each token now computes with 2 of 8 experts, and memory holds all 8.",
        hints=(
            "`np.argsort(-scores)` sorts each row's experts, the highest score first.",
            "Take the softmax over all experts, pick the chosen ones with `np.take_along_axis`, "
            "and divide them by their sum.",
        ),
        setup="import numpy as np\nfrom course_utils.teaching import softmax",
        solution="""
def route(scores, used):
    experts = np.argsort(-scores)[:, :used]
    chosen = np.take_along_axis(softmax(scores), experts, axis=-1)
    return experts, chosen / chosen.sum(axis=-1, keepdims=True)
""",
        difficulty=4,
        importance=5,
        minutes=12,
    ),
    Exercise(
        id="05.effective_experts",
        title="How many equal experts is a load worth?",
        answer="effective_experts",
        check=_check_effective_experts,
        right="Two experts that share all the work are worth 2, however many stand idle.",
        hints=(
            "The entropy is minus the sum of load times its natural logarithm.",
            "Leave out experts with a load of 0 before taking the logarithm: `load[load > 0]`.",
        ),
        setup="import numpy as np",
        solution="""
def effective_experts(load):
    busy = load[load > 0]
    return np.exp(-np.sum(busy * np.log(busy)))
""",
        difficulty=3,
        importance=3,
        minutes=8,
    ),
    Exercise(
        id="05.mutual_information",
        title="How many bits does the expert tell about the kind?",
        answer="mutual_information",
        check=_check_mutual_information,
        right="It is 0 exactly when every row of the table has the same shares.",
        hints=(
            "Divide the table by its sum. The sums of its rows are p(kind), of its columns "
            "p(expert).",
            "`rows * columns`, with `keepdims=True` in both sums, is the table that there would be "
            "if kind and expert had nothing to do with each other.",
        ),
        setup="import numpy as np",
        solution="""
def mutual_information(counts):
    joint = counts / counts.sum()
    unrelated = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    seen = joint > 0
    return np.sum(joint[seen] * np.log2(joint[seen] / unrelated[seen]))
""",
        difficulty=4,
        importance=3,
        minutes=12,
    ),
    Exercise(
        id="05.touched",
        title="How many experts does a step of several tokens touch?",
        answer="touched",
        check=_check_touched,
        right="It rises quickly at first: already 16 tokens reach most of 128 experts.",
        hints=(
            "With which probability does one token *not* choose a given expert?",
            "All tokens miss it with that probability to the power of their number.",
            "The share that is hit is 1 minus that; multiply by the number of experts.",
        ),
        solution="""
def touched(experts, used, tokens):
    missed_by_one = 1 - used / experts
    return experts * (1 - missed_by_one**tokens)
""",
        difficulty=3,
        importance=4,
        minutes=8,
    ),
]
