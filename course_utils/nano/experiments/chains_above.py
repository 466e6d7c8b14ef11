"""What do the arms make of a base that can work a chain already? The smallest size, read longer.

The arms of ``chains`` begin at bases that have read two units, and at the smaller sizes none of
those can work a chain yet.  Here the same arms begin at the smallest size after three units, where
most seeds can.  All runs of a seed, its base among them, are made on one core.  One arm is new:
``prompted-rft`` imitates the model's own right answers to a good prompt.

``chains`` has a base and a reinforced model of the same size, seeds and reading, made on a GPU: so
these runs also say whether what it found comes out again elsewhere (``reproduced``).

``python -m course_utils.nano.experiments.chains_above --seed 1`` makes the runs of one seed, in
about half an hour, and adds them to ``models/nano/runs/chains-above.csv``.  A finished run is left
alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from course_utils import command_line
from course_utils.nano.experiments import chains, chains_tables, runs
from course_utils.nano.experiments.runs import SEEDS

SIZE, READING = "0.2M", 3
ARMS = ("pretrained", "rl", "sft", "rft", "prompted-rft")
TABLES = {
    "chains-above": ARMS,
    "chains-above-rl": ("steps",),
    "chains-above-prompts": ("prompts",),
}
"""The committed tables, as in ``chains_tables``."""


def missing() -> list[tuple[int, str]]:
    """Runs that the committed table lacks, as (seed, arm)."""
    done = {(row["seed"], row["arm"]) for row in chains_tables.read("chains-above")}
    return [(seed, arm) for seed in SEEDS for arm in ARMS if (seed, arm) not in done]


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = runs.choose(__doc__, arguments, seed=SEEDS, arm=ARMS)
    folder = runs.cache_folder() / "chains-above"
    wanted = [(seed, arm) for seed, arm in missing() if seed in chosen.seed and arm in chosen.arm]
    for seed in dict.fromkeys(seed for seed, _ in wanted):
        lab = chains.Lab(SIZE, seed, folder)
        for arm in (arm for other, arm in wanted if other == seed):
            chains.make(lab, arm, READING)
            chains_tables.collect(folder, TABLES)


if __name__ == "__main__":
    command_line.start(main)
