"""What does a step of several tokens cost, and above what acceptance rate does a draft pay?

The stand-ins of QwQ-32B and Qwen3-30B-A3B take steps of 1 to 16 tokens, eight layers and then all
of them; the two models that could draft for QwQ take steps of one.  The eight layers, scaled up,
foretell the whole model's price.
Takes about six minutes and 19 GiB of free memory; with less, only the eight layers are run.
"""

from __future__ import annotations

from course_utils.engines.rehearsal_steps import LAYERS, rehearse_steps
from course_utils.machine import measure_memory_bandwidth, this_machine
from course_utils.model_files.capacity import plan
from course_utils.model_files.speculation import pays_from
from tests.benchmarks.long_texts import measured_machine, speeds_of
from tests.benchmarks.report import show_place, write_report

TARGETS = ("qwq-32b", "qwen3-30b-a3b")
DRAFTS = ("qwen2.5-0.5b", "r1-distill-qwen-1.5b")
TOKENS = (1, 2, 3, 4, 5, 6, 8, 9, 16)
CONTEXT = 512


def measure(model: str, layers: int | None, tokens: tuple[int, ...]) -> list[dict[str, object]]:
    """One row for each number of tokens, beside the plan."""
    before = measure_memory_bandwidth(0.5)
    found = rehearse_steps(model, contexts=(0,), tokens=tokens, layers=layers)
    machine = measured_machine(before, model)
    print(found, flush=True)
    planned = plan(model, CONTEXT, machine=machine)
    one = found.step_seconds(1)
    rows = []
    for count in tokens:
        seconds = found.step_seconds(count)
        pays = pays_from(count - 1, found.step_seconds) if count > 1 else None
        rows.append(
            speeds_of(machine)
            | {
                "model": model,
                "quantisation": found.quantisation,
                "layers_run": found.layers,
                "all_layers": found.all_layers,
                "tokens": count,
                "seconds_per_step_run": round(found.run[0, count], 4),
                "seconds_per_step": round(seconds, 4),
                "price": round(seconds / one, 3),
                "planned_seconds_per_step": round(planned.seconds_per_step(count), 4),
                "pays_from_acceptance": "" if pays is None else round(pays, 3),
            }
        )
    return rows


def main() -> None:
    rows = []
    # Eight layers right before all of them: a shared machine's bandwidth drifts within minutes.
    for model in TARGETS:
        rows += measure(model, LAYERS, TOKENS)
        if plan(model, CONTEXT).fits:
            rows += measure(model, None, TOKENS)
        else:
            print(f"The whole of {model} does not fit: only {LAYERS} layers were run.")
    for model in DRAFTS:
        rows += measure(model, None, (1,))
    show_place(write_report("step-price", rows, this_machine()))


if __name__ == "__main__":
    main()
