"""What else could have caused, or cured, the failures of notebook 04? Two controls.

``coin, mixing``, ``coin, shorthand`` and ``coin, loops``: a fair coin that looks at nothing gives
the reward.  If reward for right answers raises a habit because it comes along with right answers, a
coin must raise it less; if it ends the loops by what it pays for, a coin must not end them.
``longer room, loops``: right answers are rewarded, and replies have twice the room in training, so
that hardly any loop is cut off, which earns nothing.

All is trained and examined as in ``failures``, with each seed's own base.

``python -m course_utils.nano.experiments.failure_controls`` writes
``models/nano/runs/failure-controls.csv``, in about half an hour on one core.  A run that is in
the file already is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

from course_utils import command_line
from course_utils.nano import verifiers
from course_utils.nano.experiments import failures, runs
from course_utils.nano.experiments.coin import tossed
from course_utils.nano.experiments.runs import SEEDS
from course_utils.nano.tokenizer import load as load_tokenizer
from course_utils.nano.verifiers import Verifier

LOG = "failure-controls"
COMMAND = "python -m course_utils.nano.experiments.failure_controls"


@dataclass(frozen=True)
class Control:
    """The failure, what is paid for (by the run's seed), and how many times the room there is."""

    failure: str
    reward: Callable[[int], Verifier]
    rooms: int = 1


CONTROLS = {
    "coin, mixing": Control("mixing", tossed),
    "coin, shorthand": Control("shorthand", tossed),
    "coin, loops": Control("loops", tossed),
    "longer room, loops": Control("loops", lambda seed: verifiers.accuracy, rooms=2),
}


def run(
    name: str, seed: int, cache: Path, *, steps: int | None = None, asked: int | None = None
) -> list[dict]:
    """Train with one control and one seed; the exam's rows, as in ``failures``.

    ``first_failed`` and ``last_failed``: the share of the first and the last batch that failed.
    """
    control, tokenizer = CONTROLS[name], load_tokenizer()
    failure = failures.FAILURES[control.failure]
    model = failures.base(control.failure, seed, tokenizer, cache)
    settings = replace(failures.REINFORCEMENT, steps=steps or failures.REINFORCEMENT.steps)
    records = list(
        failures.reinforce(
            control.failure,
            model,
            tokenizer,
            "zero",
            seed,
            settings,
            control.reward(seed),
            control.rooms * failure.room,
        )
    )
    facts = {"control": name, "seed": seed, "steps": len(records)}
    facts |= {"first_failed": records[0]["failed"], "last_failed": records[-1]["failed"]}
    rows = failures.sit_exam(control.failure, model, tokenizer, asked)
    return [facts | row | {"command": COMMAND} for row in rows]


def read_controls() -> list[dict]:
    """The committed rows."""
    return runs.read_all([LOG])


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = runs.choose(__doc__, arguments, only=CONTROLS, seed=SEEDS)
    wanted = product(chosen.only, chosen.seed)
    make = partial(run, cache=runs.cache_folder())
    runs.write_missing(LOG, ("control", "seed"), wanted, make)


if __name__ == "__main__":
    command_line.start(main)
