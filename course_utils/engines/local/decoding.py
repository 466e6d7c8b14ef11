"""The decoding loop, alone: how a reply comes about.

Pick a token from the logits, hand it out as text, append it, and compute the next logits: that is
``decode``.  What of the text is thought and what is answer, ``reply.mark_thinking`` tells.
"""

from __future__ import annotations

import threading
import time
from codecs import utf_8_decode
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from course_utils.engines.local.cache import KVCache
from course_utils.engines.local.drafting import Draft
from course_utils.engines.local.runtime import Model, Stopped
from course_utils.engines.local.samplers import Sampler
from course_utils.engines.local.speculation import Lookahead
from course_utils.engines.local.turns import Turn, Turns
from course_utils.engines.reply import Reply
from course_utils.engines.sampling import Sampling


@dataclass
class Request:
    """What is asked for, and the reply, whose times and end are noted here.

    forced: tokens to append next instead of sampled ones, added by whoever reads the pieces.
    stopping: set by a stop button, in any thread.
    """

    prompt: list[int]
    sampling: Sampling
    forced: deque[int] = field(default_factory=deque)
    stopping: threading.Event = field(default_factory=threading.Event)
    reply: Reply = field(init=False)

    def __post_init__(self):
        self.reply = Reply(prompt_tokens=len(self.prompt), stop_reason="interrupted")


def decode(
    request: Request,
    *,
    model: Model,
    cache: KVCache,
    turns: Turns,
    check_open: Callable[[], None],
    draft: Draft | None = None,
    draft_tokens: int = 0,
) -> Generator[tuple[str, int], None, None]:
    """Each token's text, until the model, a limit or the reader ends the reply; and 1, its count.

    A character may be spread over several tokens; the last of them then has it in its text.
    Forced tokens are ours, and count 0.
    turns: between two pieces another caller may use the cache, see ``turns``.
    check_open: raises once the engine has been closed.
    draft: proposes at most ``draft_tokens`` for each step, see ``speculation``.
    """
    sampling, reply, stopping = request.sampling, request.reply, request.stopping
    forced, context, vocabulary = request.forced, cache.context, model.vocabulary
    started = time.perf_counter()
    unwritten = b""  # the first bytes of a character
    sampler = Sampler(model, sampling)
    sampler.accept(request.prompt)
    ahead = Lookahead(cache, draft, draft_tokens, reply)
    text = list(request.prompt)
    sampled = 0
    turn = Turn()
    try:
        turns.take(turn, stopping)
        check_open()
        reply.cached_tokens = ahead.read(text, stopping)
        while True:
            if forced:
                token, counts = forced.popleft(), 0
                sampler.accept([token])
            else:
                token, counts = sampler(context, ahead.row), 1
                if token in vocabulary.end_tokens:
                    reply.stop_reason = "end"
                    break
                sampled += 1
            now = time.perf_counter()
            reply.seconds = now - started
            if sampled == 1 and counts:
                reply.seconds_to_first_token = reply.seconds
            turn.pause(now)
            unwritten += vocabulary.bytes_of(token)
            written, used = utf_8_decode(unwritten, "replace")
            unwritten = unwritten[used:]
            yield written, counts
            if sampled == sampling.max_tokens and not forced:
                reply.stop_reason = "length"
                break
            if len(text) == context.size:
                reply.stop_reason = "context"
                break
            text.append(token)
            check_open()
            if turns.resume(turn, stopping):
                ahead.advance(text, stopping)
            else:
                # Somebody else used the cache in the meantime: read the whole text again.
                ahead.read(text, stopping)
    except Stopped:
        reply.stop_reason = "interrupted"
    finally:
        turns.give_back(turn)
        sampler.close()
    yield unwritten.decode("utf-8", "replace"), 0
