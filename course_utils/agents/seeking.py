"""Can a policy act on what it could not know? Open boxes, follow their notes, find the key.

The key lies in one of many boxes.  The prompt names a first box; each box on the way holds a note
that names the next one, and the last holds the key.  Where the notes lead is hidden until a box is
opened, so no plan made beforehand can replace reading: whoever opens boxes blindly finds the key
about as often as the share of boxes that may be opened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random

from course_utils.agents.environment import Observation
from course_utils.engines.protocol import Message

BOXES = 30
STEPS = (2, 4)
"""How many notes there are before the key, at least and at most."""

OPENINGS = 6
"""How many boxes may be opened: a way of four notes, and one slip."""

PROMPT = "The key is in one of 30 boxes. Begin with box {first}."
NOTE, KEY, EMPTY, NO_BOX = "look in box {}", "the key", "empty", "no such box"


@dataclass
class Seeking:
    """One episode: ``way`` lists the boxes from the first, which is named, to the one of the key.

    With ``noise`` the notes name any box; the key is where it was.  An action must name exactly
    one box; any other text ends the episode.
    """

    way: tuple[int, ...]
    noise: Random | None = None
    opened: list[int] = field(default_factory=list)

    @property
    def messages(self) -> list[Message]:
        return [{"role": "user", "content": PROMPT.format(first=self.way[0])}]

    def step(self, action: str) -> Observation:
        numbers = re.findall(r"[0-9]+", action)
        if len(numbers) != 1 or len(numbers[0]) > 2 or not 1 <= int(numbers[0]) <= BOXES:
            return Observation(NO_BOX, done=True)
        box = int(numbers[0])
        self.opened.append(box)
        if box == self.way[-1]:
            return Observation(KEY, done=True, success=True)
        text = EMPTY
        if box in self.way:
            following = self.way[self.way.index(box) + 1]
            text = NOTE.format(self.noise.randint(1, BOXES) if self.noise else following)
        return Observation(text, done=len(self.opened) == OPENINGS)


def draw(random: Random) -> Seeking:
    """An episode to train on."""
    return Seeking(tuple(random.sample(range(1, BOXES + 1), 1 + random.randint(*STEPS))))


def exam(n: int = 500, seed: int = 2026, *, noise: bool = False) -> list[Seeking]:
    """``n`` episodes, the same for the same seed."""
    random = Random(f"seeking {seed}")
    drawn = []
    for number in range(n):
        episode = draw(random)
        episode.noise = Random(f"noise {seed} {number}") if noise else None
        drawn.append(episode)
    return drawn


def follow_notes(episode: Seeking) -> list[tuple[str, str]]:
    """The best policy: opens the box that was named last; (action, observation) of each turn."""
    turns: list[tuple[str, str]] = []
    said = episode.messages[-1]["content"]
    while not turns or (turns[-1][1].startswith(NOTE.format("")) and len(turns) < OPENINGS):
        action = re.findall(r"[0-9]+", said)[-1]
        said = episode.step(action).text
        turns.append((action, said))
    return turns
