"""The ``Engine`` protocol: what every model in this course can do, wherever it runs.

It is the one way the notebooks speak to a model.  ``local`` keeps the promise with llama.cpp in
this process, ``server`` with any OpenAI-compatible server.  What both are asked for is checked in
``checks.py``.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from course_utils.engines.sampling import Sampling
from course_utils.engines.tool_calls import BrokenCall, Call, ToolCall

Kind = Literal["thinking", "answer", "call"]
"""What a piece of a reply belongs to; there are calls only where tools were offered."""

StopReason = Literal["end", "length", "context", "interrupted"]

Message = dict[str, Any]
"""A chat message, as in OpenAI's API: {"role": ..., "content": text}, by "system", "user",
"assistant" or "tool"; one of the assistant may hold ``tool_calls``."""

ToolSchema = Mapping[str, object]
"""A function the model may call, as in OpenAI's API: {"type": "function", "function": {...}}."""


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


class Piece(NamedTuple):
    """A piece of a streamed reply: its text, and whether it is thought, answer or tool call.

    ``tokens`` counts the tokens of this piece (0 when only held-back text is released), and
    ``seconds`` is the time since the request.
    """

    kind: Kind
    text: str
    tokens: int
    seconds: float


@dataclass
class Reply:
    """A finished reply: thought, answer and tool calls apart, with what they cost.

    ``tool_calls`` are those of a reply that was offered tools, in order; ``answer`` is then the
    text outside of them, but their tokens count as the answer's.

    ``prompt_tokens`` counts the whole prompt, ``cached_tokens`` the part of it that was already
    in the KV cache and cost nothing; each is None where a server does not say.
    ``tokens_estimated`` is True where a server does not count the tokens of thought and answer,
    so that they had to be counted by the pieces it sent.  ``thinking_cut`` is True when the
    thinking budget ended the thought.  Times are in seconds since the request.
    """

    thinking: str = ""
    answer: str = ""
    prompt_tokens: int | None = 0
    cached_tokens: int | None = 0
    thinking_tokens: int = 0
    answer_tokens: int = 0
    tokens_estimated: bool = False
    seconds_to_first_token: float = 0.0
    seconds: float = 0.0
    stop_reason: StopReason = "end"
    thinking_cut: bool = False
    tool_calls: list[Call] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """Tokens generated, thought and answer together."""
        return self.thinking_tokens + self.answer_tokens

    @property
    def tokens_per_second(self) -> float:
        """Decoding speed: tokens after the first, per second after the first."""
        decoding = self.seconds - self.seconds_to_first_token
        return (self.tokens - 1) / decoding if self.tokens > 1 and decoding > 0 else 0.0

    def add(self, kind: Kind, text: str) -> None:
        """Append text that has arrived."""
        if kind == "thinking":
            self.thinking += text
        else:
            self.answer += text

    def message(self) -> Message:
        """This reply as a message for the history: without the thought, as QwQ's card asks.

        Tool calls stay, so that their results can follow; what could not be read as a call stays
        in the text as it was written.
        Source: https://huggingface.co/Qwen/QwQ-32B, usage guidelines.
        """
        broken = [call.as_text() for call in self.tool_calls if isinstance(call, BrokenCall)]
        made = [call.as_json() for call in self.tool_calls if isinstance(call, ToolCall)]
        content = "\n".join(filter(None, [self.answer, *broken]))
        message: Message = {"role": "assistant", "content": content}
        return message | {"tool_calls": made} if made else message


class Stream:
    """A reply while it is being written: iterate over it for pieces, then read ``reply``.

    ``finish()`` runs it to its end and returns the ``Reply``.  Leaving the loop early is fine;
    ``reply`` then holds what had arrived.  ``stop()`` ends it from any thread, for stop buttons;
    ``stopping`` is the event behind it, which an engine may watch during long computations.
    """

    def __init__(
        self,
        pieces: Generator[Piece, None, None],
        reply: Reply,
        stopping: threading.Event | None = None,
    ):
        self._pieces = pieces
        self._reading = threading.Lock()
        self.reply = reply
        self.stopping = stopping or threading.Event()

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        with self._reading:  # each piece goes to one reader
            if self.stopping.is_set():
                self._pieces.close()
            return next(self._pieces)

    def finish(self) -> Reply:
        for _ in self:
            pass
        return self.reply

    def stop(self) -> None:
        """Ask the reply to end early. Safe from any thread; returns at once."""
        self.stopping.set()

    def close(self) -> None:
        """End the reply and let others use the engine; waits for a piece that is on its way."""
        with self._reading:
            self._pieces.close()


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
        tools: Sequence[ToolSchema] | None = None,
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

    def render(
        self, messages: str | Sequence[Message], tools: Sequence[ToolSchema] | None = None
    ) -> str:
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
