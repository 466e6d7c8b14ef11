"""A reply: how it streams in, and how its thought is told from its answer.

A reasoning model writes ``<think>``, its thought, ``</think>`` and then the answer.  QwQ's chat
template already writes the opening tag into the prompt, so the reply itself may start inside the
thought (https://huggingface.co/Qwen/QwQ-32B, usage guidelines).

Three rules settle every case, streamed or not:

* A thought stands before the answer.  Once the answer has begun, a tag in it is ordinary text.
* Inside a thought, the first ``</think>`` ends it; a ``<think>`` there is ordinary text, except at
  its very start, where it only repeats the template's.
* White space around the tags is layout: it belongs to neither the thought nor the answer.
  A reply without any tag comes through unchanged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from course_utils.engines.checks import whole_number
from course_utils.engines.messages import Message
from course_utils.engines.tool_calls import BrokenCall, Call, ToolCall

OPENING = "<think>"
CLOSING = "</think>"

END_OF_THOUGHT = f"\n{CLOSING}\n\n"
"""What closes a thought that has used up its budget; QwQ's own layout."""

Kind = Literal["thinking", "answer", "call"]
"""What a piece of a reply belongs to; there are calls only where tools were offered."""

StopReason = Literal["end", "length", "context", "interrupted"]


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
    ``waiting`` is what a server says while a reply has not begun, such as a place in line.
    ``tokens_estimated`` is True where a server does not count the tokens of thought and answer,
    so that they had to be counted by the pieces it sent.  ``thinking_cut`` is True when the
    thinking budget ended the thought.  ``drafted_tokens`` were proposed by a draft (speculative
    decoding), and ``accepted_tokens`` of them were written.  Times are in seconds since the
    request.
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
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    waiting: str = ""

    @property
    def tokens(self) -> int:
        """Tokens generated, thought and answer together."""
        return self.thinking_tokens + self.answer_tokens

    @property
    def tokens_per_second(self) -> float:
        """Decoding speed: tokens after the first, per second after the first."""
        decoding = self.seconds - self.seconds_to_first_token
        return (self.tokens - 1) / decoding if self.tokens > 1 and decoding > 0 else 0.0

    @property
    def tokens_per_step(self) -> float:
        """Tokens for each step of the model: 1 without a draft, more with a good one."""
        steps = self.tokens - self.accepted_tokens
        return self.tokens / steps if steps > 0 else 0.0

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


# ---- thought and answer ----------------------------------------------------------------------


def mark_thinking(
    texts: Generator[tuple[str, int], None, None],
    reply: Reply,
    opened: bool | None,
    budget: int | None = None,
    end_thought: Callable[[], None] = lambda: None,
) -> Generator[Piece, None, None]:
    """The pieces of a text as it is generated, those of its thought marked; ``reply`` grows along.

    A token's text may be held back for the next ones (see ``ThinkingSplitter``), so it gives no
    piece, one or several.
    texts: the text of each token, and 1, or 0 for what does not count.
    opened: whether the prompt has opened the thought; None where all is answer.
    budget: tokens of thought after which ``end_thought()`` is called, once, to have the tags of
        its end written next.
    """
    splitter = ThinkingSplitter(opened)
    unshown = 0  # tokens whose text is still held back

    def kept(parts: list[tuple[Kind, str]]) -> list[Piece]:
        nonlocal unshown
        found = []
        for kind, text in parts:
            reply.add(kind, text)
            found.append(Piece(kind, text, unshown, reply.seconds))
            unshown = 0
        return found

    def cut_when_due() -> None:
        if splitter.kind == "thinking" and not reply.thinking_cut:
            reply.thinking_cut = reply.thinking_tokens >= budget
            if reply.thinking_cut:
                end_thought()

    try:
        if budget is not None:
            cut_when_due()
        for text, count in texts:
            kind = splitter.kind
            unshown += count
            if kind == "thinking":
                reply.thinking_tokens += count
            else:
                reply.answer_tokens += count
            if splitter.passes(text):  # nearly every one, so this is as short as can be
                if kind == "thinking":
                    reply.thinking += text
                else:
                    reply.answer += text
                piece = Piece(kind, text, unshown, reply.seconds)
                unshown = 0
                yield piece
            else:
                yield from kept(splitter.feed(text))
            if budget is not None:
                cut_when_due()
        yield from kept(splitter.close())
    finally:
        texts.close()
        kept(splitter.close())  # what is still held back, if the reply was ended early


