"""What is a task that only a chain of steps solves? A dial, turned up to eight times.

A dial with ten digits stands at one of them.  Each turn moves it forwards by some digits, from 9 on
to 0; unused rows turn by 0.  The question is a form, and a thought copies it and fills it in::

    7             A thought:  7
    _+8=_                     7+8=5
    _+3=_                     5+3=8
    _+9=_                     8+9=7
    _+0=_
    ...           (eight rows in all)

Each row follows from the one above it and one turn, so whoever knows the single turn and goes on to
the first unused row reads off a chain of any length.  Answered at once, all turns must be added up
within the few layers of a model.  A blind guess is right in one case of ten, so what counts is a
*sound* answer: a right one, each row of its thought right too.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from course_utils.nano.tokenizer import END, END_THINK, split_reply

ROWS = 8
"""Rows of a question; the longest chain uses all of them."""

REQUEST = "Show your working.\n"


@dataclass(frozen=True)
class Chain:
    """Where the dial stands at first, from 0 to 9, and the turns, from 1 to 9."""

    start: int
    turns: tuple[int, ...]

    @property
    def steps(self) -> int:
        return len(self.turns)

    @property
    def question(self) -> str:
        rows = self.turns + (0,) * (ROWS - self.steps)
        return f"{self.start}" + "".join(f"\n_+{turn}=_" for turn in rows) + "=?"

    @property
    def states(self) -> list[int]:
        """Where the dial stands, at first and after each turn."""
        return [total % 10 for total in accumulate(self.turns, initial=self.start)]

    @property
    def answer(self) -> str:
        return str(self.states[-1])

    @property
    def thought(self) -> str:
        rows = zip(self.states, self.turns, self.states[1:], strict=False)
        return f"{self.start}" + "".join(f"\n{a}+{turn}={b}" for a, turn, b in rows)

    def completion(self, worked: bool = True) -> str:
        """What follows an opened ``<think>``: the thought if ``worked``, and the answer."""
        thought = self.thought + "\n" if worked else ""
        return f"{thought}{END_THINK}\n\n{self.answer}{END}"


def held_out(chain: Chain) -> bool:
    """Is this chain kept from all training? One in eight of three turns or more is.

    There are only 90 chains of one turn, and 810 of two.
    """
    return chain.steps > 2 and zlib.crc32(chain.question.encode()) % 8 == 0


def draw(random: Random, steps: int, *, testing: bool = False) -> Chain:
    """A chain of so many turns; ``testing`` asks for a held-out one where there are any."""
    while True:
        turns = tuple(1 + int(9 * random.random()) for _ in range(steps))
        chain = Chain(int(10 * random.random()), turns)
        if held_out(chain) == (testing and steps > 2):
            return chain


def exam(steps: int, n: int, name: str = "exam") -> list[Chain]:
    """``n`` held-out chains of so many turns; another name gives others ("validation")."""
    random = Random(f"{name} {steps}")
    return [draw(random, steps, testing=True) for _ in range(n)]


@dataclass(frozen=True)
class Verdict:
    """Of one reply: ``right``; ``worked``, it wrote a thought; ``sound``, it is right and each
    line of its thought is the right one, so that luck has no part in it."""

    right: bool
    worked: bool
    sound: bool


def judge(chain: Chain, text: str) -> Verdict:
    """Judge a completion: all that follows an opened ``<think>``."""
    thought, answer = split_reply(text)
    right = text.endswith(END) and answer == chain.answer
    return Verdict(right, bool(thought), right and thought == chain.thought)


def reward(chain: Chain, text: str) -> float:
    """1 for a right answer that ends properly, worked or not, else 0."""
    return float(judge(chain, text).right)
