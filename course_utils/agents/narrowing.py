"""How well does a guess use what is known? By what it leaves, whichever way the answer goes.

Finding the number can be luck, and with many tries luck is certain.  What a guess leaves at worst
is no luck: half of the numbers for the best guess, all of them for one that earlier answers have
ruled out.
"""

from __future__ import annotations

from collections.abc import Sequence

from course_utils.agents.players import open_interval

NARROW = 2 / 3
"""A guess that leaves at most this share narrows the interval; the middle leaves a half."""


def left_by(low: int, high: int, turns: Sequence[tuple[str, str]]) -> list[float]:
    """For each guess of an episode the largest share of the open numbers that it may leave.

    ``turns``: (guess, answer) in order, numbers all of them; the answers are taken as true.  1 for
    a guess that tells nothing; 0 for the only number that is still open.
    """
    shares = []
    for number, (action, _) in enumerate(turns):
        before = turns[:number]
        guesses, told = [int(guess) for guess, _ in before], [answer for _, answer in before]
        bottom, top = open_interval(low, high, guesses, told)
        guess = int(action)
        if not bottom <= guess <= top:
            shares.append(1.0)
        else:
            shares.append(max(guess - bottom, top - guess) / (top - bottom + 1))
    return shares


def narrows(shares: Sequence[float]) -> bool:
    """Did every guess narrow the interval? ``shares``: those of ``left_by``."""
    return all(share <= NARROW for share in shares)
