"""How many bytes of weights does decoding work through in a second, in memory and on a card?

To write one token, every weight at work is read once.  Three things take time:

- **fetching** the weights from memory, at most at its bandwidth;
- **unpacking** them on the cores, from 4 bits and a scale to numbers that can be multiplied;
- **waiting**: a mixture's experts are small, and between them the threads wait for each other.

Fetching and unpacking overlap in part.  A rehearsal measures all of these on the machine at hand
(``course_utils.engines.decoding_rates``); without one, the plan takes the values below.

A step of several tokens fetches the weights once as well, and unpacks them for each token again.  A
long text before it has to be attended to, and a prompt to be read: both are arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

from course_utils.model_files.architectures import Architecture

UNPACKED_PER_CORE = 25e9
"""Bytes of 4-bit weights per second that one core is taken to unpack.

Fitted, with ``SECONDS_PER_EXPERT_LAYER``, to the rows of ``models/decoding_speeds.csv`` that were
measured on AMD EPYC processors, and tested on the same rows: with any one machine left out of the
fit, the others still foresee it within 15 % (``tests/test_model_files_speed.py``)."""

UNPACKED_PER_CORE_BY_MAKER = {"intel": 9.5e9}
"""The same for makers of processors that differ, by a word of the processor's name.

Fitted to the rows of one Intel Xeon in ``models/decoding_speeds.csv``, each of which it foresees
within 15 %; no second machine of Intel's has been measured.  ``measured_machine`` of
``course_utils.engines.decoding_rates`` measures the machine at hand instead."""

SECONDS_PER_EXPERT_LAYER = 0.16e-3
"""How long the threads wait for each other in one layer of a mixture, for each token."""

OVERLAP = 2.0
"""How far fetching and unpacking overlap, as an exponent: 1 is one after the other, and the larger
it is, the nearer the slower of the two alone decides.  At 2, the times add up like the short sides
of a right-angled triangle."""

LEAST_OVERLAP, MOST_OVERLAP = 0.5, 32.0


def steadied_overlap(measured: float | None) -> float:
    """The overlap to plan with: the geometric mean of what was measured and what is usual.

    A measurement takes a fraction of a second and wavers: 1.3 to 2.5 within minutes on an idle
    machine (``models/long_texts.csv``).  Plans with the mean came nearer to those rows than plans
    with either alone.
    """
    return OVERLAP if measured is None else math.sqrt(OVERLAP * measured)


def unpacked_per_core(cpu_name: str) -> float:
    """Bytes of 4-bit weights per second that one core of this processor is taken to unpack."""
    name = cpu_name.lower()
    rates = (rate for maker, rate in UNPACKED_PER_CORE_BY_MAKER.items() if maker in name)
    return next(rates, UNPACKED_PER_CORE)


def decoding_bytes_per_second(
    bandwidth: float, cores: int, *, unpacking: float | None = None, overlap: float | None = None
) -> float:
    """How many bytes of weights per second decoding is expected to fetch and unpack.

    ``bandwidth``: what all cores together read from memory.  ``unpacking``: what they unpack, if it
    was measured; otherwise what ``cores`` are taken to.  Both in bytes per second.
    """
    unpacking = unpacking or UNPACKED_PER_CORE * cores
    return 1 / overlapping(1 / bandwidth, 1 / unpacking, overlap)


def overlapping(fetching: float, unpacking: float, overlap: float | None = None) -> float:
    """How long two kinds of work take that need so many seconds each and overlap in part."""
    exponent = overlap or OVERLAP
    # Shares of the longer one, so that no power of them is too small for a float.
    longer, shorter = max(fetching, unpacking), min(fetching, unpacking)
    if longer == 0:
        return 0.0
    return longer * (1 + (shorter / longer) ** exponent) ** (1 / exponent)


def measured_overlap(decoded: float, bandwidth: float, unpacking: float) -> float:
    """How far fetching and unpacking overlapped where ``decoded`` bytes per second were decoded.

    The exponent at which ``decoding_bytes_per_second`` gives ``decoded``, found by halving; the
    nearest one allowed if none does.
    """
    low, high = LEAST_OVERLAP, MOST_OVERLAP
    for _ in range(50):
        middle = (low + high) / 2
        found = decoding_bytes_per_second(bandwidth, 1, unpacking=unpacking, overlap=middle)
        low, high = (middle, high) if found < decoded else (low, middle)
    return (low + high) / 2


CARD_SHARE_OF_BANDWIDTH = 0.7
"""How much of a graphics card's published bandwidth decoding is taken to reach: an assumption, not
measured by this course.  What others measured on Apple's processors lies between 0.53 and 0.80 of
theirs (``models/speeds_elsewhere.csv``)."""


def card_seconds(on_card: float, bytes_per_second: float) -> float:
    """How long the layers on a card take, which work before or after those in memory.

    They read ``on_card`` bytes at a share of the card's bandwidth, ``bytes_per_second``.
    """
    return on_card / (CARD_SHARE_OF_BANDWIDTH * bytes_per_second)


DENSE_STEP_WORK = {1: 1.0, 2: 2.1, 4: 3.0, 8: 5.8, 16: 6.8, 32: 12.6}
MIXTURE_STEP_WORK = {1: 1.0, 2: 2.0, 4: 3.9, 8: 7.2, 16: 11.7, 32: 21.7}
"""How many times the unpacking of one token a step of so many tokens takes, on two cores of
AMD's (``models/batching.csv``); of eight tokens between these and two of Intel's
(``models/step_price.csv``).  llama.cpp's products are made for one token or for many: two cost more
than twice one, and the gain comes late. A mixture's tokens go to different experts, so that each
expert still has one or two at a time."""


def step_work(tokens: float, *, mixture: bool) -> float:
    """The arithmetic of a step of so many tokens, in multiples of that of one token."""
    table = MIXTURE_STEP_WORK if mixture else DENSE_STEP_WORK
    return _between(table, tokens)


def _between(table: Mapping[int, float], place: float) -> float:
    """The table's value at this place, on a straight line between neighbours and beyond the end."""
    pairs = list(pairwise(sorted(table)))
    left, right = next((pair for pair in pairs if place <= pair[1]), pairs[-1])
    share = (place - left) / (right - left)
    return table[left] + share * (table[right] - table[left])


