"""What does streaming through the engine cost over a bare ``llama_decode`` loop?

Both decode the same number of tokens from the nano thinker with the same sampling.  They take turns
a few tokens at a time, so that a busy machine slows both alike, and the medians are compared.  The
bare loop writes no text and does not look whether the logits are numbers; the stream does both.
Aim: at most 5 % more.  Measured: no more than the noise at 4,000 tokens, and a tenth more at 100,
where the nano thinker needs half a millisecond for a token.  It is about 60 µs of Python, whatever
the model: taking turns, looking whether the engine is still open, text, and the pieces themselves.
"""

import statistics
import time
from collections.abc import Iterator

import llama_cpp.llama_cpp as C

from course_utils.engines import PLAIN
from course_utils.engines.local import LocalEngine, LocalOptions
from course_utils.engines.local.runtime import Context
from course_utils.engines.local.samplers import Sampler
from course_utils.paths import nano_folder

PROMPT = "The"
CONTEXT = 4352
TOKENS_PER_TURN = 10


def bare(
    engine: LocalEngine,
    *,
    context: int = CONTEXT,
    threads: int = 1,
    kv_type: str = "f32",
    **options,
) -> Iterator[None]:
    """Sample and decode with the C functions alone; one step for each token."""
    context = Context(engine._model, context=context, threads=threads, kv_type=kv_type, **options)
    sampler = Sampler(engine._model, PLAIN.but(seed=0))
    prompt = engine._model.vocabulary.tokenize(PROMPT, special=True)
    tokens = (C.llama_token * len(prompt))(*prompt)
    one = (C.llama_token * 1)()
    batch = C.llama_batch_get_one(one, 1)
    with context.handle as pointer:
        C.llama_decode(pointer, C.llama_batch_get_one(tokens, len(prompt)))
        while True:
            one[0] = C.llama_sampler_sample(sampler.chain, pointer, -1)
            C.llama_decode(pointer, batch)
            yield


def streamed(engine: LocalEngine) -> Iterator[None]:
    """The engine's own stream; one step for each token."""
    shown = 0
    for piece in engine.complete(PROMPT, PLAIN.but(seed=0)):
        shown += piece.tokens
        while shown:
            shown -= 1
            yield


def microseconds_per_token(tokens: int) -> dict[str, float]:
    """Median time of a token near position ``tokens``, bare and streamed.

    Where a cache comes to lie in memory makes two equal loops differ by some percent, so that each
    call has new ones.
    """
    options = LocalOptions(context=CONTEXT)
    with LocalEngine(nano_folder() / "thinker.gguf", options=options) as engine:
        # The model would stop by itself; the measurement must not.
        engine._model.vocabulary.end_tokens = frozenset()
        return _by_turns(engine, tokens)


def _by_turns(engine: LocalEngine, tokens: int) -> dict[str, float]:
    loops = {"bare": bare(engine), "streamed": streamed(engine)}
    times: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(tokens // TOKENS_PER_TURN):
        for name, loop in loops.items():
            started = time.perf_counter()
            for _ in range(TOKENS_PER_TURN):
                next(loop)
            elapsed = (time.perf_counter() - started) / TOKENS_PER_TURN
            if turn >= tokens // TOKENS_PER_TURN - 10:
                times[name].append(elapsed * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    for tokens in (100, 4000):
        rounds = [microseconds_per_token(tokens) for _ in range(15 if tokens == 100 else 5)]
        ratios = [each["streamed"] / each["bare"] for each in rounds]
        print(
            f"at {tokens:>5} tokens: bare {statistics.median(r['bare'] for r in rounds):.0f} µs, "
            f"streamed {statistics.median(r['streamed'] for r in rounds):.0f} µs a token, "
            f"ratio {statistics.median(ratios):.3f}"
        )


if __name__ == "__main__":
    main()
