"""How well can the base model play when it is only asked? Twelve prompts to choose from.

Four wordings, each alone, after an example of three turns, and after one of five.  The examples are
games of binary search.  The base model has read all four wordings, and players who went on with
another game, so that both ways of asking can help.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from course_utils.agents import players
from course_utils.agents.guessing import PROMPT, Guessing

WORDINGS = (PROMPT, players.IN_FEW, players.WHICH, players.TOGETHER)

EXAMPLES = {"none": None, "three turns": (20, 71, 38), "five turns": (11, 90, 62)}
"""The game shown before the question, as (low, high, secret)."""


@dataclass(frozen=True)
class Prompt:
    """One way of asking: a wording, and the name of an example."""

    wording: str
    example: str

    def apply(self, episode: Guessing) -> Guessing:
        """The same episode, not yet begun, asked this way."""
        shown = []
        if EXAMPLES[self.example]:
            example = Guessing(*EXAMPLES[self.example], wording=self.wording)
            shown = players.game(example, players.binary_search, Random(0))
        return replace(episode, guesses=[], **players.asking(self.wording, shown))


PROMPTS = tuple(Prompt(wording, example) for wording in WORDINGS for example in EXAMPLES)
