"""How many bytes of weights does decoding work through in a second, in memory and on a card?

To write one token, every weight at work is read once.  Three things take time:

- **fetching** the weights from memory, at most at its bandwidth;
- **unpacking** them on the cores, from 4 bits and a scale to numbers that can be multiplied;
- **waiting**: a mixture's experts are small, and between them the threads wait for each other.

Fetching and unpacking overlap in part.  A rehearsal measures all of these on the machine at hand
(``course_utils.engines.decoding_rates``); without one, the plan takes the values below.
"""

from __future__ import annotations

UNPACKED_PER_CORE = 25e9
"""Bytes of 4-bit weights per second that one core is taken to unpack.

Fitted, with ``SECONDS_PER_EXPERT_LAYER``, to the rows of ``models/decoding_speeds.csv`` that were
measured on AMD EPYC processors, and tested on the same rows: with any one machine left out of the
fit, the others still foresee it within 15 % (``tests/test_model_files_speed.py``).  Another make of
processor has another rate: an Intel Xeon in that file unpacks less than half as much, so the plan
is too hopeful for it until a rehearsal has measured it."""

SECONDS_PER_EXPERT_LAYER = 0.16e-3
"""How long the threads wait for each other in one layer of a mixture, for each token."""

OVERLAP = 2.0
"""How far fetching and unpacking overlap, as an exponent: 1 is one after the other, and the larger
it is, the nearer the slower of the two alone decides.  At 2, the times add up like the short sides
of a right-angled triangle."""

LEAST_OVERLAP, MOST_OVERLAP = 0.5, 32.0


def decoding_bytes_per_second(
    bandwidth: float, cores: int, *, unpacking: float | None = None, overlap: float | None = None
) -> float:
    """How many bytes of weights per second decoding is expected to fetch and unpack.

    ``bandwidth``: what all cores together read from memory.  ``unpacking``: what they unpack, if it
    was measured; otherwise what ``cores`` are taken to.  Both in bytes per second.
    """
    unpacking = unpacking or UNPACKED_PER_CORE * cores
    exponent = overlap or OVERLAP
    # Times as shares of the slower one, so that no power of them is too large for a float.
    slower, faster = sorted((bandwidth, unpacking))
    return slower * (1 + (slower / faster) ** exponent) ** (-1 / exponent)


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


def highest_speedup(dense_bytes_per_token: float, mixture_bytes_per_token: float) -> float:
    """How many times as fast a mixture decodes at most, where memory alone holds both back."""
    return dense_bytes_per_token / mixture_bytes_per_token


CARD_SHARE_OF_BANDWIDTH = 0.7
"""How much of a graphics card's published bandwidth decoding is taken to reach: an assumption, not
measured by this course.  What others measured on Apple's processors lies between 0.53 and 0.80 of
theirs (``models/speeds_elsewhere.csv``)."""


def seconds_per_token(
    in_memory: float,
    on_card: float,
    bytes_per_second: float,
    card_bytes_per_second: float | None,
    waiting: float = 0.0,
) -> float:
    """How long one token takes whose weights lie partly in memory and partly on a card.

    The layers work one after the other, so the times add up: ``in_memory`` bytes at
    ``bytes_per_second`` (see ``decoding_bytes_per_second``), ``on_card`` bytes at a share of the
    card's bandwidth, and the seconds that the threads spend ``waiting``.
    """
    seconds = in_memory / bytes_per_second + waiting
    if on_card:
        seconds += on_card / (CARD_SHARE_OF_BANDWIDTH * card_bytes_per_second)
    return seconds
