"""How fast would DeepSeek-R1 write here, if 400 GB fitted? A few of its layers are measured.

A stand-in of two layers (one dense, one with 256 experts) and one of four (three dense, one with
experts) write tokens one by one.  Assumption: each byte of the other layers takes as long to read
and use as a byte of these.  The two extrapolations to 61 layers test it: where they agree, it
holds.
Takes about two minutes and 12 GiB of free memory.
"""

from __future__ import annotations

import dataclasses
import random
from statistics import median

from course_utils.machine import measure_memory_bandwidth, this_machine
from course_utils.model_files.quantisation import bytes_read_per_token
from course_utils.model_files.standin import standin
from tests.benchmarks.batching import load
from tests.benchmarks.report import show_place, write_report

MODEL = "deepseek-r1"
QUANTISATION = "Q4_K_M"
LAYERS = (2, 4)
TOKENS = 24


def measure(layers: int) -> dict[str, object]:
    """One row of the report."""
    bandwidths = [measure_memory_bandwidth(0.5)]
    draw = random.Random(layers)
    with standin(MODEL, QUANTISATION, layers=layers) as file:
        writer = load(file)
        try:
            times = [writer.step(1, position, draw) for position in range(TOKENS + 1)][1:]
        finally:
            writer.close()
    bandwidths.append(measure_memory_bandwidth(0.5))
    read = bytes_read_per_token(file.architecture, file.quantisation)
    whole = bytes_read_per_token(file.full, file.quantisation)
    bandwidth, seconds = median(bandwidths), median(times)
    row = {
        "bandwidth_gb_per_second": round(bandwidth / 1e9, 2),
        "model": MODEL,
        "quantisation": file.quantisation,
        "layers_run": layers,
        "dense_layers_run": file.architecture.experts.dense_layers,
        "all_layers": file.full.layers,
        "tokens": TOKENS,
        "file_run_gb": round(file.file_bytes / 1e9, 2),
        "gb_per_token_run": round(read / 1e9, 3),
        "gb_per_token": round(whole / 1e9, 3),
        "seconds_per_token_run": round(seconds, 4),
        "share_of_read_bandwidth": round(read / seconds / bandwidth, 3),
        "tokens_per_second_extrapolated": round(read / whole / seconds, 3),
    }
    print(
        f"{layers} layers: {1 / seconds:.2f} tokens per second; all {file.full.layers}: "
        f"{row['tokens_per_second_extrapolated']:.2f}",
        flush=True,
    )
    return row


def main() -> None:
    rows = [measure(layers) for layers in LAYERS]
    bandwidth = 1e9 * median(row["bandwidth_gb_per_second"] for row in rows)
    machine = dataclasses.replace(this_machine(), memory_bandwidth_bytes_per_second=bandwidth)
    show_place(write_report("r1-layers", rows, machine))


if __name__ == "__main__":
    main()
