"""Which exercises does notebook 06, running QwQ-32B on a CPU, ask?"""

from __future__ import annotations

from course_utils.teaching.exercises.compare import compare_number
from course_utils.teaching.exercises.declaration import Exercise
from course_utils.units import GIB


def _check_longest_context(answer) -> str | None:
    for free, weights, per_token in ((21 * GIB, 19_851_336_512, 262_144), (1000, 100, 7)):
        exact = (free - weights) / per_token
        value = answer(free, weights, per_token)
        off = compare_number(value, int(exact))
        if off and compare_number(value, free // per_token) is None:
            return "The weights take memory too. How much is left beside them?"
        if off and compare_number(value, exact, relative=1e-9) is None:
            return "Nearly: half a token cannot be kept. Round down to a whole number."
        if off:
            return f"For {free:,} bytes free and {weights:,} bytes of weights: {off}"
    if (value := answer(10, 100, 7)) < 0:
        return f"Where the weights alone do not fit, no token does; you give {value}."
    return compare_number(value, 0)


def _check_weight(answer) -> str | None:
    for d, dmin, scale, minimum, quant in (
        (0.001, 0.002, 40, 12, 9),
        (0.5, 0.25, 63, 0, 15),
        (0.125, 0.5, 1, 63, 0),
    ):
        value = answer(d, dmin, scale, minimum, quant)
        if compare_number(value, d * scale * quant - dmin * minimum) is None:
            continue
        if compare_number(value, d * scale * quant + dmin * minimum) is None:
            return "The minimum is subtracted, not added."
        if compare_number(value, d * (scale * quant - minimum)) is None:
            return "The minima have a step of their own: `dmin`."
        if compare_number(value, d * scale * quant) is None:
            return "Without the minimum, no weight of the block could be negative."
        return compare_number(value, d * scale * quant - dmin * minimum)
    return None


def _check_ratio(answer) -> str | None:
    for dense, mixture in ((19.4e9, 2.0e9), (7.0e9, 3.5e9)):
        off = compare_number(answer(dense, mixture), dense / mixture, relative=1e-6)
        if off:
            return f"For {dense / 1e9:g} and {mixture / 1e9:g} GB per token: {off}"
    return None


def _check_kernels(answer) -> str | None:
    weights, own, copy = 18.5, 2.2, 13.9
    for kernels, repacked, wanted in (
        (1, False, weights + own),
        (1, True, weights + own + copy),
        (3, False, weights + 3 * own),
        (3, True, weights + 3 * (own + copy)),
    ):
        value = answer(kernels, weights, own, copy if repacked else 0.0)
        if compare_number(value, wanted) is None:
            continue
        case = f"{kernels} kernel{'s' if kernels > 1 else ''}, {'a' if repacked else 'no'} copy"
        every = kernels * (weights + own + (copy if repacked else 0))
        if kernels > 1 and compare_number(value, every) is None:
            return f"For {case}: the mapped file is in memory once, however many kernels read it."
        if (
            repacked
            and kernels > 1
            and compare_number(value, weights + copy + kernels * own) is None
        ):
            return f"For {case}: the copy is private, so each kernel has one."
        return f"For {case}: {compare_number(value, wanted)}"
    return None


EXERCISES = [
    Exercise(
        id="06.longest_context",
        title="How many tokens of context fit beside the weights?",
        answer="longest_context",
        check=_check_longest_context,
        right="On a full machine the context, not the model, is what you can still choose.",
        hints=(
            "What is left of the free memory once the weights lie in it?",
            "Divide what is left by the bytes per token, and round down: `//` does both.",
            "If the weights are larger than the memory, the answer is 0: `max(0, ...)`.",
        ),
        solution="""
def longest_context(free_bytes, weight_bytes, cache_bytes_per_token):
    return max(0, (free_bytes - weight_bytes) // cache_bytes_per_token)
""",
        difficulty=2,
        importance=5,
        minutes=6,
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
        solution="""
def weight(d, dmin, scale, minimum, quant):
    return d * scale * quant - dmin * minimum
""",
        difficulty=2,
        importance=4,
        minutes=6,
    ),
    Exercise(
        id="06.mixture",
        title="How many times faster may a mixture of experts decode?",
        answer="highest_ratio",
        check=_check_ratio,
        right="What was measured stays below it: small experts keep the memory less busy.",
        hints=(
            "Decoding is bound by memory, so the speed is bandwidth divided by bytes per token.",
            "Write both speeds as fractions; the bandwidth cancels.",
        ),
        solution="""
def highest_ratio(dense_bytes_per_token, mixture_bytes_per_token):
    return dense_bytes_per_token / mixture_bytes_per_token
""",
        difficulty=1,
        importance=4,
        minutes=3,
    ),
    Exercise(
        id="06.kernels",
        title="How much memory do several notebooks with the same model take?",
        answer="memory_of",
        check=_check_kernels,
        right="So on a shared server one engine without the copy, or one server for all, is best.",
        hints=(
            "The weights are mapped from the file: all kernels look at the same memory.",
            "What each kernel has for itself: KV cache, buffers and program, and the copy.",
        ),
        solution="""
def memory_of(kernels, weights, own, copy):
    return weights + kernels * (own + copy)
""",
        difficulty=2,
        importance=3,
        minutes=5,
    ),
]
