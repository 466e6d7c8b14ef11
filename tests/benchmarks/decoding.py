"""What does the engine add to ``llama_decode``, and to the memory, at the size of QwQ-32B?

A bare loop of C calls and the engine's own stream decode the 32 B stand-in by turns, a token each,
so that whatever else the machine does slows both alike.  The memory's bandwidth is measured between
them too.
Promise: the engine reaches at least 0.98 of the bare loop, and 0.85 of the read bandwidth.
Takes about two minutes and 19 GiB of free memory; with less, a part of the layers is run.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence

from course_utils.engines.local import LocalEngine, LocalOptions
from course_utils.machine import measure_memory_bandwidth, this_machine
from course_utils.model_files.capacity import plan
from course_utils.model_files.quantisation import bytes_read_per_token
from course_utils.model_files.standin import standin
from tests.benchmarks.report import show_place, write_report
from tests.benchmarks.streaming import bare, streamed

MODEL = "qwq-32b"
CONTEXT = 512
TOKENS = 24
TOKENS_BETWEEN_BANDWIDTHS = 6
LAYERS_WITH_LITTLE_MEMORY = 8
BARE = "bare llama_decode loop"


def by_turns(
    loops: Mapping[str, Iterator[None]], tokens: int, threads: Sequence[int | None] = (None,)
) -> tuple[dict[str, list[float]], dict[int | None, list[float]]]:
    """Seconds of each token of each loop, and the bandwidths measured between them.

    ``threads``: measure the bandwidth (bytes per second) with so many; None is one per core.
    """
    times: dict[str, list[float]] = {name: [] for name in loops}
    bandwidths: dict[int | None, list[float]] = {count: [] for count in threads}
    for turn in range(tokens + 1):
        for name, loop in loops.items():
            started = time.perf_counter()
            next(loop)
            if turn:  # the first turn reads the prompt and the file
                times[name].append(time.perf_counter() - started)
        if turn % TOKENS_BETWEEN_BANDWIDTHS == 0:
            for count, found in bandwidths.items():
                found.append(measure_memory_bandwidth(0.5, threads=count))
    return times, bandwidths


def main() -> None:
    planned = plan(MODEL, CONTEXT)
    layers = None if planned.fits else LAYERS_WITH_LITTLE_MEMORY
    with standin(MODEL, layers=layers) as file:
        engine = LocalEngine(file.path, options=LocalOptions(context=CONTEXT))
        engine._model.vocabulary.end_tokens = frozenset()
        settings = {name: engine.info.settings[name] for name in _SETTINGS}
        loops = {
            BARE: bare(engine, context=CONTEXT, **settings),
            "engine": streamed(engine),
        }
        times, found = by_turns(loops, TOKENS)
        bandwidths = found[None]
        per_token = bytes_read_per_token(file.architecture, file.quantisation)
        engine.close()
    read = statistics.median(bandwidths)
    speeds = {name: 1 / statistics.median(values) for name, values in times.items()}
    # Token by token against its neighbour: what slows the machine for a while cancels.
    shares = {
        name: statistics.median(b / t for b, t in zip(times[BARE], values, strict=True))
        for name, values in times.items()
    }
    rows = [
        {
            "loop": name,
            "model": MODEL,
            "quantisation": file.quantisation,
            "layers_run": file.architecture.layers,
            "tokens": TOKENS,
            "tokens_per_second": round(speed, 3),
            "share_of_bare_loop": round(shares[name], 3),
            "share_of_read_bandwidth": round(speed * per_token / read, 3),
        }
        for name, speed in speeds.items()
    ]
    for line in rows:
        print(
            f"{line['loop']:>24}: {line['tokens_per_second']:.3f} tokens per second, "
            f"{line['share_of_bare_loop']:.3f} of the bare loop, "
            f"{line['share_of_read_bandwidth']:.3f} of the read bandwidth",
            flush=True,
        )
    print("bandwidths:", ", ".join(f"{each / 1e9:.1f}" for each in bandwidths), "GB/s")
    machine = dataclasses.replace(this_machine(), memory_bandwidth_bytes_per_second=read)
    show_place(write_report("decoding", rows, machine))


_SETTINGS = ("threads", "kv_type", "flash_attention", "batch")


if __name__ == "__main__":
    main()
