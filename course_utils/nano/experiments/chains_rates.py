"""Would another learning rate have turned the chains' result round? One size, two seeds, both ways.

The rates of ``chains`` come from pilots with other tasks, so an arm may have lost only because its
rate did not suit it.  Here reward and imitation of worked solutions begin at two bases of
``chains_above`` again, one that reward lifted and one that it left alone, with a third of their
rate and with three times it; that table has them with the rate itself.

``python -m course_utils.nano.experiments.chains_rates`` makes what is missing, on one core in about
an hour, and adds it to ``models/nano/runs/chains-rates.csv``.  A finished run is left alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace

from course_utils import command_line
from course_utils.logs import read_log, write_log
from course_utils.nano.experiments import chains, chains_tables, runs
from course_utils.nano.experiments.chains_above import READING, SIZE

SEEDS = (1, 2)
"""A seed whose base is sound now and then, and one whose base never is."""

FACTORS = {"third": 1 / 3, "triple": 3.0}
"""What an arm's learning rate is multiplied by."""

ARMS = ("sft", "rl")
TABLE = "chains-rates"


def missing() -> list[tuple[int, str, str]]:
    """Runs that the committed table lacks, as (seed, factor, arm)."""
    done = {(row["seed"], row["rate"], row["arm"]) for row in chains_tables.read(TABLE)}
    wanted = [(seed, rate, arm) for seed in SEEDS for arm in ARMS for rate in FACTORS]
    return [run for run in wanted if run not in done]


def make(seed: int, rate: str, arm: str) -> list[dict]:
    """The rows of one run, as in ``chains_above`` with the factor's name beside them."""
    cache = runs.cache_folder()
    base = chains.Lab(SIZE, seed, cache / "chains-above")
    weights = base.path("pretrained", READING, ".pt")
    if not weights.exists():
        chains.read(base, [READING])
    lab = chains.Lab(SIZE, seed, cache / TABLE / rate)
    shutil.copy(weights, lab.path("pretrained", READING, ".pt"))
    factor = FACTORS[rate]
    lab.rates = replace(
        lab.rates, reward=lab.rates.reward * factor, imitation=lab.rates.imitation * factor
    )
    chains.make(lab, arm, READING)
    return [{"rate": rate} | row for row in read_log(lab.path(arm, READING, ".csv"))]


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = runs.choose(__doc__, arguments, seed=SEEDS, rate=FACTORS, arm=ARMS)
    for seed, rate, arm in missing():
        if seed in chosen.seed and rate in chosen.rate and arm in chosen.arm:
            made = make(seed, rate, arm)
            write_log(runs.log_path(TABLE), [*chains_tables.read(TABLE), *made])


if __name__ == "__main__":
    command_line.start(main)