WALKED_PER_CORE = {"f32": 1.3e10, "f16": 1.3e10, "q8_0": 1.7e10, "q4_0": 1.4e10}
"""Numbers of the KV cache that one core passes in a second while it attends, by the cache's type.

For each query head, llama.cpp's flash attention walks through its layer's cache token by token, and
a token's row holds the keys and values of all heads.  So the time grows with heads x row.  That
holds for QwQ-32B and Qwen3-30B-A3B alike; operations per second differ twofold between the two.
QwQ's medians in ``models/long_texts.csv`` (one Intel Xeon; "f32" is taken to be like "f16"), which
``long-texts`` of the benchmarks prints anew."""

DENSE_READING_FLOPS_PER_CORE = 1.8e11
MIXTURE_READING_FLOPS_PER_CORE = 4.8e10
"""Operations per second by which one core reads a prompt, many tokens to a step, with 4-bit
weights. An expert of a mixture sees few tokens of a step, which is less efficient. Two machines, a
processor of AMD's and one of Intel's, were 1.7 times above and below these rates (``full-size`` of
the benchmarks), so a plan tells the order of a prompt's time; a rehearsal measures it."""

READING_ATTENTION_FLOPS_PER_CORE = 4e10
"""The same for attention, which is done for many tokens at a time as well."""


def attention_flops(architecture: Architecture, context: float) -> float:
    """Operations of one token's attention to so many cached tokens, in all layers."""
    return architecture.layers * architecture.attention.flops_per_cached_token * context


def walked_numbers(architecture: Architecture, context: float) -> float:
    """Numbers of the cache that one token's attention passes, in all layers and heads."""
    attention = architecture.attention
    row = attention.cached_keys + attention.cached_values
    return architecture.layers * attention.heads * row * context


def seconds_to_attend(
    architecture: Architecture, context: float, *, cores: int, kv_type: str
) -> float:
    """How long one token's attention to so many cached tokens takes."""
    return walked_numbers(architecture, context) / (cores * WALKED_PER_CORE[kv_type.lower()])


def seconds_to_read(architecture: Architecture, tokens: int, *, cores: int) -> float:
    """How long reading a prompt of so many tokens takes, from an empty cache.

    Every token passes through all layers and attends to those before it, on average half of the
    prompt; the output matrix works once.
    """
    output = 2 * architecture.vocabulary * architecture.hidden
    layers = architecture.flops_per_token() - output
    mixture = architecture.experts is not None
    rate = MIXTURE_READING_FLOPS_PER_CORE if mixture else DENSE_READING_FLOPS_PER_CORE
    attending = tokens * attention_flops(architecture, tokens / 2)
    seconds = (tokens * layers + output) / rate + attending / READING_ATTENTION_FLOPS_PER_CORE
    return seconds / cores
