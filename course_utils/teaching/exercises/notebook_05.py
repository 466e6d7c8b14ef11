"""Which exercises does notebook 05, mixture of experts against dense, ask?

This module is long because an exercise is kept whole: its check, hints, solution and questions.
"""

from __future__ import annotations

import numpy as np

from course_utils.teaching.exercises.compare import (
    compare_array,
    compare_choice,
    compare_number,
    first_mistake,
    known_mistake,
)
from course_utils.teaching.exercises.declaration import Exercise, Mistake, Option, Question


def _check_mixture_layer(answer) -> Mistake | None:
    for hidden, width, experts, used in ((2048, 768, 128, 8), (7168, 2048, 256, 8), (10, 3, 4, 1)):
        value = answer(hidden, width, experts, used)
        if not isinstance(value, tuple | list) or len(value) != 2:
            words = "Two numbers are asked for: all parameters, then those that a token uses."
            return Mistake("two-numbers", words)
        router, expert = hidden * experts, 3 * hidden * width
        case = f"For {experts} experts of width {width}, {used} of them used"
        for name, given, count in (
            ("all", value[0], router + experts * expert),
            ("used by a token", value[1], router + used * expert),
        ):
            off = compare_number(given, count, relative=1e-12)
            if off is None:
                continue
            if off.name not in ("no-number", "not-finite"):
                off = _off_in_mixture(float(given), count, router, experts, used) or off
            return off.where(f"{case} ({name})")
    return None


def _off_in_mixture(given, count, router, experts, used) -> Mistake | None:
    inside = count - router
    three = "An expert has three matrices: gate, up and down."
    known = (
        (inside, "no-router", "The router's matrix is missing; every token uses it whole."),
        (
            inside + router // experts * used,
            "part-of-router",
            "A token uses the whole router, since all experts get a score.",
        ),
        (router + inside * 2 / 3, "two-matrices", three),
        (router + inside / 3, "one-matrix", three),
    )
    return known_mistake(given, known, relative=1e-9)


def _check_touched(answer) -> Mistake | None:
    for experts, used, tokens in ((128, 8, 1), (128, 8, 4), (256, 8, 32), (8, 2, 3), (16, 16, 2)):
        value = answer(experts, used, tokens)
        wanted = experts * (1 - (1 - used / experts) ** tokens)
        off = compare_number(value, wanted, relative=1e-6)
        if off is None:
            continue
        known = (
            (
                min(experts, used * tokens),
                "no-overlap",
                "Two tokens may share an expert, which is then read only once.",
            ),
            (
                used * tokens,
                "no-overlap",
                "Two tokens may share an expert, and the count cannot exceed the number of "
                "experts.",
            ),
            (
                wanted / experts,
                "share",
                "That is the share of the experts. The question asks for their number.",
            ),
            (experts - wanted, "untouched", "That is how many are *not* touched."),
            (
                experts * (1 - (1 - 1 / experts) ** tokens),
                "one-expert",
                "This is right for tokens that choose one expert each. Here each chooses several.",
            ),
        )
        off = known_mistake(value, known) or off
        return off.where(f"For {tokens} tokens, each with {used} of {experts} experts")
    return None


def _check_route(answer) -> Mistake | None:
    scores = np.array([[0.0, 2.0, 1.0, -1.0], [3.0, 0.5, 0.0, 1.5], [-2.0, -1.0, -4.0, -3.0]])
    for used in (2, 1, 3):
        values = answer(scores.copy(), used)
        if not isinstance(values, tuple | list) or len(values) != 2:
            words = "Return two things: the experts' numbers, then their weights."
            return Mistake("two-parts", words)
        experts = np.argsort(-scores, axis=-1)[:, :used]
        probabilities = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
        chosen = np.take_along_axis(probabilities, experts, axis=-1)
        off = _off_in_experts(values[0], experts)
        if off:
            return off
        off = compare_array(values[1], chosen / chosen.sum(-1, keepdims=True))
        if off is None:
            continue
        known = (
            (
                chosen,
                "not-scaled",
                "These are the probabilities; the weights of the chosen ones should sum to 1.",
            ),
            (
                np.take_along_axis(scores, experts, axis=-1),
                "no-softmax",
                "These are the scores. First comes their softmax.",
            ),
        )
        case = f"The weights, with {used} experts for each token"
        return known_mistake(values[1], known, compare_array) or off.where(case)
    return None


