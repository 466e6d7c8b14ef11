"""How fast are the large models on this machine, and did the plan foresee it?

Rehearses QwQ-32B and Qwen3-30B-A3B at full size, by turns (each about a minute, 20 GB of memory):
a machine that is shared with others can read its memory half as fast a minute later, so a row is
the median of some runs, and each run's plan is made with the bandwidth seen between its tokens.
Then both with a few layers, by turns without and with llama.cpp's repacked copy, so that whatever
else the machine does slows both alike.  Notebooks 05 and 06 show the rows, marked with their
machine.
Promise: resident memory within 3 % of the plan, decoding speed within 15 %.
"""

from __future__ import annotations

from statistics import median

from course_utils.engines.local.runtime import repacking_crashes
from course_utils.engines.rehearsal import Rehearsal, rehearse
from course_utils.machine import this_machine
from tests.benchmarks.report import show_place, write_report

MODELS = ("qwq-32b", "qwen3-30b-a3b")
FEW_LAYERS = {"layers": 8, "context": 2048}
ROUNDS = 3


def row(runs: list[Rehearsal], shared: list[Rehearsal] | None = None) -> dict[str, object]:
    """One row of the report: the medians of these runs, and their ratios to ``shared`` ones.

    ``shared``: the runs without the copy, each made just before the run of the same place.
    """
    first = runs[0]
    planned = first.plan

    def middle(name: str) -> float:
        return median(getattr(found, name) for found in runs)

    def ratio(name: str) -> float:
        pairs = zip(runs, shared or runs, strict=True)
        return median(getattr(found, name) / getattr(before, name) for found, before in pairs)

    machines = [each.plan.machine for each in runs]
    bandwidth = median(machine.memory_bandwidth_bytes_per_second for machine in machines)
    unpacking = median(machine.unpacking_bytes_per_second for machine in machines)
    waiting = [machine.seconds_per_expert_layer for machine in machines]
    return {
        "bandwidth_gb_per_second": round(bandwidth / 1e9, 2),
        "unpacking_gb_per_second": round(unpacking / 1e9, 2),
        "overlap": round(median(machine.overlap for machine in machines), 2),
        "milliseconds_per_expert_layer": "" if None in waiting else round(1e3 * median(waiting), 3),
        "model": planned.model,
        "quantisation": planned.quantisation,
        "layers": first.layers,
        "all_layers": first.all_layers,
        "context": planned.context,
        "kv_type": planned.kv_type,
        "repack": first.measured.settings["repack"],
        "runs": len(runs),
        "file_gb": round(planned.memory.weights / 1e9, 3),
        "disk_mb": round(first.disk_bytes / 1e6, 1),
        "gb_per_token": round(planned.bytes_per_token / 1e9, 3),
        "load_seconds": round(middle("load_seconds"), 1),
        "planned_memory_gib": round(planned.memory.total / 2**30, 2),
        "memory_gib_resident": round(middle("resident_bytes") / 2**30, 2),
        "memory_gib_private": round(
            median(each.measured.private_bytes for each in runs) / 2**30, 2
        ),
        "prefill_tokens_per_second": round(middle("prefill_tokens_per_second"), 2),
        "ceiling_tokens_per_second": round(median(each.plan.ceiling for each in runs), 3),
        "planned_tokens_per_second": round(median(each.plan.tokens_per_second for each in runs), 3),
        "decode_tokens_per_second": round(middle("decode_tokens_per_second"), 3),
        "share_of_read_bandwidth": round(middle("share_of_bandwidth"), 3),
        "prefill_to_shared": round(ratio("prefill_tokens_per_second"), 3),
        "decode_to_shared": round(ratio("decode_tokens_per_second"), 3),
        "seconds": round(middle("seconds"), 1),
    }


def whole() -> list[dict[str, object]]:
    """A row for each model at full size, or with as many layers as the memory holds."""
    runs: dict[str, list[Rehearsal]] = {model: [] for model in MODELS}
    for _ in range(ROUNDS):
        for model in MODELS:
            found = rehearse(model)
            runs[model].append(found)
            print(found)
            print(f"  {found.share_of_bandwidth:.3f} of the read bandwidth\n", flush=True)
    for model, found in runs.items():
        if not any(run.extrapolated for run in found):
            print(
                f"{model}: against the plan, medians of {ROUNDS}: "
                f"memory {median(run.memory_against_plan for run in found) - 1:+.1%} "
                f"(promised 3 %), decoding "
                f"{median(run.speed_against_plan for run in found) - 1:+.1%} (promised 15 %)\n",
                flush=True,
            )
    return [row(found) for found in runs.values()]


def few_layers(model: str) -> list[dict[str, object]]:
    """Two rows, without and with the copy, measured by turns; one where repacking crashes."""
    shared, repacked = [], []
    if repacking_crashes():
        return [row([rehearse(model, repack=False, **FEW_LAYERS) for _ in range(ROUNDS)])]
    for _ in range(ROUNDS):
        shared.append(rehearse(model, repack=False, **FEW_LAYERS))
        repacked.append(rehearse(model, repack=True, **FEW_LAYERS))
    rows = [row(shared), row(repacked, shared)]
    print(
        f"{model}, {FEW_LAYERS['layers']} layers, repacked against shared: "
        f"decoding {rows[1]['decode_to_shared']:.2f}, prefill {rows[1]['prefill_to_shared']:.2f}\n",
        flush=True,
    )
    return rows


def main() -> None:
    rows = whole()
    rows += [line for model in MODELS for line in few_layers(model)]
    show_place(write_report("full-size", rows, this_machine()))


if __name__ == "__main__":
    main()
