"""How does a server's answer arrive while it is being written? Chunk by chunk, to its end or ours.

Servers differ in how they mark thoughts and in what they count; ``Chunk`` and ``TokenCounter`` are
where those differences end.
"""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import openai

from course_utils.engines.protocol import Kind, Reply, StopReason
from course_utils.engines.server_errors import BrokenOff, NotAnApi
from course_utils.engines.thinking import CLOSING, OPENING


class Chunk(NamedTuple):
    """One chunk of a streamed response, from the chat or the completion API.

    ``thought`` is text that the server itself marks as thought.  ``generated``, ``prompt_tokens``
    and ``cached_tokens`` are running counts, which only llama-server gives.
    """

    text: str
    thought: str
    finish: str | None
    usage: object | None
    generated: int | None
    prompt_tokens: int | None
    cached_tokens: int | None

    @classmethod
    def of(cls, chunk) -> Chunk:
        """Read one of the openai package's chunks."""
        text = thought = ""
        finish = None
        if chunk.choices:
            choice = chunk.choices[0]
            finish = choice.finish_reason
            delta = getattr(choice, "delta", None)
            if delta is None:
                text = choice.text or ""
            else:
                text = delta.content or ""
                # The first name is llama-server's, SGLang's and older vLLM's; the second is newer
                # vLLM's and Ollama's.
                thought = getattr(delta, "reasoning_content", None) or ""
                thought = thought or getattr(delta, "reasoning", None) or ""
        timings = getattr(chunk, "timings", None) or {}
        computed, cached = timings.get("prompt_n"), timings.get("cache_n")
        known = computed is not None and cached is not None
        return cls(
            text,
            thought,
            finish,
            chunk.usage,
            timings.get("predicted_n"),
            computed + cached if known else None,
            cached if known else None,
        )


def receive(
    open_stream: Callable[[], openai.Stream], stopping: threading.Event
) -> Generator[Chunk, None, None]:
    """A streamed response, chunk by chunk.

    A thread of its own waits for the server, so that an interrupt or ``stopping`` ends the reply at
    once, whatever the server is doing.  Ending it hangs up, on which servers stop generating.
    Raises BrokenOff where the response ends without a reason, NotAnApi where it is no stream.
    """
    arrived: queue.SimpleQueue = queue.SimpleQueue()
    call = _Call()

    def listen() -> None:
        try:
            with call.answered(open_stream()) as response:
                for chunk in response:
                    arrived.put(Chunk.of(chunk))
            arrived.put(None)
        except Exception as error:  # raised again by the reader
            arrived.put(error)

    threading.Thread(target=listen, name="model server", daemon=True).start()
    finished = False
    try:
        while not stopping.is_set():
            try:
                chunk = arrived.get(timeout=0.1)
            except queue.Empty:
                continue
            if isinstance(chunk, Exception):
                raise chunk
            if chunk is None:
                if not finished:
                    raise BrokenOff
                return
            finished = finished or chunk.finish is not None
            yield chunk
    finally:
        call.hang_up()


class _Call:
    """One streamed request, which can be hung up on from another thread."""

    def __init__(self):
        self._response: openai.Stream | None = None
        self._hung_up = False
        self._lock = threading.Lock()

    @contextmanager
    def answered(self, response: openai.Stream) -> Iterator[openai.Stream]:
        with self._lock:
            self._response = response
            hung_up = self._hung_up
        try:
            if hung_up:
                raise BrokenOff
            kind = response.response.headers.get("content-type", "")
            if not kind.startswith("text/event-stream"):
                raise NotAnApi(response.response.read()[:200].decode(errors="replace"))
            yield response
        finally:
            response.close()

    def hang_up(self) -> None:
        """End the connection, which also wakes a thread that is waiting for data on it."""
        with self._lock:
            self._hung_up = True
            response = self._response
        if response is not None:
            with suppress(OSError, KeyError, AttributeError):
                stream = response.response.extensions["network_stream"]
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


class TokenCounter:
    """Counts the tokens of one request into its reply, by the best figures the server offers."""

    def __init__(self, reply: Reply):
        self._reply = reply
        self._first_request = not reply.prompt_tokens
        self._generated = 0
        self._thinking = 0
        self._exact = True
        self.separated = False
        """Whether the server itself keeps thought and answer apart."""
        self._usage = None
        self._finish: str | None = None

    def note(self, chunk: Chunk) -> None:
        """Remember what this chunk says about the whole request."""
        self.separated = self.separated or bool(chunk.thought)
        self._usage = chunk.usage or self._usage
        self._finish = chunk.finish or self._finish
        if chunk.prompt_tokens and self._first_request:
            self._reply.prompt_tokens = chunk.prompt_tokens
            self._reply.cached_tokens = chunk.cached_tokens

    def count(self, chunk: Chunk, kind: Kind) -> int:
        """Add this chunk's tokens to the thought or the answer; gives their number.

        ``kind`` is what the text before it belongs to, unless the server itself says more.
        """
        if chunk.generated is None:
            self._exact = False
            tokens = 1
        else:
            tokens = chunk.generated - self._generated
        self._generated += tokens
        if chunk.thought or (kind == "thinking" and not self.separated):
            self._thinking += tokens
            self._reply.thinking_tokens += tokens
        else:
            self._reply.answer_tokens += tokens
        return tokens

    def settle(self, *, limited: bool) -> None:
        """The request is over: take over its reason to end, and its final counts."""
        if self._finish is None:
            return
        self._reply.stop_reason = stop_reason(self._finish, limited)
        usage = self._usage
        if usage is None:
            return
        if self._first_request and not self._reply.prompt_tokens:
            details = getattr(usage, "prompt_tokens_details", None)
            self._reply.prompt_tokens = usage.prompt_tokens
            self._reply.cached_tokens = getattr(details, "cached_tokens", None) or 0
        if self._exact:
            return
        # Servers count the token that ends the text; a reply here does not.
        total = usage.completion_tokens - (self._finish == "stop")
        details = getattr(usage, "completion_tokens_details", None)
        thinking = getattr(details, "reasoning_tokens", None) or min(self._thinking, total)
        self._reply.thinking_tokens += thinking - self._thinking
        self._reply.answer_tokens += (total - thinking) - (self._generated - self._thinking)


def tagged(chunks: Iterator[Chunk]) -> Iterator[tuple[Chunk, str]]:
    """Each chunk with its text; a thought that the server keeps apart is put into tags again.

    So one splitter, with one set of rules, serves all servers.
    """
    in_thought = False
    for chunk in chunks:
        text = ""
        if chunk.thought:
            text = chunk.thought if in_thought else OPENING + chunk.thought
            in_thought = True
        if chunk.text:
            text += CLOSING + chunk.text if in_thought else chunk.text
            in_thought = False
        yield chunk, text


def stop_reason(finish: str | None, limited: bool) -> StopReason:
    """Why a reply ended; without a limit of ours, only the context can have been too short."""
    if finish != "length":
        return "end"
    return "length" if limited else "context"
