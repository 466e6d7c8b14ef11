"""The ``Engine`` protocol: what every model in this course can do, wherever it runs.

It is the one way the notebooks speak to a model.  ``local`` keeps the promise with llama.cpp in
this process, ``server`` with any OpenAI-compatible server.  What goes in is checked in ``messages``
and ``sampling``; what comes out is a ``reply``.  All types of the promise can be had from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from course_utils.engines.messages import Message, Tools, ToolSchema
from course_utils.engines.reply import Kind, Piece, Reply, StopReason, Stream
from course_utils.engines.sampling import Sampling

__all__ = [
    "Attention",
    "Engine",
    "Kind",
    "Message",
    "ModelInfo",
    "NextToken",
    "Piece",
    "Reply",
    "Routing",
    "ScoredToken",
    "StopReason",
    "Stream",
    "Token",
    "ToolSchema",
    "Tools",
]


class Token(NamedTuple):
    """One entry of the vocabulary: its number, its bytes, and those bytes as readable text.

    A Chinese character can be spread over several tokens; ``text`` then shows the replacement
    character, while ``data`` keeps the exact bytes.
    """

    id: int
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", errors="replace")


class NextToken(NamedTuple):
    """One candidate for the next token. ``logit`` is None where a server does not reveal it."""

    token: Token
    probability: float
    logit: float | None


class ScoredToken(NamedTuple):
    """A token of a text and the natural log of the probability the model gave it.

    The first token has no context to be predicted from, so its ``log_probability`` is None.
    """

    token: Token
    log_probability: float | None


@dataclass(frozen=True)
class ModelInfo:
    """What is known of an open model. Fields that a server does not reveal are None."""

    name: str
    source: str
    architecture: str | None = None
    parameters: int | None = None
    file_bytes: int | None = None
    quantisation: str | None = None
    layers: int | None = None
    vocabulary: int | None = None
    context: int | None = None
    reasoning: bool = False
    settings: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Attention:
    """Attention maps of one text: ``weights[layer, head, i, j]`` is how much token i looks at j.

    ``weights``: (layers, heads, tokens, tokens), each row sums to 1, zero above the diagonal.
    """

    tokens: list[Token]
    weights: np.ndarray


@dataclass(frozen=True)
class Routing:
    """A mixture of experts' choices for one text.

    ``experts``: (layers, tokens, experts_used) expert numbers, the likeliest first.
    ``weights``: (layers, tokens, experts_used) weight given to each of them.
    ``probabilities``: (layers, tokens, experts) the router's probabilities for all experts.
    """

    tokens: list[Token]
    experts: np.ndarray
    weights: np.ndarray
    probabilities: np.ndarray


class Engine(Protocol):
    """One open model; this is all that anybody may ask of it.

    Where an engine cannot do something, it raises NotSupportedError, which names one that can.
    Close it with ``close()`` or use it as a context manager; every call after that raises a
    CourseError.
    """

    info: ModelInfo

    default_sampling: Sampling | None
    """What a call without settings samples with; None leaves that to a server."""

    keeps_cache: bool
    """Whether ``save_cache`` and ``load_cache`` work here."""

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""
        ...

    def close(self) -> None:
        """Be done with the model; its memory is freed when nobody else has it open."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(self, *_exception) -> None: ...

    def chat(
        self,
        messages: str | Sequence[Message],
        sampling: Sampling | None = None,
        *,
        tools: Tools = None,
        thinking_budget: int | None = None,
    ) -> Stream:
        """Stream a reply to a question or a conversation, thought, answer and calls marked.

        tools: what the model may call; nothing is run here, see ``course_utils.agents``.
        """
        ...

    def complete(self, text: str, sampling: Sampling | None = None) -> Stream:
        """Stream the continuation of a raw text, without any chat format."""
        ...

    def sample_many(self, prompt: str, n: int, sampling: Sampling | None = None) -> list[Reply]:
        """Draw n completions of one raw prompt (see ``render``) that share its prefix."""
        ...

    def render(self, messages: str | Sequence[Message], tools: Tools = None) -> str:
        """The exact text the model is given for these messages, its chat format applied."""
        ...

    def next_tokens(self, text: str, k: int = 10) -> list[NextToken]:
        """The k likeliest next tokens after a raw text, the likeliest first."""
        ...

    def score(self, text: str) -> list[ScoredToken]:
        """The log-probability of each token of a raw text, given those before it."""
        ...

    def tokenize(self, text: str) -> list[Token]:
        """Split a raw text into tokens; special tokens written in it are recognised."""
        ...

    def detokenize(self, tokens: Sequence[Token | int]) -> str:
        """The text of these tokens."""
        ...

    def attention(self, text: str) -> Attention:
        """The attention maps over a raw text (local engines only)."""
        ...

    def routing(self, text: str) -> Routing:
        """The router's choices over a raw text (local mixture-of-experts models only)."""
        ...

    def activations(self, text: str, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Intermediate results by name (local engines only)."""
        ...

    def activation_names(self) -> list[str]:
        """The names of all intermediate results (local engines only)."""
        ...

    def save_cache(self, path: Path | str) -> int:
        """Write the KV cache to a file; gives the number of tokens (where ``keeps_cache``)."""
        ...

    def load_cache(self, path: Path | str) -> int:
        """Read a KV cache from a file; gives the number of tokens (where ``keeps_cache``)."""
        ...
