"""How many bytes of weights does decoding work through in a second, in memory and on a card?

To write one token, every weight at work is read once.  So memory cannot feed more than its
bandwidth allows, and the cores unpack what was read; the slower of the two decides.
"""

from __future__ import annotations

DENSE_SHARE_OF_BANDWIDTH = 0.75
MIXTURE_SHARE_OF_BANDWIDTH = 0.70
"""How much of the measured read bandwidth decoding reaches, without repacking. Unpacking 4-bit
weights is arithmetic that a few cores do not quite hide behind the reading.  A mixture reaches
less: its experts are small, and between them the threads wait for each other more often.
Measured on the stand-ins of QwQ-32B and Qwen3-30B-A3B on a 2-core server (``make bench``)."""

DENSE_UNPACKED_PER_CORE = 16e9
MIXTURE_UNPACKED_PER_CORE = 14e9
"""Bytes of weights per second that one of several cores unpacks, however fast the memory is.
From 2 cores at 45 GB/s and more (``models/one_and_two_threads.csv``, ``models/full_size.csv``):
they reached 32 GB/s with QwQ-32B's stand-in and 28 GB/s with Qwen3-30B-A3B's.  Another processor
has another rate; a rehearsal measures it (``Machine.unpacking_bytes_per_second``)."""


def decoding_bytes_per_second(
    bandwidth: float, cores: int, *, mixture: bool, unpacking: float | None = None
) -> float:
    """How many bytes of weights per second decoding is expected to work through.

    The smaller of two limits: a share of the memory's read ``bandwidth``, and what the ``cores``
    unpack.  ``unpacking``: what all cores together unpack of a dense model, if it was measured;
    otherwise it is taken from another machine.  All in bytes per second.
    """
    if unpacking is None:
        unpacking = DENSE_UNPACKED_PER_CORE * cores
    if mixture:
        slower = MIXTURE_UNPACKED_PER_CORE / DENSE_UNPACKED_PER_CORE
        return min(MIXTURE_SHARE_OF_BANDWIDTH * bandwidth, slower * unpacking)
    return min(DENSE_SHARE_OF_BANDWIDTH * bandwidth, unpacking)


CARD_SHARE_OF_BANDWIDTH = 0.7
"""How much of a graphics card's published bandwidth decoding is taken to reach: an assumption, as
with main memory, and not measured by this course."""


def seconds_per_token(
    in_memory: float,
    on_card: float,
    bytes_per_second: float,
    card_bytes_per_second: float | None,
) -> float:
    """How long one token takes whose weights lie partly in memory and partly on a card.

    The layers work one after the other, so the two times add up: ``in_memory`` bytes at
    ``bytes_per_second`` (see ``decoding_bytes_per_second``), then ``on_card`` bytes at a share of
    the card's bandwidth.
    """
    seconds = in_memory / bytes_per_second
    if on_card:
        seconds += on_card / (CARD_SHARE_OF_BANDWIDTH * card_bytes_per_second)
    return seconds
