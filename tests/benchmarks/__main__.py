"""Run all benchmarks: ``make bench``, or ``python -m tests.benchmarks [name ...]``."""

import sys

from tests.benchmarks import (
    batching,
    class_server,
    decoding,
    full_size,
    long_texts,
    nano_cache,
    nano_quantisation,
    one_and_two_threads,
    r1_layers,
    recording,
    speed_row,
    step_price,
    streaming,
)

BENCHMARKS = {
    "streaming": streaming.main,
    "recording": recording.main,
    "nano-quantisation": nano_quantisation.main,
    "nano-cache": nano_cache.main,
    "full-size": full_size.main,
    "decoding": decoding.main,
    "one-and-two-threads": one_and_two_threads.main,
    "batching": batching.main,
    "class-server": class_server.main,
    "r1-layers": r1_layers.main,
    "long-texts": long_texts.main,
    "step-price": step_price.main,
    "speed-row": speed_row.main,
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}. Choose from: {', '.join(BENCHMARKS)}.")
        return 2
    for name in names or BENCHMARKS:
        print(f"== {name} ==", flush=True)
        BENCHMARKS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
