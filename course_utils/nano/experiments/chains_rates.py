"""Would another learning rate have turned the chains' result round? Three sizes, both ways.

The rates of ``chains`` come from pilots with other tasks, so an arm may have lost only because its
rate did not suit it.  Here reward and imitation of worked solutions begin again at some bases of
``chains`` and ``chains_above``, with a third of their rate and with three times it; the tables of
those experiments have them with the rate itself.  ``chosen_rate`` names the rate that does best on
validation chains, which no exam asks: what would have come out with it is in the exam's rows.

``python -m course_utils.nano.experiments.chains_rates`` makes what is missing, on one core in about
four hours, and adds it to ``models/nano/runs/chains-rates.csv``.  A finished run is left alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean

from course_utils import command_line
from course_utils.logs import read_log, write_log
from course_utils.nano.experiments import (
    chains,
    chains_above,
    chains_begun,
    chains_tables,
    runs,
)

TABLE = "chains-rates"


@dataclass(frozen=True)
class Bases:
    """Bases of one size: how much they read, in whose cache they lie, and rates by seed."""

    reading: int
    experiment: str
    rates: dict[int, tuple[str, ...]]


BOTH = ("third", "triple")
BASES = {
    # Two seeds whose base is sound now and then, and between them one whose base never is.
    "0.2M": Bases(chains_above.READING, "chains-above", {1: BOTH, 2: BOTH, 3: BOTH}),
    # No experiment has begun both arms at one base of this size that is sound now and then.
    "0.7M": Bases(3, TABLE, {1: ("same", *BOTH)}),
    "1.5M": Bases(chains_begun.READING, "chains", {1: ("triple",), 3: BOTH}),
}
"""Where the arms begin, by size, and with which of ``FACTORS``.  A run of the largest takes up to
half an hour: there the base that needs the least has one rate only."""
SEEDS = sorted({seed for bases in BASES.values() for seed in bases.rates})

FACTORS = {"third": 1 / 3, "same": 1.0, "triple": 3.0}
"""What an arm's learning rate is multiplied by."""

ARMS = ("sft", "rl")


class Lab(chains.Lab):
    """As in ``chains``, but without the many replies to each chain, which nothing here asks for."""

    def save_many(self, reading: int) -> None:
        pass


def planned() -> list[tuple[str, int, str, str]]:
    """All runs, as (size, seed, rate, arm); a base that no other table has is one of them."""
    return [
        (size, seed, rate, arm)
        for size, bases in BASES.items()
        for seed, rates in bases.rates.items()
        for rate in rates
        for arm in (("pretrained", *ARMS) if rate == "same" else ARMS)
    ]


def missing() -> list[tuple[str, int, str, str]]:
    """Runs of ``planned`` that the committed table lacks."""
    rows = chains_tables.read(TABLE)
    done = {(row["size"], row["seed"], row["rate"], row["arm"]) for row in rows}
    return [run for run in planned() if run not in done]


def make(size: str, seed: int, rate: str, arm: str) -> list[dict]:
    """The rows of one run, as in those experiments, with the factor's name beside them."""
    cache, bases = runs.cache_folder(), BASES[size]
    base = chains.Lab(size, seed, cache / bases.experiment)
    chains.read(base, [bases.reading])
    lab = Lab(size, seed, cache / TABLE / rate)
    weights = (each.path("pretrained", bases.reading, ".pt") for each in (base, lab))
    shutil.copy(*weights)
    factor = FACTORS[rate]
    lab.rates = replace(
        lab.rates, reward=lab.rates.reward * factor, imitation=lab.rates.imitation * factor
    )
    chains.make(lab, arm, bases.reading)
    return [{"rate": rate} | row for row in read_log(lab.path(arm, bases.reading, ".csv"))]


@dataclass(frozen=True)
class Tried:
    """One run: an arm that began at some base with a rate of ``FACTORS``, and what its best weights
    came to: the share of right answers to validation chains, and of sound ones in the exam."""

    size: str
    seed: int
    arm: str
    rate: str
    validation: float
    sound: float


def tried(lengths: Sequence[int]) -> list[Tried]:
    """All runs from these bases, those with the rate itself included; exam chains of ``lengths``.

    The latter are in the table of the experiment that the bases come from.
    """
    found = []
    for size, bases in BASES.items():
        for rate in FACTORS:
            rows = chains_tables.read(bases.experiment if rate == "same" else TABLE)
            rows = [row for row in rows if row.get("rate", rate) == rate]
            for (arm, at, seed, tokens), exam in chains_tables.best(rows).items():
                begins = (at, tokens) == (size, bases.reading * chains.UNIT)
                if begins and seed in bases.rates and arm in ARMS:
                    sound = chains_tables.share(exam, lengths)
                    found.append(Tried(size, seed, arm, rate, exam[0]["validation"], sound))
    return found


def chosen_rate(runs: Sequence[Tried], size: str, arm: str) -> str:
    """The rate that does best on validation chains, by the mean over the bases that had all rates.

    Of rates that do equally well, the one of the other experiments is taken, else the lower one.
    """
    by_seed: dict[int, dict[str, float]] = {}
    for run in runs:
        if (run.size, run.arm) == (size, arm):
            by_seed.setdefault(run.seed, {})[run.rate] = run.validation
    whole = [rates for rates in by_seed.values() if rates.keys() == FACTORS.keys()]
    order = sorted(FACTORS, key=lambda rate: rate != "same")
    return max(order, key=lambda rate: mean(rates[rate] for rates in whole))


def main(arguments: Sequence[str] | None = None) -> None:
    arms = ("pretrained", *ARMS)
    chosen = runs.choose(__doc__, arguments, size=BASES, seed=SEEDS, rate=FACTORS, arm=arms)
    for size, seed, rate, arm in missing():
        wanted = size in chosen.size and seed in chosen.seed
        if wanted and rate in chosen.rate and arm in chosen.arm:
            made = make(size, seed, rate, arm)
            write_log(runs.log_path(TABLE), [*chains_tables.read(TABLE), *made])


if __name__ == "__main__":
    command_line.start(main)
