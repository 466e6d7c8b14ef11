"""Which exercises and questions does notebook 06, running QwQ-32B on a CPU, ask?"""

from __future__ import annotations

import math

from course_utils.teaching.exercises.compare import compare_number, first_mistake, known_mistake
from course_utils.teaching.exercises.declaration import Exercise, Mistake, Option, Question
from course_utils.teaching.exercises.speculation import DRAFT_EXERCISES
from course_utils.units import GIB


def _check_longest_context(answer) -> Mistake | None:
    for free, weights, per_token in (
        (1000, 100, 7),
        (21 * GIB, 19_851_336_512, 262_144),
        (800, 100, 7),
        (106, 100, 7),
    ):
        exact = (free - weights) / per_token
        value = answer(free, weights, per_token)
        off = compare_number(value, math.floor(exact), relative=1e-9)
        if off is None:
            continue
        if off.name in ("no-number", "not-finite"):
            return off
        mistake = _longest_context_mistake(value, free, weights, per_token) or off
        return mistake.where(f"For {free:,} bytes free, {weights:,} of them for weights")
    for free, weights in ((10, 100), (100, 100)):
        value = answer(free, weights, 7)
        off = compare_number(value, 0)
        if off:
            return Mistake(
                "weights-alone-too-large",
                "Where the weights alone fill the memory or more, no token fits; you give "
                f"{value} for {free} bytes free and {weights} bytes of weights.",
            )
    return None


def _longest_context_mistake(value, free: int, weights: int, per_token: int) -> Mistake | None:
    """A mistake that has a name, if it is one."""
    exact = (free - weights) / per_token
    known = (
        (
            exact,
            "not-whole",
            "Nearly right, but half a token cannot be kept. Round down to a whole number.",
        ),
        (
            free // per_token,
            "weights-forgotten",
            "The weights take memory too. How much is left beside them?",
        ),
        (
            free // per_token - weights // per_token,
            "rounded-too-early",
            "You rounded twice. Subtract the bytes first, and round once at the end.",
        ),
        (
            math.ceil(exact),
            "rounded-up",
            "The last of these tokens no longer fits. Round down.",
        ),
        (
            (free + weights) // per_token,
            "weights-added",
            "You add the weights to the free memory, but they take it away.",
        ),
        (
            free - weights,
            "bytes",
            "These are the bytes that are left. How many tokens do they hold?",
        ),
        (
            (free - weights) * per_token,
            "multiplied",
            "Each token takes that many bytes. Do you multiply by them, or divide?",
        ),
    )
    return known_mistake(value, known, relative=1e-9)


_RUNS = (
    "QwQ-32B writes, 32 cores, memory at 90 GB/s",
    "QwQ-32B reads a prompt of 4,000 tokens, 2 cores",
    "QwQ-32B writes for 64 people in each step, 2 cores",
)


def _check_limits(answer) -> Mistake | None:
    if isinstance(answer, dict) and set(answer) == set(_RUNS):
        given = [answer[run] for run in _RUNS]
    elif isinstance(answer, list | tuple) and len(answer) == len(_RUNS):
        given = list(answer)
    else:
        return Mistake("three-answers", "Keep the three runs, and give one word for each.")
    words = [word.strip().casefold() if isinstance(word, str) else word for word in given]
    for word in words:
        if word not in ("memory", "arithmetic"):
            return Mistake("no-option", f'{word!r}: choose from "memory" and "arithmetic".')
    signs = (
        (
            words == ["arithmetic", "memory", "memory"],
            "swapped",
            "All three are the other way round.",
        ),
        (
            words[0] != "memory",
            "writing",
            "In the first run, 32 cores share the unpacking, and each token still needs all 19.4 "
            "GB once. What do the cores wait for?",
        ),
        (
            words[1] != "arithmetic",
            "reading",
            "In the second run, weights that were fetched once serve many tokens. What is left to "
            "do for each of them?",
        ),
        (
            words[2] != "arithmetic",
            "many-people",
            "In the third run, weights that were fetched once serve 64 people. What is left to do "
            "for each of them?",
        ),
    )
    return first_mistake(signs)


def _check_weight(answer) -> Mistake | None:
    for d, dmin, scale, minimum, quant in (
        (0.001, 0.002, 40, 12, 9),
        (0.5, 0.25, 63, 0, 15),
        (0.125, 0.5, 1, 63, 0),
    ):
        wanted = d * scale * quant - dmin * minimum
        value = answer(d, dmin, scale, minimum, quant)
        off = compare_number(value, wanted, relative=1e-6)
        if off is None:
            continue
        known = (
            (max(0.0, wanted), "never-negative", "A weight may be negative, and here it is."),
            (
                d * scale * quant + dmin * minimum,
                "minimum-added",
                "The minimum is subtracted, not added.",
            ),
            (
                d * (scale * quant - minimum),
                "one-step-for-both",
                "The minima have a step of their own: `dmin`.",
            ),
            (
                dmin * (scale * quant - minimum),
                "one-step-for-both",
                "The scales have a step of their own: `d`.",
            ),
            (
                dmin * scale * quant - d * minimum,
                "steps-swapped",
                "`d` is the step of the scales, and `dmin` that of the minima.",
            ),
            (
                d * scale * quant,
                "no-minimum",
                "Without the minimum, no weight of the block could be negative.",
            ),
            (
                d * scale * (quant - minimum),
                "minimum-in-quants",
                "The minimum does not count quants: multiplied by `dmin`, it is a weight itself.",
            ),
            (
                d * scale * quant - minimum,
                "minimum-without-step",
                "The minimum is still a whole number. Which step turns it into a weight?",
            ),
            (
                scale * quant - dmin * minimum,
                "scale-without-step",
                "The scale is still a whole number. What is its step?",
            ),
            (
                d * scale * (quant - 8) - dmin * minimum,
                "moved-twice",
                "The quants begin at 0 here; it is the minimum that moves them.",
            ),
        )
        case = f"For a scale of {scale}, a minimum of {minimum} and a quant of {quant}"
        return known_mistake(value, known, relative=1e-6) or off.where(case)
    return None