def _off_in_experts(given, experts) -> Mistake | None:
    off = compare_array(given, experts)
    if off is None or off.name in ("no-array", "shape", "not-finite"):
        return off and off.where("The experts' numbers")
    given = np.asarray(given, dtype=float)
    signs = (
        (
            (given == experts[:, ::-1]).all(),
            "reversed",
            "These are the right experts, but the likeliest should come first.",
        ),
        (
            (np.sort(given) == np.sort(experts)).all(),
            "order",
            "These are the right experts, but not the likeliest first.",
        ),
    )
    other = Mistake("other-experts", "Other experts have the highest scores.")
    return first_mistake(signs) or other


def _check_effective_experts(answer) -> Mistake | None:
    for load in ([0.25] * 4, [0.5, 0.3, 0.15, 0.05], [0.5, 0.5, 0.0, 0.0], [1.0, 0.0]):
        load = np.array(load)
        seen = load[load > 0]
        entropy = -(seen * np.log(seen)).sum()
        value = answer(load.copy())
        off = compare_number(value, np.exp(entropy), relative=1e-6)
        if off is None:
            continue
        if off.name == "not-finite":
            words = "An expert without work makes this undefined: 0 log 0 should count as 0."
            off = Mistake("zero-load", words)
        known = (
            (
                entropy or np.nan,  # where it is 0, so is much else
                "entropy",
                "This is the entropy. Take its exponential.",
            ),
            (
                np.exp(entropy / np.log(2)),
                "bits",
                "The entropy is in bits here; the exponential needs it in nats (np.log).",
            ),
            (
                np.exp(-entropy),
                "sign",
                "A sign is the wrong way round: the entropy is never negative.",
            ),
            (
                len(seen),
                "counted",
                "That counts all experts that work at all. One with little load counts little.",
            ),
            (
                1 / (load**2).sum(),
                "other-measure",
                "That is another measure, one over the sum of squares. Use the entropy here.",
            ),
        )
        return (known_mistake(value, known) or off).where(f"For the load {load.tolist()}")
    return None


def _check_mutual_information(answer) -> Mistake | None:
    for counts in ([[10, 0], [0, 10]], [[4, 4], [6, 6]], [[8, 1, 1], [2, 5, 3]]):
        counts = np.array(counts, dtype=float)
        joint = counts / counts.sum()
        apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
        seen = joint > 0
        bits = (joint[seen] * np.log2(joint[seen] / apart[seen])).sum()
        entropy = -(joint[seen] * np.log2(joint[seen])).sum()
        value = answer(counts.copy())
        off = compare_number(value, bits, relative=1e-6, absolute=1e-6)
        if off is None:
            continue
        if off.name == "not-finite":
            off = Mistake("empty-cell", "An empty cell makes this undefined. It should count as 0.")
        known = (
            (bits * np.log(2), "nats", "This is in nats. For bits, take np.log2."),
            (bits * counts.sum(), "counts", "First turn the counts into shares of all choices."),
            (
                entropy,
                "entropy",
                "That is the entropy of the cells. Compare each with rows times columns.",
            ),
        )
        off = known_mistake(value, known) or off
        return off.where(f"For the counts {counts.astype(int).tolist()}")
    return None


def _check_needed(answer) -> Mistake | None:
    return compare_choice(
        answer,
        "the loss on digits without it",
        {
            "its share of the digits": Mistake(
                "share",
                "That shows that it is busy with digits. Another expert might do as well: what "
                "happens if it has to?",
            ),
            "bits that the expert tells about the kind": Mistake(
                "bits",
                "They show that the router tells kinds apart, not that anything depends on it.",
            ),
            "its load": Mistake(
                "load", "A busy expert can be easy to replace, and an idle one can be needed."
            ),
        },
    )


