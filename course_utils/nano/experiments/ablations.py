"""Which part of GRPO matters? One switch at a time, from the same base model, three seeds.

``python -m course_utils.nano.experiments.ablations`` trains the shipped small base with each
variant of ``grpo.Settings`` and writes ``models/nano/runs/ablation-VARIANT.csv``, with all seeds.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import torch

from course_utils.nano import export, pretrain
from course_utils.nano.experiments import scaling, sums
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder

VARIANTS: dict[str, dict] = {
    "as-it-is": {},
    "no-baseline": {"baseline": False, "deviation": False},
    "no-clipping": {"clip": False},
    # Eight steps on each batch of completions: the policy moves far from the one that drew them.
    "eight-updates": {"updates": 8},
    "eight-updates-no-clipping": {"updates": 8, "clip": False},
    "dr-grpo": {"deviation": False, "mean_over": "constant"},
    "kl": {"kl": 0.1},
}
"""What each variant changes in the settings of ``sums.reinforcement``."""

SEEDS = (1, 2, 3)
STEPS = 30
EVERY = 5
LEARNING_RATE = 1e-4


def run(name: str, seed: int, *, steps: int = STEPS, problems: int = 400) -> list[dict]:
    """Train the shipped small base with one variant and one seed; rows as in ``scaling``."""
    model = export.from_gguf(nano_folder() / "small-base.gguf")
    settings = sums.reinforcement(
        steps=steps, seed=seed, learning_rate=LEARNING_RATE, **VARIANTS[name]
    )
    facts = {"variant": name, "seed": seed}
    return scaling.reinforce(model, load(), settings, facts, problems=problems, every=EVERY)


def log_path(name: str, folder: Path | None = None) -> Path:
    """Where the runs of one variant lie."""
    return (folder or nano_folder() / "runs") / f"ablation-{name}.csv"


def read_runs(folder: Path | None = None) -> list[dict]:
    """All committed rows, numbers as numbers, in the order of ``VARIANTS``."""
    rows = []
    for name in VARIANTS:
        if log_path(name, folder).exists():
            with log_path(name, folder).open(newline="") as file:
                rows += [
                    {k: v if k == "variant" or v == "" else float(v) for k, v in row.items()}
                    for row in csv.DictReader(file)
                ]
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variant", choices=VARIANTS, help="only this one")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for name in [chosen.variant] if chosen.variant else VARIANTS:
        if log_path(name).exists():
            print(f"{log_path(name).name} is there already.", flush=True)
            continue
        rows = [row for seed in SEEDS for row in run(name, seed)]
        pretrain.write_log(log_path(name), rows)
        last = [row["right"] for row in rows if row["rl_step"] == STEPS]
        print(f"{log_path(name).name}: right at the end {last}", flush=True)


if __name__ == "__main__":
    main()
