"""Many completions of one prompt at once, as llama.cpp sequences that share it.

The prompt is computed once.  Each completion is a sequence of its own in one KV cache, where the
prompt's keys and values are shared, and every step computes one token of each sequence together:
the weights are read once for all of them, which is what a CPU's memory is slow at.
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Generator
from dataclasses import dataclass, replace

from course_utils.engines.local.loading import context_bytes, refuse_unless_room, room_for
from course_utils.engines.local.runtime import Batch, Context, Model
from course_utils.engines.local.samplers import Sampler
from course_utils.engines.reply import Reply, mark_thinking
from course_utils.engines.sampling import Sampling
from course_utils.model_files.architectures import Architecture
from course_utils.progress import Progress

# More sequences at once than this gain no speed on a CPU, where a step is then bound by
# arithmetic, and llama.cpp's attention looks at the cells of all of them.
SEQUENCES_AT_ONCE = 32

# The KV cache of all sequences together stays below this many tokens, or one full context.
CACHE_TOKENS = 32_768


@dataclass(frozen=True)
class Draw:
    """What is drawn: completions of ``prompt`` of at most ``longest`` tokens.

    opened: whether the prompt ends inside a thought.
    settings: threads, KV type and so on, as for ``Context``.
    """

    model: Model
    prompt: list[int]
    sampling: Sampling
    longest: int
    opened: bool
    settings: dict


def sample_many(
    model: Model,
    prompt: list[int],
    n: int,
    sampling: Sampling,
    *,
    context_size: int,
    opened: bool,
    settings: dict,
    architecture: Architecture | None,
) -> list[Reply]:
    """Draw n completions of ``prompt``, in groups that fit the cache and the machine's memory.

    context_size: the most tokens that prompt and completion may have together.
    architecture: the model's shape, for counting memory; None where it is not known.
    """
    # As in a stream, the last token needs no room of its own.
    room = context_size - len(prompt) + 1
    draw = Draw(
        model, prompt, sampling, min(sampling.max_tokens or room, room), opened, dict(settings)
    )
    at_once = _sequences_at_once(draw, n, architecture)
    replies: list[Reply] = []
    with Progress("sampling", n, " completions") as progress:
        while len(replies) < n:
            replies += _draw_group(draw, len(replies), min(at_once, n - len(replies)))
            progress.reach(len(replies))
    return replies


def _sequences_at_once(draw: Draw, n: int, architecture: Architecture | None) -> int:
    """As many as the cache and the free memory allow. Raises MachineError for not even one."""
    count = max(1, min(n, SEQUENCES_AT_ONCE, CACHE_TOKENS // draw.longest))

    def need(sequences: int) -> int:
        return context_bytes(
            architecture,
            context=_cache_tokens(draw, sequences),
            kv_type=draw.settings["kv_type"],
            batch=max(draw.settings["batch"], sequences),
            flash_attention=draw.settings["flash_attention"],
        )

    while count > 1 and not room_for(need(count)):
        count -= 1
    refuse_unless_room(
        need(count),
        f"One completion of up to {draw.longest:,} tokens",
        "Ask for shorter ones with sampling.but(max_tokens=...), open the model with a smaller "
        "context or with kv_type='q8_0', or draw them one by one with complete().",
    )
    return count


def _cache_tokens(draw: Draw, sequences: int) -> int:
    return len(draw.prompt) + sequences * draw.longest


def _draw_group(draw: Draw, first: int, count: int) -> list[Reply]:
    """``count`` completions at once, whose seeds begin at number ``first``."""
    started = time.perf_counter()
    model, prompt, end_tokens = draw.model, draw.prompt, draw.model.vocabulary.end_tokens
    # A step holds a part of the prompt, and later one token of each sequence.
    settings = draw.settings | {"batch": max(draw.settings["batch"], count)}
    context = Context(model, context=_cache_tokens(draw, count), sequences=count, **settings)
    batch = Batch(context.batch)
    samplers = [Sampler(model, _with_seed(draw.sampling, first + i)) for i in range(count)]
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
        for sampler in samplers:
            sampler.accept(prompt)
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
                if len(text) < draw.longest:
                    position = len(prompt) + len(text) - 1
                    next_rows[sequence] = batch.add(token, position, sequence=sequence, logits=True)
            if next_rows:
                context.decode(batch)
            rows = next_rows
    finally:
        for held in (batch, context, *samplers):
            held.close()
    for reply, text in zip(replies, texts, strict=True):
        if len(text) == draw.longest and draw.longest != draw.sampling.max_tokens:
            reply.stop_reason = "context"
        _write(reply, text, model, draw.opened)
    return replies


def _with_seed(sampling: Sampling, number: int) -> Sampling:
    """The settings for one completion: its own seed, if there is one."""
    if sampling.seed is None:
        return sampling
    return replace(sampling, seed=(sampling.seed + number) % (2**32 - 1))


def _write(reply: Reply, tokens: list[int], model: Model, opened: bool) -> None:
    """Fill in a reply's texts and token counts from its tokens."""
    as_text = codecs.getincrementaldecoder("utf-8")("replace").decode

    def texts() -> Generator[tuple[str, int], None, None]:
        for token in tokens:
            yield as_text(model.vocabulary.bytes_of(token)), 1
        yield as_text(b"", True), 0

    for _ in mark_thinking(texts(), reply, opened):
        pass
