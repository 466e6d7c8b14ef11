"""The decoding loop, alone: how a reply comes about.

Pick a token from the logits, hand it out as text, append it, and compute the next logits: that is
``decode``.  Everything else here says what a request asks for, and how tokens become pieces of
thought and answer.
"""

from __future__ import annotations

import codecs
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from course_utils.engines.local.cache import KVCache
from course_utils.engines.local.runtime import Model, Stopped
from course_utils.engines.local.samplers import Sampler
from course_utils.engines.local.turns import Turn, Turns
from course_utils.engines.protocol import Kind, Piece, Reply
from course_utils.engines.sampling import Sampling
from course_utils.engines.thinking import ThinkingSplitter


@dataclass
class Request:
    """What is asked for, and the reply as far as it has come.

    splitter: tells thought from answer; None where all is answer.
    thinking_budget: tokens after which ``end_of_thought`` is written in the model's name.
    stopping: set by a stop button, in any thread.
    """

    prompt: list[int]
    sampling: Sampling
    reply: Reply
    splitter: ThinkingSplitter | None = None
    thinking_budget: int | None = None
    end_of_thought: list[int] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def thinking(self) -> bool:
        """Whether the text read last belongs to the thought."""
        return self.splitter is not None and self.splitter.kind == "thinking"

    def cut_thought(self) -> list[int]:
        """The tokens that end the thought, when it has used up its budget; else none."""
        reply = self.reply
        if reply.thinking_cut or self.thinking_budget is None or not self.thinking:
            return []
        if reply.thinking_tokens < self.thinking_budget:
            return []
        reply.thinking_cut = True
        return self.end_of_thought


def decode(
    request: Request,
    *,
    model: Model,
    cache: KVCache,
    turns: Turns,
    check_open: Callable[[], None],
) -> Generator[Piece, None, None]:
    """The reply's pieces, token after token, until the model, a limit or the reader ends it.

    turns: between two pieces another caller may use the cache, see ``turns``.
    check_open: raises once the engine has been closed.
    """
    sampling, reply, stopping = request.sampling, request.reply, request.stopping
    writer = _Writer(request, model)
    sampler = Sampler(model, sampling)
    sampler.accept(request.prompt)
    text = list(request.prompt)
    forced = deque(request.cut_thought())  # tokens to append next instead of sampled ones
    sampled = 0
    turn = Turn()
    try:
        try:
            turns.take(turn, stopping)
            check_open()
            reply.cached_tokens = cache.read(text, stopping)
            while True:
                if forced:
                    token = forced.popleft()
                    sampler.accept([token])
                    pieces = writer.write(token, counts=False)
                else:
                    token = sampler(cache.context)
                    sampled += 1
                    if token in model.vocabulary.end_tokens:
                        reply.stop_reason = "end"
                        break
                    pieces = writer.write(token, counts=True)
                for piece in pieces:
                    turn.pause()
                    yield piece
                forced.extend(request.cut_thought())
                if sampled == sampling.max_tokens and not forced:
                    reply.stop_reason = "length"
                    break
                if len(text) == cache.context.size:
                    reply.stop_reason = "context"
                    break
                text.append(token)
                check_open()
                if turn.busy or turns.resume(turn, stopping):
                    cache.append(token, stopping)
                else:
                    # Somebody else used the cache in the meantime: read the whole text again.
                    cache.read(text, stopping)
        except Stopped:
            reply.stop_reason = "interrupted"
        finally:
            turns.give_back(turn)
            sampler.close()
        yield from writer.finish()
    finally:
        writer.finish()  # what is still held back, if the reply was ended early


class _Writer:
    """Turns tokens into pieces, and counts; the reply grows with them.

    A character may be spread over several tokens, and text that could still turn out to be a tag
    is held back: so a token gives no, one or several pieces.
    """

    def __init__(self, request: Request, model: Model):
        self._request = request
        self._bytes_of = model.vocabulary.bytes_of
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._started = time.perf_counter()
        self._unshown = 0  # tokens whose text is still held back

    def write(self, token: int, *, counts: bool) -> list[Piece]:
        """The pieces that this token makes certain. Forced tokens are ours, and not counted."""
        request, reply = self._request, self._request.reply
        reply.seconds = time.perf_counter() - self._started
        if counts:
            self._unshown += 1
            reply.seconds_to_first_token = reply.seconds_to_first_token or reply.seconds
            if request.thinking:
                reply.thinking_tokens += 1
            else:
                reply.answer_tokens += 1
        return self._pieces(self._split(self._decode(self._bytes_of(token))))

    def finish(self) -> list[Piece]:
        """The pieces that were held back; none the second time."""
        parts = self._split(self._decode(b"", True))
        if self._request.splitter is not None:
            parts += self._request.splitter.close()
        return self._pieces(parts)

    def _split(self, text: str) -> list[tuple[Kind, str]]:
        if self._request.splitter is not None:
            return self._request.splitter.feed(text)
        return [("answer", text)] if text else []

    def _pieces(self, parts: list[tuple[Kind, str]]) -> list[Piece]:
        reply, pieces = self._request.reply, []
        for kind, text in parts:
            reply.add(kind, text)
            pieces.append(Piece(kind, text, self._unshown, reply.seconds))
            self._unshown = 0
        return pieces