EXERCISES = [
    Exercise(
        id="06.longest_context",
        title="How many tokens of context fit beside the weights?",
        answer="longest_context",
        check=_check_longest_context,
        right="On a full machine the context, not the model, is what you can still choose.",
        hints=(
            "What is left of the free memory once the weights are in it?",
            "Divide what is left by the bytes per token, and round down: `//` does both.",
            "If the weights are larger than the memory, the answer is 0: `max(0, ...)`.",
        ),
        setup="import numpy as np",
        solution="""
def longest_context(free_bytes, weight_bytes, cache_bytes_per_token):
    return max(0, (free_bytes - weight_bytes) // cache_bytes_per_token)
""",
        difficulty=2,
        importance=5,
        minutes=6,
    ),
    Exercise(
        id="06.limits",
        title="Memory or arithmetic: what limits each of three runs?",
        answer="limits",
        check=_check_limits,
        right="Writing for one person fetches every weight for a single token. Where many tokens "
        "share what was fetched, the arithmetic remains.",
        hints=(
            "For each run, ask: how many tokens are computed with the weights once they have been "
            "fetched?",
            "Then ask: does the memory have to deliver the weights again for each token?",
            "With 64 people, 64 tokens share one step, as the tokens of a prompt do.",
        ),
        solution="""
limits = {
    "QwQ-32B writes, 32 cores, memory at 90 GB/s": "memory",
    "QwQ-32B reads a prompt of 4,000 tokens, 2 cores": "arithmetic",
    "QwQ-32B writes for 64 people in each step, 2 cores": "arithmetic",
}
""",
        difficulty=2,
        importance=5,
        minutes=4,
    ),
    Exercise(
        id="06.weight",
        title="Turn one stored number of a Q4_K block back into a weight",
        answer="weight",
        check=_check_weight,
        right="Sixteen steps of one size, moved so that they cover this group's range.",
        hints=(
            "`d` is the step of the scales, so the group's scale is `d * scale`.",
            "`dmin` is the step of the minima, so the group's minimum is `dmin * minimum`.",
            "A quant of 0 must give the smallest weight of the group: minus its minimum.",
        ),
        setup="import numpy as np",
        solution="""
def weight(d, dmin, scale, minimum, quant):
    return d * scale * quant - dmin * minimum
""",
        difficulty=2,
        importance=4,
        minutes=6,
    ),
    *DRAFT_EXERCISES,
]

QUESTIONS = [
    Question(
        id="06.cores",
        asks="QwQ-32B writes at 1.9 tokens per second on 16 cores, and memory would allow 2.0. "
        "You add 16 cores to the same memory. What do you get?",
        options=(
            Option(
                "About 3.8 tokens per second.",
                "The cores are already waiting for the weights. Twice as many of them would only "
                "mean twice as many waiting.",
            ),
            Option(
                "About 2 tokens per second.",
                "Memory delivers 19.4 GB for each token, no faster than before. That is the "
                "roofline.",
            ),
            Option(
                "Fewer, since cores always get in each other's way.",
                "Too many threads can cost a little. But it is the memory that sets this limit.",
            ),
        ),
        right=2,
    ),
    Question(
        id="06.prompt",
        asks="Why does a model read a prompt several times as fast, per token, as it writes?",
        options=(
            Option(
                "It skips the words that matter little.",
                "Every token of a prompt passes through every layer, like every written one.",
            ),
            Option(
                "A prompt's tokens need fewer weights.",
                "They need the same weights. How often are these fetched?",
            ),
            Option(
                "Weights that are fetched once serve many tokens.",
                "All tokens of a prompt are known, so they go through the layers together, and "
                "computing many at once is faster. A reply's next token depends on the one before.",
            ),
        ),
        right=3,
    ),
    Question(
        id="06.draft",
        asks="QwQ-32B gets a draft model that gets about every other token wrong. What changes in "
        "its replies?",
        options=(
            Option(
                "They get worse, since half of the proposals are wrong.",
                "Wrong proposals are thrown away: QwQ checks every one of them.",
            ),
            Option(
                "How fast they come, and nothing else.",
                "What is kept or drawn anew follows QwQ's own distribution exactly. Whether it is "
                "faster or slower depends on the price of a step.",
            ),
            Option(
                "They get shorter, since several tokens are written at once.",
                "The reply has as many tokens as without a draft. Only the steps are fewer.",
            ),
        ),
        right=2,
    ),
    Question(
        id="06.zeros",
        asks="Why does a file of zeros tell you how fast QwQ-32B will write on your machine?",
        options=(
            Option(
                "Zeros are skipped, so it shows the highest possible speed.",
                "llama.cpp skips nothing: each zero is fetched, unpacked and multiplied.",
            ),
            Option(
                "The time depends on how many weights there are and how they are stored.",
                "Their values change the text and, as far as we know, not the time that it takes. "
                "A run beside the real file, for comparison, is still missing.",
            ),
            Option(
                "The zeros are replaced by QwQ's weights as they are needed.",
                "No weight of QwQ is on the machine. That is the point: nothing was downloaded.",
            ),
        ),
        right=2,
    ),
]