class ThinkingSplitter:
    """Splits a reply while it streams in, however the pieces cut the tags.

    ``opened`` says whether the prompt already ends with ``<think>`` (see ``opens_thinking``); None
    that no thought is to be looked for, and all is answer.
    Text that could still turn out to be a tag, or the white space before one, is held back until
    the next piece; ``close()`` releases it.
    """

    __slots__ = ("_held", "_started", "_thought_seen", "kind")

    def __init__(self, opened: bool | None):
        self.kind: Kind = "thinking" if opened else "answer"
        """What the text read last belongs to: the thought or the answer."""
        # Has any text of this thought or of the answer been released?
        self._started = opened is None
        self._thought_seen = bool(opened)
        self._held = ""

    def feed(self, text: str) -> list[tuple[Kind, str]]:
        """Read one more piece of the reply; give back the pieces that are now certain."""
        return [(self.kind, text)] if self.passes(text) else self._split(self._held + text)

    def passes(self, text: str) -> bool:
        """Is all of this text certain at once, and of ``kind``? Such a text need not be fed."""
        if not text or not self._started:
            return False
        return self.kind == "answer" or not (self._held or "<" in text or text[-1].isspace())

    def close(self) -> list[tuple[Kind, str]]:
        """The reply is over: give back what was still held."""
        text, self._held = self._held, ""
        if self.kind == "thinking" or self._thought_seen:
            text = text.strip() if not self._started else text.rstrip()
        return [(self.kind, text)] if text else []

    def _split(self, text: str) -> list[tuple[Kind, str]]:
        pieces: list[tuple[Kind, str]] = []
        self._held = ""
        while text:
            if not self._started:
                begins = text.lstrip()
                if begins.startswith(OPENING):
                    text = begins[len(OPENING) :]
                    self.kind = "thinking"
                    self._thought_seen = True
                    continue
                if OPENING.startswith(begins):  # nothing yet, or the start of a tag
                    self._held = text
                    break
                if self._thought_seen:
                    text = begins
            if self.kind == "answer":
                self._started = True
                pieces.append(("answer", text))
                break
            end = text.find(CLOSING)
            if end >= 0:
                thought, text = text[:end].rstrip(), text[end + len(CLOSING) :]
                if thought:
                    pieces.append(("thinking", thought))
                self.kind = "answer"
                self._started = False
                continue
            certain = _certain_length(text)
            if certain:
                pieces.append(("thinking", text[:certain]))
                self._started = True
            self._held = text[certain:]
            break
        return pieces


def split_thinking(text: str, opened: bool | None = None) -> tuple[str, str]:
    """Split a whole reply into (thinking, answer), by the same rules as the streaming splitter.

    ``opened=None`` is for a text whose prompt is not known: a ``</think>`` that no ``<think>``
    comes before shows that the prompt had opened the thought.
    """
    if opened is None:
        opened = CLOSING in text and OPENING not in text[: text.index(CLOSING)]
    splitter = ThinkingSplitter(opened)
    parts: dict[Kind, list[str]] = {"thinking": [], "answer": []}
    for kind, piece in splitter.feed(text) + splitter.close():
        parts[kind].append(piece)
    return "".join(parts["thinking"]), "".join(parts["answer"])


def without_thinking(messages: Sequence[Message]) -> list[Message]:
    """The conversation with the thoughts dropped from the assistant's messages.

    QwQ's card asks for this: "historical model output should only include the final output part"
    (https://huggingface.co/Qwen/QwQ-32B, usage guidelines).  The messages given are not changed.
    """
    return [
        {**message, "content": split_thinking(message["content"])[1]}
        if message.get("role") == "assistant" and isinstance(message.get("content"), str)
        else dict(message)
        for message in messages
    ]


def opens_thinking(prompt: str) -> bool:
    """Does this prompt, its chat template applied, already end inside a thought?"""
    return prompt.rstrip().endswith(OPENING)


def checked_budget(value: object) -> int | None:
    """A thinking budget in tokens, None for no limit. Raises OptionError for anything else."""
    if value is None:
        return None
    return whole_number("thinking_budget", value, 0, unit="tokens")


def _certain_length(thought: str) -> int:
    """How much of an unfinished thought can be shown, whatever comes next.

    A trailing part of ``</think>`` and the white space before it have to wait.
    """
    end = len(thought)
    tag = thought.rfind("<")
    if tag >= 0 and CLOSING.startswith(thought[tag:]):
        end = tag
    return len(thought[:end].rstrip())
