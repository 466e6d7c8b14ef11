"""How are many texts written at once? A batch, a KV cache, and one token per text and step.

Copies of one prompt share the reading of it; texts that have ended leave the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.nano.model import Transformer


@dataclass(frozen=True)
class Samples:
    """Texts drawn from a model, padded on the right to the longest, T tokens.

    ``tokens``: (rows, T) token numbers; ``log_probs``: (rows, T) natural log of the probability
    with which each was drawn; ``entropy``: (rows, T) of the distribution it was drawn from, in
    nats; ``lengths``: (rows,) tokens up to and including the stop token; ``ended``: (rows,)
    whether the stop token came before the limit.
    """

    tokens: Tensor
    log_probs: Tensor
    entropy: Tensor
    lengths: Tensor
    ended: Tensor

    def texts(self) -> list[list[int]]:
        """Each text's tokens, without padding."""
        return [row[:n] for row, n in zip(self.tokens.tolist(), self.lengths.tolist(), strict=True)]

    def mask(self) -> Tensor:
        """(rows, T) true where a token was drawn, false where there is padding."""
        return torch.arange(self.tokens.shape[1], device=self.tokens.device) < self.lengths[:, None]


def draw(chances: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """(rows,) one token of each row of ``chances`` (rows, vocabulary), where ``chances`` are.

    The numbers are drawn where ``generator`` is.
    """
    place = generator.device if generator else chances.device
    return torch.multinomial(chances.to(place), 1, generator=generator)[:, 0].to(chances.device)


@torch.no_grad()
def sample(
    model: Transformer,
    prompts: Sequence[Sequence[int]],
    *,
    stop: int,
    copies: int = 1,
    max_tokens: int = 128,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Samples:
    """Draw ``copies`` continuations of each prompt, those of one prompt side by side.

    Drawing goes on until token ``stop`` or ``max_tokens``.  Temperature 0 takes the likeliest
    token each time.  Everything is made where the model is; a ``generator`` on the CPU will do
    all the same, for a copy of the probabilities at each token.
    """
    device = model.device
    longest = max(len(prompt) for prompt in prompts)
    missing = [longest - len(prompt) for prompt in prompts]
    starts = torch.tensor(missing, device=device) if any(missing) else None
    padded = [[stop] * n + list(prompt) for n, prompt in zip(missing, prompts, strict=True)]
    padded = torch.tensor(padded, device=device)
    cache = model.cache(len(prompts), longest + max_tokens, starts)
    logits = model(padded, cache)[:, -1]  # each prompt is read once, whatever ``copies``
    shared = torch.arange(len(prompts), device=device).repeat_interleave(copies)
    cache.select(shared)
    logits = logits[shared]

    rows = len(shared)
    tokens = torch.full((rows, max_tokens), stop, device=device)
    log_probs = torch.zeros(rows, max_tokens, device=device)
    entropy = torch.zeros(rows, max_tokens, device=device)
    lengths = torch.full((rows,), max_tokens, device=device)
    ended = torch.zeros(rows, dtype=torch.bool, device=device)
    batch = torch.arange(rows, device=device)  # the row of the result that each row writes
    for step in range(max_tokens):
        scores = F.log_softmax(logits.float() / (temperature or 1.0), dim=-1)
        chances = scores.exp()
        drawn = draw(chances, generator) if temperature else scores.argmax(-1)
        drawn = torch.where(ended[batch], stop, drawn)
        tokens[batch, step] = drawn
        log_probs[batch, step] = scores.gather(1, drawn[:, None])[:, 0]
        entropy[batch, step] = -(chances * scores).sum(-1)
        just_ended = batch[(drawn == stop) & ~ended[batch]]
        lengths[just_ended], ended[just_ended] = step + 1, True
        going_on = ~ended[batch]
        if not going_on.any() or step == max_tokens - 1:
            break
        if going_on.float().mean() < 0.75:  # copying the cache pays once a quarter has ended
            keep = going_on.nonzero()[:, 0]
            cache.select(keep)
            batch, drawn = batch[keep], drawn[keep]
        logits = model(drawn[:, None], cache)[:, -1]
    length = int(lengths.max())
    tokens, log_probs, entropy = tokens[:, :length], log_probs[:, :length], entropy[:, :length]
    padding = torch.arange(length, device=device) >= lengths[:, None]
    return Samples(
        tokens.contiguous(),
        log_probs.masked_fill(padding, 0),
        entropy.masked_fill(padding, 0),
        lengths,
        ended,
    )