EXERCISES = [
    Exercise(
        id="05.mixture_layer",
        title="Count the feed-forward part of one mixture layer",
        answer="mixture_layer",
        check=_check_mixture_layer,
        right="Memory pays for all of them, arithmetic and bandwidth only for those in use.",
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
        right="Each token now uses 2 of 8 experts, while memory holds all 8.",
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
        title="How many bits does the expert tell you about the kind?",
        answer="mutual_information",
        check=_check_mutual_information,
        right="It is 0 exactly when every row of the table has the same shares.",
        hints=(
            "Divide the table by its sum. The sums of its rows are p(kind), and those of its "
            "columns are p(expert).",
            "`rows * columns`, with `keepdims=True` in both sums, is the table you would get if "
            "kind and expert had nothing to do with each other.",
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
        id="05.needed",
        title="Which measurement shows that digits need an expert?",
        answer="shows_need",
        check=_check_needed,
        right="Take it away and look: only that separates busy from needed.",
        hints=(
            "Three of the four describe what happens while the expert is there.",
            "In notebook 02 you asked the same question about attention heads. What did you do to "
            "them?",
        ),
        solution='shows_need = "the loss on digits without it"',
        difficulty=1,
        importance=4,
        minutes=2,
    ),
    Exercise(
        id="05.touched",
        title="How many experts does a step of several tokens touch?",
        answer="touched",
        check=_check_touched,
        right="It rises quickly at first: already 16 tokens reach most of 128 experts.",
        hints=(
            "With what probability does one token *not* choose a given expert?",
            "All tokens miss it with that probability, raised to the power of `tokens`.",
            "The share that is hit is 1 minus that. Multiply it by the number of experts.",
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

QUESTIONS = [
    Question(
        id="05.active",
        asks="A mixture has 30 billion parameters, of which 3 billion are active. Which of these "
        "is only about a tenth as large as in a dense model of 30 billion?",
        options=(
            Option(
                "The memory that it takes.",
                "All experts have to be there, since nobody knows which ones the next token will "
                "need.",
            ),
            Option(
                "The bytes that are read for one token.",
                "Only the chosen experts are read, and reading sets the speed of writing.",
            ),
            Option(
                "The KV cache.",
                "The cache belongs to attention, and experts replace the feed-forward part.",
            ),
        ),
        right=2,
    ),
    Question(
        id="05.latent",
        asks="What does multi-head latent attention trade?",
        options=(
            Option(
                "Less cache for more arithmetic.",
                "A short vector is kept for each token, and every head works on it.",
            ),
            Option(
                "Fewer parameters for a larger cache.",
                "It is the other way round: the cache shrinks, and extra matrices are needed.",
            ),
            Option(
                "Quality for speed.",
                "After a long text it computes more for each token. It saves memory.",
            ),
        ),
        right=1,
    ),
    Question(
        id="05.budget",
        asks="With 8 TFLOP each the mixture is far ahead. With 19, the dense model draws level "
        "with the mixture's 8. What follows?",
        options=(
            Option(
                "One of the two measurements is wrong.",
                "Both can be right: a model may be quicker to reach a level that all get to in "
                "the end.",
            ),
            Option(
                "The mixture gets there sooner. Whether it gets further is open.",
                "So a comparison has to name its budget, and better still show two.",
            ),
            Option(
                "Mixtures are better at every size.",
                "Six kinds of small model on easy documents cannot show that.",
            ),
        ),
        right=2,
    ),
    Question(
        id="05.crowd",
        asks="More and more people ask one accelerator at once, each after 2,000 tokens of text. "
        "Judging by reading, arithmetic and cache, what happens to the mixture's lead in speed?",
        options=(
            Option(
                "It shrinks to nothing, and the dense model pulls ahead.",
                "The lead falls with a few dozen people, but the mixture computes and caches less.",
            ),
            Option(
                "It stays as it is.",
                "A step reads every expert that anyone needs, so a crowd reads nearly all of them.",
            ),
            Option(
                "It shrinks to below two, then recovers a little.",
                "First more and more experts are read. Then the KV caches count most. They are "
                "not shared, and QwQ-32B's is 2.7 times as large.",
            ),
        ),
        right=3,
    ),
]
