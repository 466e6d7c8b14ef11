"""How are many texts written at once? A batch, a KV cache, and one token per text and step.

Copies of one prompt share the reading of it; texts that have ended leave the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.engines.checks import shown_short
from course_utils.errors import MachineError, OptionError, PromptError, TrainingError
from course_utils.machine.memory import available_memory_bytes
from course_utils.nano.model import Transformer
from course_utils.units import MIB, readable_memory


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

    def select(self, rows: Sequence[int]) -> Samples:
        """These rows, in this order."""
        chosen = torch.tensor(rows, device=self.tokens.device)
        return Samples(*(getattr(self, field.name)[chosen] for field in fields(self)))


def join(parts: Sequence[Samples]) -> Samples:
    """Several samples as one, padded to the longest of all."""
    longest = max(part.tokens.shape[1] for part in parts)

    def wide(name: str) -> Tensor:
        return torch.cat([F.pad(getattr(p, name), (0, longest - p.tokens.shape[1])) for p in parts])

    return Samples(
        wide("tokens"),
        wide("log_probs"),
        wide("entropy"),
        torch.cat([part.lengths for part in parts]),
        torch.cat([part.ended for part in parts]),
    )


def draw(chances: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """(rows,) one token of each row of ``chances`` (rows, vocabulary), where ``chances`` are.

    The numbers are drawn where ``generator`` is.
    """
    place = generator.device if generator else chances.device
    return torch.multinomial(chances.to(place), 1, generator=generator)[:, 0].to(chances.device)


def check(
    model: Transformer,
    prompts: Sequence[Sequence[int]],
    copies: int,
    max_tokens: int,
    temperature: float,
) -> int:
    """The longest prompt's length; OptionError or PromptError for what cannot be continued.

    Raises MachineError where memory cannot hold so many texts.
    """
    counts = isinstance(copies, int) and isinstance(max_tokens, int)
    if not counts or min(copies, max_tokens) < 1 or not 0 <= temperature < float("inf"):
        raise OptionError(
            f"copies={shown_short(copies)}, max_tokens={shown_short(max_tokens)} and temperature="
            f"{shown_short(temperature)} do not say how to draw.",
            "Give whole numbers of copies and tokens from 1 on, and a temperature from 0 on.",
        )
    if not prompts or not all(prompts):
        raise PromptError(
            "There is no prompt to continue, or one of them has no tokens.",
            "Give a list of prompts, each a list of at least one token number.",
        )
    longest = max(map(len, prompts))
    if longest + max_tokens > model.shape.context:
        raise PromptError(
            f"A prompt of {longest} tokens and max_tokens={max_tokens} do not fit into this "
            f"model's context of {model.shape.context} tokens.",
            "Shorten the prompt, or lower max_tokens.",
        )
    check_memory(model, len(prompts) * copies, longest + max_tokens)
    return longest


def check_memory(model: Transformer, rows: int, capacity: int) -> None:
    """Raise MachineError where the KV cache of so many texts does not fit into this machine."""
    weight, shape = model.token_embd.weight, model.shape
    numbers = 2 * shape.layers * shape.kv_heads * shape.head_width * capacity * rows
    needed = numbers * weight.element_size()
    # A few hundred megabytes are there, or nothing else would run; asking takes a moment.
    large = weight.device.type == "cpu" and needed > 256 * MIB
    if large and needed > available_memory_bytes():
        raise MachineError(
            f"{rows:,} texts of up to {capacity:,} tokens need {readable_memory(needed)} for their "
            "keys and values, more than this machine has free.",
            "Draw fewer texts at once, or shorter ones.",
        )


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
    longest = check(model, prompts, copies, max_tokens, temperature)
    device = model.device
    missing = [longest - len(prompt) for prompt in prompts]
    starts = torch.tensor(missing, device=device) if any(missing) else None
    padded = [[stop] * n + list(prompt) for n, prompt in zip(missing, prompts, strict=True)]
    padded = torch.tensor(padded, device=device)
    cache = model.cache(len(prompts), longest + max_tokens, starts)
    logits = model(padded, cache)[:, -1]  # each prompt is read once, whatever ``copies``
    if not logits.isfinite().all():
        raise TrainingError(
            "The model's scores for the next token are not numbers: its weights are spoilt.",
            "Begin again from a model that works, and train it at a lower learning rate.",
        )
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
