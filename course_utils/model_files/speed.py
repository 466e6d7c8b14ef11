"""How many bytes of weights does decoding work through in a second, in memory and on a card?

To write one token, every weight at work is read once.  So memory cannot feed more than its
bandwidth allows, and the cores unpack what was read; the slower of the two decides.

A step of several tokens reads the weights once as well, and unpacks them for each token again.  A
long text before it has to be attended to, and a prompt to be read: both are arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from course_utils.model_files.architectures import Architecture

DENSE_UNPACKED_PER_CORE = 25e9
MIXTURE_UNPACKED_PER_CORE = 18.5e9
"""Bytes of 4-bit weights per second that one core unpacks, if memory did not hold it up. A
mixture's are fewer: its experts are small, and between them the threads wait for each other.
With these two numbers the speeds of both stand-ins on three machines, whose memory reads from 10 to
46 GB/s, are met within a tenth (``tests/test_model_files_speed.py``).  Another processor has
another rate; a rehearsal measures it (``Machine.unpacking_bytes_per_second``)."""


def unpacking_rate(cores: int, *, mixture: bool, unpacking: float | None = None) -> float:
    """Bytes of weights that so many cores unpack in a second.

    ``unpacking``: what all of them unpack of a dense model, if it was measured; otherwise that of
    other machines' cores.
    """
    if unpacking is None:
        unpacking = DENSE_UNPACKED_PER_CORE * cores
    if mixture:
        unpacking *= MIXTURE_UNPACKED_PER_CORE / DENSE_UNPACKED_PER_CORE
    return unpacking


def decoding_bytes_per_second(
    bandwidth: float, cores: int, *, mixture: bool, unpacking: float | None = None
) -> float:
    """How many bytes of weights per second decoding is expected to work through.

    Fetching and unpacking overlap in part.  If they overlapped wholly, the slower one would decide;
    if not at all, their times would add up.  The root of the sum of the squares lies between the
    two, and is near the slower one where one is much slower.

    ``bandwidth``: what all cores together read from memory, in bytes per second.  For the rest see
    ``unpacking_rate``.
    """
    unpacking = unpacking_rate(cores, mixture=mixture, unpacking=unpacking)
    return (bandwidth**-2 + unpacking**-2) ** -0.5


def unpacking_bytes_per_second(decoded: float, bandwidth: float) -> float:
    """What the cores unpack, from what they ``decoded`` where memory reads at ``bandwidth``.

    The formula above, solved for it.  Where decoding kept up with the memory, unpacking is not
    what limits it, and counts as ten times as fast.
    """
    remaining = decoded**-2 - bandwidth**-2
    fastest = 10 * bandwidth
    return fastest if remaining <= fastest**-2 else remaining**-0.5


CARD_SHARE_OF_BANDWIDTH = 0.7
"""How much of a graphics card's published bandwidth decoding is taken to reach: an assumption, as
with main memory, and not measured by this course."""


def card_seconds(on_card: float, bytes_per_second: float) -> float:
    """How long the layers on a card take, which work before or after those in memory.

    They read ``on_card`` bytes at a share of the card's bandwidth, ``bytes_per_second``.
    """
    return on_card / (CARD_SHARE_OF_BANDWIDTH * bytes_per_second)


DENSE_STEP_WORK = {1: 1.0, 2: 2.1, 4: 3.0, 8: 5.5, 16: 6.8, 32: 12.6}
MIXTURE_STEP_WORK = {1: 1.0, 2: 2.0, 4: 3.9, 8: 7.2, 16: 11.7, 32: 21.7}
"""How many times the unpacking of one token a step of so many tokens takes, on two cores
(``models/batching.csv``). llama.cpp's products are made for one token or for many: two cost more
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


ATTENTION_FLOPS_PER_CORE = {"f32": 8e9, "f16": 8e9, "q8_0": 5e9, "q4_0": 4e9}
"""Operations per second by which one core attends to cached tokens, by the type of the cache, with
flash attention: assumed, and measured by ``long-texts`` of the benchmarks."""

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


def seconds_to_attend(
    architecture: Architecture, context: float, *, cores: int, kv_type: str
) -> float:
    """How long one token's attention to so many cached tokens takes."""
    rate = cores * ATTENTION_FLOPS_PER_CORE[kv_type.lower()]
    return attention_flops(architecture, context) / rate


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
