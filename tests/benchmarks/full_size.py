"""How fast are the large models on this machine, and did the plan foresee it?

Rehearses QwQ-32B and Qwen3-30B-A3B at full size (each about a minute, 20 GB of memory), and both
with a few layers with and without llama.cpp's repacked copy.  The rows go to
``models/full_size.csv``, which notebooks 05 and 06 draw, marked with the machine they are from.
Promise: resident memory within 3 % of the plan, decoding speed within 15 %.
"""

import csv
import dataclasses
from pathlib import Path

from course_utils.engines.rehearsal import Rehearsal, rehearse
from course_utils.machine import Machine, measure_memory_bandwidth, this_machine
from course_utils.paths import models_folder

REPORT = models_folder() / "full_size.csv"
COMMAND = "python -m tests.benchmarks full-size"

RUNS = (
    {"model": "qwq-32b"},
    {"model": "qwen3-30b-a3b"},
    {"model": "qwq-32b", "layers": 8, "context": 2048},
    {"model": "qwq-32b", "layers": 8, "context": 2048, "repack": True},
    {"model": "qwen3-30b-a3b", "layers": 8, "context": 2048},
    {"model": "qwen3-30b-a3b", "layers": 8, "context": 2048, "repack": True},
)


def measured_now() -> Machine:
    """This machine, its bandwidth measured afresh: a busy neighbour changes it in a minute."""
    return dataclasses.replace(
        this_machine(), memory_bandwidth_bytes_per_second=measure_memory_bandwidth()
    )


def row(found: Rehearsal) -> dict[str, object]:
    """One rehearsal as a row of the report."""
    planned, machine = found.plan, found.plan.machine
    return {
        "cpu": machine.cpu_name,
        "cores": machine.cores,
        "memory_gib": round(machine.total_memory_bytes / 2**30, 1),
        "bandwidth_gb_per_second": round(machine.memory_bandwidth_bytes_per_second / 1e9, 2),
        "model": planned.model,
        "quantisation": planned.mix,
        "layers": found.layers,
        "all_layers": found.all_layers,
        "context": planned.context,
        "kv_type": planned.kv_type,
        "repack": found.measured.settings["repack"],
        "file_gb": round(planned.memory.weights / 1e9, 3),
        "disk_mb": round(found.disk_bytes / 1e6, 1),
        "gb_per_token": round(planned.bytes_per_token / 1e9, 3),
        "load_seconds": round(found.load_seconds, 1),
        "planned_memory_gib": round(planned.memory.total / 2**30, 2),
        "memory_gib_resident": round(found.resident_bytes / 2**30, 2),
        "memory_gib_private": round(found.measured.private_bytes / 2**30, 2),
        "prefill_tokens_per_second": round(found.prefill_tokens_per_second, 2),
        "ceiling_tokens_per_second": round(planned.ceiling, 3),
        "planned_tokens_per_second": round(planned.tokens_per_second, 3),
        "decode_tokens_per_second": round(found.decode_tokens_per_second, 3),
        "seconds": round(found.seconds, 1),
        "command": COMMAND,
    }


def write(rows: list[dict[str, object]], path: Path = REPORT) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    rows = []
    for run in RUNS:
        found = rehearse(**run, machine=measured_now())
        print(found)
        if not found.extrapolated:
            print(
                f"  against the plan: memory {found.memory_against_plan - 1:+.1%} (promised 3 %), "
                f"decoding {found.speed_against_plan - 1:+.1%} (promised 15 %)"
            )
        print(flush=True)
        rows.append(row(found))
    write(rows)
    print(f"written to {REPORT.relative_to(models_folder().parent)}")


if __name__ == "__main__":
    main()
