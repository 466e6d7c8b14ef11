"""How long is one step of a model, by the tokens it computes and the text that came before?

A step computes one token when a model writes alone, and several when it checks a draft's
(``local.speculation``).  The steps here are those of ``llama_decode`` itself, with the logits after
every token.  The text before them is not read: the cache is filled with copies of a short one.
This module is also the program that measures a stand-in in a process of its own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from course_utils.engines.local import LocalEngine, LocalOptions
from course_utils.engines.local.loading import context_bytes, refuse_unless_room
from course_utils.engines.local.long_cache import fill
from course_utils.engines.local.runtime import Batch, Context
from course_utils.engines.rehearsal_process import report_to_parent
from course_utils.model_files.architectures import Architecture
from course_utils.model_files.standin import LIVE_ROWS

READ_TOKENS = 64
"""Tokens that are really read, and then copied; enough to reach nearly all experts of a mixture."""

STEPS = 7
LEAST_STEPS = 3
SECONDS_PER_LENGTH = 60.0
"""At one length of text so many steps of each kind are timed, but only ``LEAST_STEPS`` once that
takes longer than this."""


def measure_steps(
    path: str,
    contexts: Sequence[int],
    tokens: Sequence[int],
    kv_type: str = "f16",
    threads: int | None = None,
    flash_attention: bool | None = None,
) -> Iterator[dict]:
    """Time steps in this process; yields progress, then the median seconds of each.

    contexts: tokens in the cache before the step.  tokens: how many a step computes; those of one
    length are timed by turns, so that whatever else the machine does slows all alike.

    Raises MachineError where the memory does not hold the cache beside the model.
    """
    size = max(*contexts, READ_TOKENS) + max(tokens)
    architecture = Architecture.from_gguf(path)
    options = LocalOptions(
        context=READ_TOKENS,
        threads=threads,
        repack=False,
        kv_type=kv_type,
        flash_attention=flash_attention,
    )
    refuse_unless_room(
        context_bytes(
            architecture,
            context=size,
            kv_type=kv_type,
            batch=READ_TOKENS,
            flash_attention=flash_attention is not False,
        ),
        f"A cache of {size:,} tokens",
        'Measure at a shorter length, with kv_type="q8_0", or with fewer layers.',
    )
    yield {"percent": 1}
    engine = LocalEngine(Path(path), options=options)
    settings = {
        name: engine.info.settings[name] for name in ("threads", "kv_type", "flash_attention")
    }
    context = Context(
        engine._model, context=size, sequences=2, batch=max(READ_TOKENS, *tokens), **settings
    )
    draw = random.Random(0)
    known = range(min(LIVE_ROWS, architecture.vocabulary))
    found = []
    try:
        for place, length in enumerate(contexts):
            yield {"percent": 10 + 85 * place // len(contexts)}
            position = fill(context, length, draw.choices(known, k=READ_TOKENS))
            times = _time_steps(context, position, tokens, draw, known)
            found += [
                {"context": length, "tokens": count, "seconds": median(times[count])}
                for count in tokens
            ]
    finally:
        context.close()
        engine.close()
    yield {"measured": found}


def _time_steps(
    context: Context, position: int, tokens: Sequence[int], draw: random.Random, known: range
) -> dict[int, list[float]]:
    times: dict[int, list[float]] = {count: [] for count in tokens}
    batch = Batch(max(tokens))
    started = time.perf_counter()
    try:
        for turn in range(STEPS + 1):
            if turn > LEAST_STEPS and time.perf_counter() - started > SECONDS_PER_LENGTH:
                break
            for count in tokens:
                batch.clear()
                for place in range(count):
                    batch.add(draw.choice(known), position + place, logits=True)
                begun = time.perf_counter()
                context.decode(batch)
                if turn:  # the first reads weights from the disk
                    times[count].append(time.perf_counter() - begun)
                context.keep_first(position)
    finally:
        batch.close()
    return times


if __name__ == "__main__":
    report_to_parent(measure_steps)
