"""Can a policy use what it is told? Guess a number, and hear "higher" or "lower".

Each episode draws an interval and a number in it.  Whoever ignores the answers can do no better
than try seven different numbers; whoever halves the interval always succeeds, since seven guesses
tell 127 numbers apart.  So the share of successes shows whether feedback is used, and the number
of turns how well.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from course_utils.agents.environment import Observation
from course_utils.engines.protocol import Message

LOWEST, HIGHEST = 1, 99
NARROWEST = 32
"""Intervals lie within 1 to 99 and hold at least 32 numbers."""

GUESSES = 7

PROMPT = "Guess a number from {low} to {high}."
"""How the policy is asked in training and in every test, unless another wording is given."""

HIGHER, LOWER = "higher than", "lower than"
RIGHT, OUT = "right", "no number"


def held_out(low: int, high: int) -> bool:
    """Is this interval kept from all training? One in eight is."""
    return zlib.crc32(f"{low} {high}".encode()) % 8 == 0


def intervals(*, testing: bool = False) -> list[tuple[int, int]]:
    """All intervals (lowest and highest number), of training or held out."""
    return [
        (low, high)
        for low in range(LOWEST, HIGHEST + 1)
        for high in range(low + NARROWEST - 1, HIGHEST + 1)
        if held_out(low, high) == testing
    ]


@dataclass
class Guessing:
    """One episode: find ``secret`` between ``low`` and ``high`` in seven guesses.

    With ``noise`` the answers come from a coin instead: they say nothing about the number.  With
    ``told_of`` they are those for that number, one that agrees with itself: whoever names it is
    told "right", and has not found ``secret``.  ``wording`` and earlier messages ``before`` are how
    it is asked.  An action must hold exactly one number; any other text ends the episode.
    """

    low: int
    high: int
    secret: int
    noise: Random | None = None
    wording: str = PROMPT
    before: tuple[Message, ...] = ()
    told_of: int | None = None
    guesses: list[int] = field(default_factory=list)

    @property
    def messages(self) -> list[Message]:
        prompt = self.wording.format(low=self.low, high=self.high)
        return [*self.before, {"role": "user", "content": prompt}]

    def step(self, action: str) -> Observation:
        guess = read_guess(action)
        if guess is None:
            return Observation(OUT, done=True)
        self.guesses.append(guess)
        if guess == self.secret:
            return Observation(RIGHT, done=True, success=True)
        told_of = self.secret if self.told_of is None else self.told_of
        if guess == told_of:
            return Observation(RIGHT, done=True)
        up = told_of > guess if self.noise is None else self.noise.random() < 0.5
        text = f"{HIGHER if up else LOWER} {guess}"
        return Observation(text, done=len(self.guesses) == GUESSES)


def read_guess(action: str) -> int | None:
    """The one number that an action holds, or None."""
    numbers = re.findall(r"[0-9]+", action)
    return int(numbers[0]) if len(numbers) == 1 and len(numbers[0]) <= 3 else None


def draw(random: Random) -> Guessing:
    """An episode to train on."""
    low, high = random.choice(TRAINING)
    return Guessing(low, high, random.randint(low, high))


def exam(n: int = 500, seed: int = 2026, *, noise: bool = False, **changes) -> list[Guessing]:
    """``n`` episodes on held-out intervals, the same for the same seed."""
    random = Random(f"guessing {seed}")
    drawn = []
    for number in range(n):
        low, high = random.choice(HELD_OUT)
        coin = Random(f"noise {seed} {number}") if noise else None
        drawn.append(Guessing(low, high, random.randint(low, high), coin, **changes))
    return drawn


def misled(episodes: Sequence[Guessing], seed: int = 2026) -> list[Guessing]:
    """The same episodes, not yet begun, with the answers for another number of the interval."""
    random = Random(f"misled {seed}")
    moved = []
    for episode in episodes:
        others = [n for n in range(episode.low, episode.high + 1) if n != episode.secret]
        moved.append(replace(episode, guesses=[], told_of=random.choice(others)))
    return moved


TRAINING, HELD_OUT = intervals(), intervals(testing=True)
