"""What holds decoding and prefill back: the memory, or the arithmetic of unpacking weights?

Some layers of QwQ-32B's stand-in decode and read prompts with one thread and with two, without and
with llama.cpp's repacked copy, by turns; the memory's bandwidth is measured between them with as
many threads.  If memory alone were the limit, one thread would decode at the bandwidth of one.
Takes about two minutes and 10 GiB of free memory.
"""

from __future__ import annotations

import dataclasses
import time
from statistics import median

from course_utils.engines import PLAIN
from course_utils.engines.local import LocalEngine, LocalOptions
from course_utils.engines.local.runtime import repacking_crashes
from course_utils.machine import this_machine
from course_utils.model_files.catalogue import find_model
from course_utils.model_files.quantisation import bytes_read_per_token
from course_utils.model_files.standin import nonsense, standin
from tests.benchmarks.decoding import by_turns
from tests.benchmarks.report import show_place, write_report
from tests.benchmarks.streaming import streamed

MODEL = "qwq-32b"
LAYERS = 8
THREADS = (1, 2)
PROMPT_TOKENS = 32
PROMPTS = 3
TOKENS = 24

Settings = tuple[int, bool]
"""Threads, and whether the weights are repacked."""


def prefill_speeds(engines: dict[Settings, LocalEngine]) -> dict[Settings, float]:
    """Tokens per second of prefill: the median of some prompts, read by turns."""
    rates: dict[Settings, list[float]] = {settings: [] for settings in engines}
    for turn in range(PROMPTS):
        # A new first word each time: an engine does not read again what its cache holds.
        prompt = nonsense(PROMPT_TOKENS, find_model(MODEL).architecture.vocabulary, seed=turn)
        for settings, engine in engines.items():
            started = time.perf_counter()
            engine.complete(prompt, PLAIN.but(top_k=40, max_tokens=1, seed=0)).finish()
            rates[settings].append(PROMPT_TOKENS / (time.perf_counter() - started))
    return {settings: median(found) for settings, found in rates.items()}


def main() -> None:
    rows = []
    with standin(MODEL, layers=LAYERS) as file:
        engines = {
            (threads, repack): LocalEngine(
                file.path, options=LocalOptions(context=512, threads=threads, repack=repack)
            )
            for threads in THREADS
            for repack in ((False,) if repacking_crashes() else (False, True))
        }
        for engine in engines.values():
            engine._model.vocabulary.end_tokens = frozenset()
        prefill = prefill_speeds(engines)
        loops = {settings: streamed(engine) for settings, engine in engines.items()}
        times, bandwidths = by_turns(loops, TOKENS, THREADS)
        per_token = bytes_read_per_token(file.architecture, file.quantisation)
        for engine in engines.values():
            engine.close()
    for (threads, repack), seconds in times.items():
        read, bandwidth = per_token / median(seconds), median(bandwidths[threads])
        rows.append(
            {
                "bandwidth_gb_per_second": round(bandwidth / 1e9, 2),
                "model": MODEL,
                "quantisation": file.quantisation,
                "layers_run": LAYERS,
                "threads": threads,
                "repack": repack,
                "prefill_tokens_per_second": round(prefill[threads, repack], 2),
                "decode_tokens_per_second": round(1 / median(seconds), 3),
                "decode_gb_per_second": round(read / 1e9, 2),
                "share_of_read_bandwidth": round(read / bandwidth, 3),
            }
        )
        print(
            f"{threads} threads, {'repacked' if repack else 'shared'}: prefill "
            f"{prefill[threads, repack]:.1f} tokens per second; decoding reads {read / 1e9:.1f} of "
            f"{bandwidth / 1e9:.1f} GB/s, {read / bandwidth:.2f}",
            flush=True,
        )
    machine = dataclasses.replace(
        this_machine(), memory_bandwidth_bytes_per_second=median(bandwidths[max(THREADS)])
    )
    show_place(write_report("one-and-two-threads", rows, machine))


if __name__ == "__main__":
    main()
