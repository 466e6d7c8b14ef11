"""Probabilities of tokens: the softmax of the logits, for what comes next or stands there."""

from __future__ import annotations

import numpy as np

from course_utils.engines.local.cache import KVCache
from course_utils.engines.local.vocabulary import Vocabulary
from course_utils.engines.protocol import NextToken, ScoredToken, Token
from course_utils.progress import Progress

# Logits for every position are (tokens, vocabulary), so they are taken in parts of 64 MB.
_VALUES_AT_ONCE = 2**24


def next_tokens(
    cache: KVCache, vocabulary: Vocabulary, tokens: list[int], k: int
) -> list[NextToken]:
    """The k likeliest tokens after these, the likeliest first, see ``protocol.NextToken``."""
    cache.read(tokens)
    logits = cache.context.logits().astype(np.float64)
    probabilities = np.exp(logits - logits.max())
    probabilities /= probabilities.sum()
    likeliest = np.argpartition(-logits, k - 1)[:k]
    likeliest = likeliest[np.argsort(-logits[likeliest], kind="stable")]
    return [
        NextToken(
            Token(int(i), vocabulary.bytes_of(int(i))), float(probabilities[i]), float(logits[i])
        )
        for i in likeliest
    ]


def score(cache: KVCache, vocabulary: Vocabulary, tokens: list[int]) -> list[ScoredToken]:
    """The natural log of each token's probability, given those before it."""
    log_probabilities: list[float | None] = [None]
    room = max(1, min(cache.context.batch, _VALUES_AT_ONCE // vocabulary.size))
    cache.clear()
    with Progress("scoring the text", len(tokens), " tokens") as progress:
        for start in range(0, len(tokens) - 1, room):
            following = tokens[start + 1 : start + 1 + room]
            cache.extend(tokens[start : start + len(following)])
            for row, token in enumerate(following):
                logits = cache.context.logits(row).astype(np.float64)
                top = logits.max()
                total = top + np.log(np.exp(logits - top).sum())
                log_probabilities.append(float(logits[token] - total))
            progress.reach(len(cache.tokens))
    return [
        ScoredToken(Token(token, vocabulary.bytes_of(token)), log_probability)
        for token, log_probability in zip(tokens, log_probabilities, strict=True)
    ]
