"""How many bytes of weights does decoding work through in a second, in memory and on a card?

To write one token, every weight at work is read once.  So memory cannot feed more than its
bandwidth allows, and the cores unpack what was read; the slower of the two decides.
"""

from __future__ import annotations

DENSE_UNPACKED_PER_CORE = 25e9
MIXTURE_UNPACKED_PER_CORE = 18.5e9
"""Bytes of 4-bit weights per second that one core unpacks, if memory did not hold it up. A
mixture's are fewer: its experts are small, and between them the threads wait for each other.
With these two numbers the speeds of both stand-ins on three machines, whose memory reads from 10 to
46 GB/s, are met within a tenth (``tests/test_model_files_speed.py``).  Another processor has
another rate; a rehearsal measures it (``Machine.unpacking_bytes_per_second``)."""


def decoding_bytes_per_second(
    bandwidth: float, cores: int, *, mixture: bool, unpacking: float | None = None
) -> float:
    """How many bytes of weights per second decoding is expected to work through.

    Fetching and unpacking overlap in part.  If they overlapped wholly, the slower one would decide;
    if not at all, their times would add up.  The root of the sum of the squares lies between the
    two, and is near the slower one where one is much slower.

    ``bandwidth``: what all cores together read from memory.  ``unpacking``: what they unpack of a
    dense model, if it was measured; otherwise that of other machines' ``cores``.  All in bytes per
    second.
    """
    if unpacking is None:
        unpacking = DENSE_UNPACKED_PER_CORE * cores
    if mixture:
        unpacking *= MIXTURE_UNPACKED_PER_CORE / DENSE_UNPACKED_PER_CORE
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
