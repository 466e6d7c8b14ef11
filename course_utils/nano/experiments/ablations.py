"""Which part of GRPO matters? One switch at a time, from the same base model, three seeds.

``python -m course_utils.nano.experiments.ablations`` trains the shipped small base with each
variant of ``grpo.Settings`` and writes ``models/nano/runs/ablation-VARIANT.csv``, with all seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from course_utils.logs import write_log
from course_utils.nano import export
from course_utils.nano.experiments import runs, scaling, sums
from course_utils.nano.experiments.runs import SEEDS
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


def log_name(name: str) -> str:
    """What the runs of one variant are called."""
    return f"ablation-{name}"


def read_runs(folder: Path | None = None) -> list[dict]:
    """All committed rows, in the order of ``VARIANTS``."""
    return runs.read_all(map(log_name, VARIANTS), folder)


def main(arguments: Sequence[str] | None = None) -> None:
    for name in runs.choose(__doc__, arguments, variant=VARIANTS).variant:
        path = runs.log_path(log_name(name))
        if runs.there(path):
            continue
        rows = [row for seed in SEEDS for row in run(name, seed)]
        write_log(path, rows)
        last = [row["right"] for row in rows if row["rl_step"] == STEPS]
        print(f"{path.name}: right at the end {last}", flush=True)


if __name__ == "__main__":
    main()
