"""How much slower does a model write after a long text, and is it what the plan says?

Eight layers of the stand-ins of QwQ-32B and Qwen3-30B-A3B take steps of one token after 0 to 32,768
tokens of text, and the whole model's speed is scaled up.  One check runs all 64 layers of QwQ-32B
with a cache in 8 bits, at the start and after as long a text as the memory holds.
How fast a core walks through the cache is printed at the end: those are the plan's
``WALKED_PER_CORE`` (``course_utils/model_files/speed.py``), rounded.
Takes about six minutes and 21 GiB of free memory; with less, the check is left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from statistics import median

from course_utils.engines.decoding_rates import measure_decoding_rates
from course_utils.engines.rehearsal_steps import LAYERS, StepRehearsal, rehearse_steps
from course_utils.machine import (
    Machine,
    available_memory_bytes,
    measure_memory_bandwidth,
    this_machine,
)
from course_utils.model_files.capacity import plan
from course_utils.model_files.catalogue import find_model
from course_utils.model_files.speed import attention_flops, walked_numbers
from course_utils.units import MIB
from tests.benchmarks.report import show_place, write_report

LENGTHS = (0, 8192, 16_384, 32_768)
EIGHT_LAYERS = (
    ("qwq-32b", "f16", True),
    ("qwq-32b", "f16", False),
    ("qwq-32b", "q8_0", True),
    ("qwq-32b", "q4_0", True),
    ("qwen3-30b-a3b", "f16", True),
)
"""Model, type of the cache, and whether flash attention is used."""
WHOLE, WHOLE_CACHE = "qwq-32b", "q8_0"
LEFT_FREE = 300 * MIB


def measure(
    model: str, kv_type: str, flash_attention: bool, lengths: Sequence[int], layers: int | None
) -> list[dict[str, object]]:
    """One row for each length, beside the plan for the speeds that were measured around it."""
    before = measure_memory_bandwidth(0.5)
    found = rehearse_steps(
        model, contexts=lengths, kv_type=kv_type, flash_attention=flash_attention, layers=layers
    )
    machine = measured_machine(before, model)
    print(found, flush=True)
    return [_row(found, machine, length) for length in sorted(lengths)]


def measured_machine(bandwidth_before: float, model: str) -> Machine:
    """This machine, with its bandwidth before and after a model's run, and its cores' rates."""
    mixture = find_model(model).architecture.experts is not None
    bandwidth = (bandwidth_before + measure_memory_bandwidth(0.5)) / 2
    machine = dataclasses.replace(this_machine(), memory_bandwidth_bytes_per_second=bandwidth)
    return measure_decoding_rates(machine, mixture=mixture).of(machine)


def speeds_of(machine: Machine) -> dict[str, object]:
    """The columns that say how fast the machine was in that minute."""
    waiting = machine.seconds_per_expert_layer
    return {
        "bandwidth_gb_per_second": round(machine.memory_bandwidth_bytes_per_second / 1e9, 2),
        "unpacking_gb_per_second": round(machine.unpacking_bytes_per_second / 1e9, 2),
        "overlap": round(machine.overlap, 2),
        "milliseconds_per_expert_layer": round(1e3 * waiting, 3) if waiting is not None else "",
    }


def _row(found: StepRehearsal, machine: Machine, length: int) -> dict[str, object]:
    planned = plan(found.model, max(length, 1), found.kv_type, machine, found.quantisation)
    seconds = found.seconds[length, 1]
    attending = seconds - found.seconds[0, 1]
    rate = attention_flops(planned.architecture, length) / attending if attending > 0 else 0.0
    return speeds_of(machine) | {
        "model": found.model,
        "quantisation": found.quantisation,
        "kv_type": found.kv_type,
        "flash_attention": found.flash_attention,
        "layers_run": found.layers,
        "all_layers": found.all_layers,
        "context": length,
        "seconds_per_step_run": round(found.run[length, 1], 4),
        "seconds_per_token": round(seconds, 4),
        "tokens_per_second": round(1 / seconds, 3),
        # A plan is for what the engine does unless told otherwise.
        "planned_tokens_per_second": round(1 / planned.seconds_per_step(context=length), 3)
        if found.flash_attention
        else "",
        "attention_gflops_per_core": round(rate / machine.cores / 1e9, 2) if rate else "",
    }


def walking_rates(rows: Sequence[dict[str, object]]) -> dict[str, float]:
    """By type of the cache: what ``WALKED_PER_CORE`` should be, from QwQ-32B's rows."""
    architecture = find_model(WHOLE).architecture
    operations = attention_flops(architecture, 1)
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["attention_gflops_per_core"] and row["model"] == WHOLE:
            kind = row["kv_type"] + ("" if row["flash_attention"] else " without flash attention")
            rate = 1e9 * row["attention_gflops_per_core"] / operations
            found.setdefault(kind, []).append(rate * walked_numbers(architecture, 1))
    return {kind: float(f"{median(rates):.2g}") for kind, rates in found.items()}


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
    for model, kv_type, flash_attention in EIGHT_LAYERS:
        layers = min(LAYERS, find_model(model).architecture.layers)
        rows += measure(model, kv_type, flash_attention, LENGTHS, layers)
    if longest := longest_that_fits():
        rows += measure(WHOLE, WHOLE_CACHE, True, (0, longest), None)
    else:
        print(f"The whole of {WHOLE} does not fit beside a cache: the check is left out.")
    print("Numbers of the cache passed per second and core:", walking_rates(rows))
    show_place(write_report("long-texts", rows, this_machine()))


if __name__ == "__main__":
    main()
