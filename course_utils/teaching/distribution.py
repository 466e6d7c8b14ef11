"""How do temperature, top-k, top-p and min-p reshape the next-token distribution?

The same steps in the same order as llama.cpp: top-k, top-p, min-p, and temperature last.  The
order matters: top-p adds up probabilities that the temperature has not touched yet.
Source: https://github.com/ggml-org/llama.cpp, src/llama-sampler.cpp; top-p is "nucleus sampling"
of Holtzman et al., https://arxiv.org/abs/1904.09751; min-p, https://arxiv.org/abs/2407.01082.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from course_utils.engines.protocol import NextToken, ScoredToken
from course_utils.engines.sampling import Sampling
from course_utils.errors import OptionError


def softmax(logits: np.ndarray) -> np.ndarray:
    """Logits to probabilities: exponentials, divided by their sum. Any shape, over the last axis.

    The largest logit is subtracted first; that changes nothing but avoids an overflow.
    """
    logits = np.asarray(logits, dtype=float)
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def keep_top_k(probabilities: np.ndarray, k: int) -> np.ndarray:
    """True for the k likeliest tokens; 0 keeps all. ``probabilities``: (tokens,)."""
    keep = np.zeros(len(probabilities), dtype=bool)
    keep[_likeliest_first(probabilities)[: k or None]] = True
    return keep


def keep_top_p(probabilities: np.ndarray, p: float) -> np.ndarray:
    """True for the fewest likeliest tokens whose probabilities sum to at least p."""
    order = _likeliest_first(probabilities)
    reached = np.cumsum(probabilities[order]) >= p
    count = int(np.argmax(reached)) + 1 if p < 1 and reached.any() else len(order)
    keep = np.zeros(len(probabilities), dtype=bool)
    keep[order[:count]] = True
    return keep


def keep_min_p(probabilities: np.ndarray, p: float) -> np.ndarray:
    """True for tokens at least p times as likely as the likeliest; 0 keeps all."""
    return probabilities >= p * probabilities.max()


def apply_sampling(logits: np.ndarray, sampling: Sampling) -> np.ndarray:
    """The probabilities that the next token is drawn from; 0 for tokens cut off.

    logits: (tokens,).  Penalties depend on the text so far and are left out here.
    """
    logits = np.asarray(logits, dtype=float)
    kept = keep_top_k(logits, sampling.top_k)
    kept[kept] = keep_top_p(softmax(logits[kept]), sampling.top_p)
    kept[kept] = keep_min_p(softmax(logits[kept]), sampling.min_p)
    probabilities = np.zeros(len(logits))
    if sampling.temperature == 0:
        probabilities[_likeliest_first(np.where(kept, logits, -np.inf))[0]] = 1.0
    else:
        probabilities[kept] = softmax(logits[kept] / sampling.temperature)
    return probabilities


def logits_of(candidates: Sequence[NextToken]) -> np.ndarray:
    """The candidates' logits; where a server hides them, the logarithms of the probabilities.

    Both give the same distribution, since softmax ignores a constant added to all logits.
    """
    if any(candidate.logit is None for candidate in candidates):
        with np.errstate(divide="ignore"):
            return np.log([candidate.probability for candidate in candidates])
    return np.array([candidate.logit for candidate in candidates], dtype=float)


def entropy_bits(probabilities: np.ndarray) -> float:
    """How undecided a distribution is, in bits: 0 for one certain token, log2(n) for n equal ones.

    Source: C. E. Shannon, "A Mathematical Theory of Communication", 1948.
    """
    probabilities = np.asarray(probabilities, dtype=float)
    positive = probabilities[probabilities > 0]
    return float(max(0.0, -(positive * np.log2(positive)).sum()))


def perplexity(scored: Sequence[ScoredToken]) -> float:
    """Among how many equally likely tokens the model would be as undecided, on average.

    exp of the mean negative log-probability, over the tokens that have one.
    Raises OptionError when none has.
    """
    log_probabilities = [s.log_probability for s in scored if s.log_probability is not None]
    if not log_probabilities:
        raise OptionError(
            "Perplexity needs at least two tokens: the first has nothing before it.",
            "Score a longer text.",
        )
    return math.exp(-sum(log_probabilities) / len(log_probabilities))


def _likeliest_first(values: np.ndarray) -> np.ndarray:
    return np.argsort(-np.asarray(values, dtype=float), kind="stable")
