"""How do a thousand chains get their replies at once? The same drawing on a CPU and on a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from course_utils.nano.experiments import chains_graph
from course_utils.nano.experiments.chains_corpus import spelling
from course_utils.nano.model import Transformer
from course_utils.nano.sample import Samples, sample
from course_utils.nano.tokenizer import decode, load


class Sampler:
    """Draws ``rows`` replies of at most ``new_tokens`` to prompts of at most ``prompt_tokens``.

    On a CPU this is ``nano.sample.sample``.  On a GPU the drawing of a whole batch is recorded as
    one CUDA graph, for fixed numbers of rows and tokens; replies are drawn from the same
    distribution, with other random numbers.
    """

    def __init__(self, model: Transformer, rows: int, prompt_tokens: int, new_tokens: int):
        self.model, self.rows = model, rows
        self.prompt_tokens, self.new_tokens = prompt_tokens, new_tokens
        self.stop = spelling()[1]["end"][0]
        self.recorded = None

    def draw(
        self, prompts: Sequence[Sequence[int]], *, seed: int, temperature: float = 1.0
    ) -> Samples:
        """One reply to each prompt; ``temperature`` is 1, or 0 for the likeliest tokens."""
        if self.model.device.type == "cpu":
            generator = torch.Generator().manual_seed(seed)
            settings = {"stop": self.stop, "max_tokens": self.new_tokens}
            settings |= {"temperature": temperature, "generator": generator}
            return sample(self.model, prompts, **settings)
        missing = [self.prompt_tokens - len(prompt) for prompt in prompts]
        padded = [[self.stop] * n + list(p) for n, p in zip(missing, prompts, strict=True)]
        device = self.model.device
        inputs = (
            torch.tensor(padded, device=device),
            torch.tensor(missing, device=device),
            torch.tensor(float(temperature), device=device),
        )
        if self.recorded is None:
            self.recorded = chains_graph.replayed(self.write, *inputs)
        torch.cuda.manual_seed(seed)
        return self.cut(*self.recorded(*inputs))

    @torch.no_grad()
    def write(self, padded: Tensor, starts: Tensor, noise: Tensor):
        """(rows, new_tokens) each of tokens, their log-probabilities, and entropies."""
        cache = self.model.cache(len(padded), self.prompt_tokens + self.new_tokens, starts)
        logits = self.model(padded, cache)[:, -1]
        columns = []
        for _ in range(self.new_tokens):
            scores = F.log_softmax(logits.float(), dim=-1)
            # The largest of scores with Gumbel noise is a draw from their distribution.
            gumbel = -(-torch.rand_like(scores).clamp_min(1e-20).log()).log()
            drawn = (scores + noise * gumbel).argmax(-1)
            entropy = -(scores.exp() * scores).sum(-1)
            columns.append((drawn, scores.gather(1, drawn[:, None])[:, 0], entropy))
            logits = self.model(drawn[:, None], cache)[:, -1]
        return tuple(torch.stack(column, dim=1) for column in zip(*columns, strict=True))

    def cut(self, tokens: Tensor, log_probs: Tensor, entropy: Tensor) -> Samples:
        """What was written up to the stop token."""
        stops = tokens == self.stop
        ended = stops.any(dim=1)
        lengths = torch.where(ended, stops.int().argmax(dim=1) + 1, self.new_tokens)
        padding = torch.arange(self.new_tokens, device=tokens.device) >= lengths[:, None]
        return Samples(
            tokens.clone(),
            log_probs.masked_fill(padding, 0),
            entropy.masked_fill(padding, 0),
            lengths,
            ended,
        )


def texts(samples: Samples) -> list[str]:
    """The replies as text."""
    tokenizer = load_once()
    return [decode(tokenizer, tokens) for tokens in samples.texts()]


@cache
def load_once() -> Tokenizer:
    """The tokenizer, read once."""
    return load()
