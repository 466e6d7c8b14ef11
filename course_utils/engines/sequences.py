"""How are many completions of one prompt drawn at once? As llama.cpp sequences that share it.

The prompt is computed once.  Each completion is a sequence of its own in one KV cache, where the
prompt's keys and values are shared, and every step computes one token of each sequence together:
the weights are read once for all of them, which is what a CPU's memory is slow at.
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable
from dataclasses import replace

from course_utils.engines.protocol import Reply
from course_utils.engines.runtime import Batch, Context, Model, Sampler
from course_utils.engines.sampling import Sampling
from course_utils.engines.thinking import ThinkingSplitter
from course_utils.progress import Progress

# More sequences at once than this gain no speed on a CPU, where a step is then bound by
# arithmetic, and llama.cpp's attention looks at the cells of all of them.
SEQUENCES_AT_ONCE = 32

# The KV cache of all sequences together stays below this many tokens, or one full context.
CACHE_TOKENS = 32_768


def sample_many(
    model: Model,
    prompt: list[int],
    n: int,
    sampling: Sampling,
    *,
    context_size: int,
    end_tokens: frozenset[int],
    bytes_of: Callable[[int], bytes],
    opened: bool,
    settings: dict,
) -> list[Reply]:
    """Draw n completions of ``prompt``, in groups that fit the cache.

    context_size: the most tokens that prompt and completion may have together.
    opened: whether the prompt ends inside a thought.
    settings: threads, KV type and so on, as for ``Context``.
    """
    room = context_size - len(prompt)
    longest = min(sampling.max_tokens or room, room)
    at_once = max(1, min(n, SEQUENCES_AT_ONCE, CACHE_TOKENS // longest))
    replies: list[Reply] = []
    with Progress("sampling", n, " completions") as progress:
        while len(replies) < n:
            count = min(at_once, n - len(replies))
            context = Context(
                model, context=len(prompt) + count * longest, sequences=count, **settings
            )
            try:
                replies += _draw(
                    model,
                    context,
                    prompt,
                    len(replies),
                    count,
                    sampling,
                    longest,
                    end_tokens,
                    bytes_of,
                    opened,
                )
            finally:
                context.close()
            progress.reach(len(replies))
    return replies


def _draw(
    model: Model,
    context: Context,
    prompt: list[int],
    first: int,
    count: int,
    sampling: Sampling,
    longest: int,
    end_tokens: frozenset[int],
    bytes_of: Callable[[int], bytes],
    opened: bool,
) -> list[Reply]:
    started = time.perf_counter()
    batch = Batch(max(context.batch, count))
    samplers = [
        Sampler(
            model,
            sampling
            if sampling.seed is None
            else replace(sampling, seed=_nth(sampling.seed, first + i)),
        )
        for i in range(count)
    ]
    texts: list[list[int]] = [[] for _ in range(count)]
    replies = [Reply(prompt_tokens=len(prompt), stop_reason="length") for _ in range(count)]
    try:
        for start in range(0, len(prompt), context.batch):
            batch.clear()
            for position, token in enumerate(prompt[start : start + context.batch], start):
                batch.add(token, position, logits=position == len(prompt) - 1)
            context.decode(batch)
        for sequence in range(1, count):
            context.copy_sequence(0, sequence)
        # The last row of the prompt holds the logits from which every sequence starts.
        rows = dict.fromkeys(range(count), len(batch) - 1)
        while rows:
            batch.clear()
            next_rows: dict[int, int] = {}
            drawn = {sequence: samplers[sequence](context, row) for sequence, row in rows.items()}
            seconds = time.perf_counter() - started
            for sequence, token in drawn.items():
                reply, text = replies[sequence], texts[sequence]
                reply.seconds = seconds
                reply.seconds_to_first_token = reply.seconds_to_first_token or seconds
                if token in end_tokens:
                    reply.stop_reason = "end"
                    continue
                text.append(token)
                if len(text) < longest:
                    position = len(prompt) + len(text) - 1
                    next_rows[sequence] = batch.add(token, position, sequence=sequence, logits=True)
            if next_rows:
                context.decode(batch)
            rows = next_rows
    finally:
        batch.close()
        for sampler in samplers:
            sampler.close()
    for reply, text in zip(replies, texts, strict=True):
        _write(reply, text, bytes_of, opened)
    return replies


def _write(reply: Reply, tokens: list[int], bytes_of: Callable[[int], bytes], opened: bool) -> None:
    """Fill in a reply's texts and token counts from its tokens."""
    splitter = ThinkingSplitter(opened)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    pieces = []
    for token in tokens:
        if splitter.kind == "thinking":
            reply.thinking_tokens += 1
        else:
            reply.answer_tokens += 1
        pieces += splitter.feed(decoder.decode(bytes_of(token)))
    pieces += splitter.feed(decoder.decode(b"", final=True)) + splitter.close()
    reply.thinking = "".join(text for kind, text in pieces if kind == "thinking")
    reply.answer = "".join(text for kind, text in pieces if kind == "answer")


def _nth(seed: int, number: int) -> int:
    return (seed + number) % (2**32 - 1)
