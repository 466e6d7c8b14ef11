"""Can the right prompt do what reward does? Twelve ways to ask where the dial stands.

The best of them, chosen on chains of its own, is what a reinforced model is compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from course_utils.nano.experiments.chains_sampling import load_once
from course_utils.nano.experiments.chains_task import REQUEST, Chain, draw
from course_utils.nano.tokenizer import render

LONGEST = 330
"""Tokens of the longest prompt."""


def shown(steps: int, seed: int, request: str = REQUEST) -> str:
    """A worked example as the base model has read them, thought included."""
    chain = draw(Random(f"shown {seed}"), steps)
    return render(request + chain.question) + chain.completion() + "\n"


def asking(chain: Chain, before: str = "", after: str = "", examples: str = "", begun: str = ""):
    """The text given to the model: examples, the question, and what the thought begins with."""
    return examples + render(before + chain.question + after) + begun


PROMPTS: dict[str, Callable[[Chain], str]] = {
    "bare": lambda c: asking(c),
    "request": lambda c: asking(c, REQUEST),
    "request twice": lambda c: asking(c, REQUEST + REQUEST),
    "request after": lambda c: asking(c, after="\n" + REQUEST.strip()),
    "step by step": lambda c: asking(c, "Work step by step.\n"),
    "request, step by step": lambda c: asking(c, REQUEST + "Work step by step.\n"),
    "one short example": lambda c: asking(c, REQUEST, examples=shown(3, 1)),
    "one long example": lambda c: asking(c, REQUEST, examples=shown(8, 2)),
    "an example of its length": lambda c: asking(c, REQUEST, examples=shown(c.steps, 3)),
    "two long examples": lambda c: asking(c, REQUEST, examples=shown(8, 4) + shown(7, 5)),
    "a long example, not asked": lambda c: asking(c, examples=shown(8, 6, "")),
    "thought begun with the start": lambda c: asking(c, REQUEST, begun=f"{c.start}\n"),
}
"""Each gives the text a model is given for a chain."""


def ids(name: str) -> Callable[[Chain], list[int]]:
    """A prompt as token numbers, without what would be cut off at the left."""

    def ask(chain: Chain) -> list[int]:
        return load_once().encode(PROMPTS[name](chain)).ids[-LONGEST:]

    return ask


def begun(name: str) -> Callable[[Chain], str]:
    """What a prompt has written of the thought already."""
    return lambda chain: f"{chain.start}\n" if name == "thought begun with the start" else ""
