"""How fast is this machine? One row for each model, ready to paste where others can read it.

Rehearses QwQ-32B and Qwen3-30B-A3B with stand-ins of their full size (or of some of their layers,
where memory does not hold all), and prints rows of the table in notebook 06.
"""

from __future__ import annotations

import platform

from course_utils.engines.rehearsal import Rehearsal, rehearse

MODELS = ("qwq-32b", "qwen3-30b-a3b")

COLUMNS = (
    *("processor", "cores", "memory GiB", "reads GB/s", "model", "layers run"),
    *("tokens/s", "planned", "prompt tokens/s", "system"),
)


def main(models: tuple[str, ...] = MODELS) -> None:
    print("Paste this, and add what memory is built in (for example: 2 x 16 GB DDR5-5600):\n")
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for model in models:
        print(row_of(rehearse(model)), flush=True)


def row_of(rehearsal: Rehearsal) -> str:
    """One row in Markdown; the columns are ``COLUMNS``."""
    planned = rehearsal.plan
    here = planned.machine
    values = (
        here.cpu_name.replace("|", "/"),
        here.cores,
        f"{here.total_memory_bytes / 2**30:.0f}",
        f"{here.memory_bandwidth_bytes_per_second / 1e9:.1f}",
        planned.name,
        f"{rehearsal.layers} of {rehearsal.all_layers}",
        f"{rehearsal.decode_tokens_per_second:.2f}",
        f"{planned.tokens_per_second:.2f}",
        f"{rehearsal.prefill_tokens_per_second:.1f}",
        f"{platform.system()} {platform.machine()}",
    )
    return "| " + " | ".join(map(str, values)) + " |"


if __name__ == "__main__":
    main()
