"""What is an environment? A prompt, and an answer to each action until the episode ends.

The words are reinforcement learning's own: a *policy* (here a language model) reads an
*observation* and writes an *action*; the *environment* answers with the next observation, and the
whole exchange is an *episode*.  When it ends there is a *reward*.  A played episode, with the
tokens that were read and written, is a *rollout*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from course_utils.engines.protocol import Message


@dataclass(frozen=True)
class Observation:
    """What the environment says to an action. ``success`` counts only when ``done``."""

    text: str
    done: bool = False
    success: bool = False


class Episode(Protocol):
    """One episode in progress. It has hidden state, so each is played once."""

    @property
    def messages(self) -> Sequence[Message]:
        """The first observation, as the conversation that the policy is to answer."""
        ...

    def step(self, action: str) -> Observation:
        """Answer one action, a whole turn of the policy. Any text is an action."""
        ...


NO_ACTION = Observation("no action", done=True)
"""What becomes of an action that is not whole: the episode ends, unwon."""


def respond(episode: Episode, action: str, *, whole: bool) -> Observation:
    """What the environment says to an action; ``whole``: did the policy itself end it?

    A text that was cut off is not what the policy decided to do.  If it counted, a policy would be
    paid for a number with endless talk behind it, and nothing would teach it to stop.
    """
    return episode.step(action) if whole else NO_ACTION


Draw = Callable[[Random], Episode]
"""Draws a new episode; the same random state draws the same one."""
