"""Probabilities from a server, through the completion API, which not all have."""

from __future__ import annotations

import math

from course_utils.engines.checks import finite_number
from course_utils.engines.protocol import NextToken, ScoredToken, Token
from course_utils.engines.server.connection import Connection
from course_utils.engines.server.errors import (
    NO_SUCH_PAGE,
    NO_SUCH_SETTING,
    Misshapen,
    Refused,
    said,
    unsupported,
)
from course_utils.engines.server.requests import completion_body
from course_utils.engines.server.shape import describe
from course_utils.engines.server.stream import choices_of
from course_utils.errors import OptionError

UNKNOWN_ID = -1
"""The id of a token whose server reveals its text only."""


def next_tokens(connection: Connection, model: str, text: str, k: int) -> list[NextToken]:
    """The k likeliest next tokens, the likeliest first.

    Raises OptionError where the server gives fewer, NotSupportedError where it gives none.
    """
    server = connection.server
    asked = {"max_tokens": 1, "logprobs": k, "temperature": 0}
    try:
        answer = connection.post("/completions", completion_body(model, text, asked, stream=False))
    except Refused as refusal:
        status, words = refusal.response.status_code, said(refusal, server)
        if status in NO_SUCH_SETTING and "logprob" in words:
            raise OptionError(
                f"{server.url} does not give {k} next tokens: {words}",
                "Ask for fewer; many servers give 5 or 20 at most.",
            ) from None
        if status in NO_SUCH_PAGE:
            raise unsupported(server, "has no API for raw texts") from None
        raise
    found = _likeliest(choices_of(answer)[0].get("logprobs"))
    if not found:
        raise unsupported(server, "does not reveal probabilities")
    candidates = sorted(found.items(), key=lambda item: -item[1])[:k]
    if len(candidates) < k:
        raise OptionError(
            f"{server.url} gives {len(candidates)} next tokens at most, not {k}.",
            f"Ask for k={len(candidates)}.",
        )
    return [
        NextToken(_token(text), math.exp(log_probability), None)
        for text, log_probability in candidates
    ]


def score(connection: Connection, model: str, text: str) -> list[ScoredToken]:
    """The log-probability of each token.

    Raises NotSupportedError unless the server can echo a prompt.
    """
    asked = {"echo": True, "max_tokens": 0, "logprobs": 1}
    try:
        answer = connection.post("/completions", completion_body(model, text, asked, stream=False))
    except Refused as refusal:
        if refusal.response.status_code in (*NO_SUCH_PAGE, *NO_SUCH_SETTING):
            raise unsupported(connection.server, "does not score texts") from None
        raise
    found = choices_of(answer)[0].get("logprobs") or {}
    tokens = found.get("tokens") or ()
    if "".join(tokens) != text:
        raise unsupported(connection.server, "does not score texts")
    scores = found["token_logprobs"]
    # The first token follows nothing, so that it has no probability.
    if any(finite_number(score) is None for score in scores[1:]):
        raise Misshapen(describe("token_logprobs", scores, "a list of numbers"))
    return [ScoredToken(_token(token), score) for token, score in zip(tokens, scores, strict=True)]


def _likeliest(logprobs: object) -> dict[str, float]:
    """The next tokens and their log-probabilities, in either of the API's two forms."""
    if not isinstance(logprobs, dict):
        return {}
    if logprobs.get("top_logprobs"):
        return dict(logprobs["top_logprobs"][0])
    first = (logprobs.get("content") or [{}])[0]
    return {entry["token"]: entry["logprob"] for entry in first.get("top_logprobs") or ()}


def _token(text: str) -> Token:
    return Token(UNKNOWN_ID, text.encode("utf-8", errors="replace"))
