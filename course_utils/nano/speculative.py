"""How does a small model speed up a large one without changing a word? Speculative sampling.

A draft writes some tokens; the target computes the probabilities after each of them in one step,
and keeps, from the first on, those that it might have drawn itself.  The rule of keeping and
replacing makes the result the target's own distribution, whatever the draft is.
Sources: Leviathan et al. 2023 (arXiv 2211.17192), Chen et al. 2023 (arXiv 2302.01318).

Notebook 06 writes ``speculative_step`` out.  The engine that runs GGUF files goes about it in
another way (``engines.local.speculation``), with the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from course_utils.nano.model import Transformer

Distributions = Callable[[Sequence[int]], np.ndarray]
"""The next-token probabilities after each token of a text: (tokens, vocabulary)."""


def distributions(model: Transformer, temperature: float = 1.0) -> Distributions:
    """A model's distributions over the next token; temperature 0 puts all on the likeliest."""
    import torch  # the rule below needs none of it

    def after_each(text: Sequence[int]) -> np.ndarray:
        with torch.no_grad():
            logits = model(model.batch([list(text)]))[0].double()
        if not temperature:
            return np.eye(logits.shape[-1])[logits.argmax(-1).cpu().numpy()]
        return torch.softmax(logits / temperature, dim=-1).cpu().numpy()

    return after_each


def keeps(p: np.ndarray, q: np.ndarray, token: int) -> float:
    """The probability of keeping a token drawn from ``q`` where ``p`` is wanted: min(1, p/q)."""
    return min(1.0, p[token] / q[token])


def after_rejection(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """What to draw from instead of a token that was not kept: where p is above q, scaled to 1.

    Tokens that the draft draws too rarely are the ones that are still missing.  Where p and q are
    equal nothing is ever rejected, and p is returned.
    """
    lacking = np.maximum(p - q, 0)
    total = lacking.sum()
    return lacking / total if total > 0 else p


def speculative_step(
    target: Distributions,
    draft: Distributions,
    text: Sequence[int],
    drafted: int,
    random: np.random.Generator,
) -> list[int]:
    """The tokens that one step of the target adds to the text: from 1 to ``drafted + 1``."""
    text, q = list(text), []
    length = len(text)
    for _ in range(drafted):
        q.append(draft(text)[-1])
        text.append(_drawn(q[-1], random))
    p = target(text)[length - 1 :]  # after the text, and after each drafted token
    for place, token in enumerate(text[length:]):
        if random.random() >= keeps(p[place], q[place], token):
            kept = text[length : length + place]
            return [*kept, _drawn(after_rejection(p[place], q[place]), random)]
    return [*text[length:], _drawn(p[drafted], random)]


def _drawn(chances: np.ndarray, random: np.random.Generator) -> int:
    return int(random.choice(len(chances), p=chances))
