"""Would another learning rate have turned the chains' result round? Two sizes, both ways.

The rates of ``chains`` come from pilots with other tasks, so an arm may have lost only because its
rate did not suit it.  Here reward and imitation of worked solutions begin again at some bases of
``chains`` and ``chains_above``, with a third of their rate and with three times it (at the larger
size the latter only); the tables of those experiments have them with the rate itself.

``python -m course_utils.nano.experiments.chains_rates`` makes what is missing, on one core in about
two hours, and adds it to ``models/nano/runs/chains-rates.csv``.  A finished run is left alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace

from course_utils import command_line
from course_utils.logs import read_log, write_log
from course_utils.nano.experiments import (
    chains,
    chains_above,
    chains_begun,
    chains_tables,
    runs,
)


@dataclass(frozen=True)
class Bases:
    """Bases of one size: how much they read, and the experiment in whose cache they lie."""

    reading: int
    seeds: tuple[int, ...]
    rates: tuple[str, ...]
    experiment: str


BASES = {
    # A seed whose base is sound now and then, and one whose base never is.
    chains_above.SIZE: Bases(chains_above.READING, (1, 2), ("third", "triple"), "chains-above"),
    chains_begun.SIZE: Bases(chains_begun.READING, (1,), ("triple",), "chains"),
}
"""Where the arms begin, by size, and with which of ``FACTORS``.  Of the larger size all bases are
sound now and then, and a run takes half an hour: one seed and one rate have to do."""
SEEDS = sorted({seed for bases in BASES.values() for seed in bases.seeds})

FACTORS = {"third": 1 / 3, "triple": 3.0}
"""What an arm's learning rate is multiplied by."""

ARMS = ("sft", "rl")
TABLE = "chains-rates"


def missing() -> list[tuple[str, int, str, str]]:
    """Runs that the committed table lacks, as (size, seed, factor, arm)."""
    rows = chains_tables.read(TABLE)
    done = {(row["size"], row["seed"], row["rate"], row["arm"]) for row in rows}
    wanted = [
        (size, seed, rate, arm)
        for size, bases in BASES.items()
        for seed in bases.seeds
        for arm in ARMS
        for rate in bases.rates
    ]
    return [run for run in wanted if run not in done]


def make(size: str, seed: int, rate: str, arm: str) -> list[dict]:
    """The rows of one run, as in those experiments, with the factor's name beside them."""
    cache, bases = runs.cache_folder(), BASES[size]
    base = chains.Lab(size, seed, cache / bases.experiment)
    chains.read(base, [bases.reading])
    lab = chains.Lab(size, seed, cache / TABLE / rate)
    weights = (each.path("pretrained", bases.reading, ".pt") for each in (base, lab))
    shutil.copy(*weights)
    factor = FACTORS[rate]
    lab.rates = replace(
        lab.rates, reward=lab.rates.reward * factor, imitation=lab.rates.imitation * factor
    )
    chains.make(lab, arm, bases.reading)
    return [{"rate": rate} | row for row in read_log(lab.path(arm, bases.reading, ".csv"))]


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = runs.choose(__doc__, arguments, size=BASES, seed=SEEDS, rate=FACTORS, arm=ARMS)
    for size, seed, rate, arm in missing():
        wanted = size in chosen.size and seed in chosen.seed
        if wanted and rate in chosen.rate and arm in chosen.arm:
            made = make(size, seed, rate, arm)
            write_log(runs.log_path(TABLE), [*chains_tables.read(TABLE), *made])


if __name__ == "__main__":
    command_line.start(main)
