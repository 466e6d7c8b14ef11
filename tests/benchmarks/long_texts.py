"""How much slower does a model write after a long text, and is it what the plan says?

Eight layers of the stand-ins of QwQ-32B and Qwen3-30B-A3B take steps of one token after 0 to 32,768
tokens of text, and the whole model's speed is scaled up.  One check runs all 64 layers of QwQ-32B
with a cache in 8 bits, at the start and after as long a text as the memory holds.
Takes about six minutes and 20 GiB of free memory; with less, the check is left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from course_utils.engines.rehearsal_steps import LAYERS, StepRehearsal, rehearse_steps
from course_utils.machine import (
    Machine,
    available_memory_bytes,
    measure_memory_bandwidth,
    this_machine,
)
from course_utils.model_files.capacity import plan
from course_utils.model_files.catalogue import find_model
from course_utils.units import MIB
from tests.benchmarks.report import show_place, write_report

LENGTHS = (0, 8192, 16_384, 32_768)
EIGHT_LAYERS = (
    ("qwq-32b", "f16"),
    ("qwq-32b", "q8_0"),
    ("qwq-32b", "q4_0"),
    ("qwen3-30b-a3b", "f16"),
)
WHOLE, WHOLE_CACHE = "qwq-32b", "q8_0"
LEFT_FREE = 300 * MIB


def measure(
    model: str, kv_type: str, lengths: Sequence[int], layers: int | None
) -> list[dict[str, object]]:
    """One row for each length, beside the plan for the bandwidth that was measured around it."""
    before = measure_memory_bandwidth(0.5)
    found = rehearse_steps(model, contexts=lengths, kv_type=kv_type, layers=layers)
    bandwidth = (before + measure_memory_bandwidth(0.5)) / 2
    print(found, flush=True)
    machine = dataclasses.replace(this_machine(), memory_bandwidth_bytes_per_second=bandwidth)
    return [_row(found, machine, length) for length in sorted(lengths)]


def _row(found: StepRehearsal, machine: Machine, length: int) -> dict[str, object]:
    planned = plan(found.model, max(length, 1), found.kv_type, machine, found.quantisation)
    seconds = found.seconds[length, 1]
    return {
        "bandwidth_gb_per_second": round(machine.memory_bandwidth_bytes_per_second / 1e9, 2),
        "model": found.model,
        "quantisation": found.quantisation,
        "kv_type": found.kv_type,
        "layers_run": found.layers,
        "all_layers": found.all_layers,
        "context": length,
        "seconds_per_step_run": round(found.run[length, 1], 4),
        "seconds_per_token": round(seconds, 4),
        "tokens_per_second": round(1 / seconds, 3),
        "planned_tokens_per_second": round(1 / planned.seconds_per_step(context=length), 3),
    }


def longest_that_fits() -> int:
    """The longest of ``LENGTHS`` whose cache fits beside the whole model, 0 for none of them."""
    free = available_memory_bytes()
    fitting = [
        length
        for length in LENGTHS
        if plan(WHOLE, max(length, 1), WHOLE_CACHE).needed_bytes + LEFT_FREE <= free
    ]
    return max(fitting, default=0)


def main() -> None:
    rows = []
    for model, kv_type in EIGHT_LAYERS:
        layers = min(LAYERS, find_model(model).architecture.layers)
        rows += measure(model, kv_type, LENGTHS, layers)
    if longest := longest_that_fits():
        rows += measure(WHOLE, WHOLE_CACHE, (0, longest), None)
    else:
        print(f"The whole of {WHOLE} does not fit beside a cache: the check is left out.")
    show_place(write_report("long-texts", rows, this_machine()))


if __name__ == "__main__":
    main()
