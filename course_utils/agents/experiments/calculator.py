"""When does a tool beat more thinking? One small model, sums of growing length, three ways.

``python -m course_utils.agents.experiments.calculator`` goes on from the nano thinker, which works
sums of up to three digits in writing and has never seen a tool.  With each of three seeds it reads
solved sums of one to four digits: worked in writing, handed to the calculator, or both (supervised
fine-tuning; the seed draws the sums).  Every hundred steps it is asked held-out sums of two to five
digits in each way.  ``models/nano/runs/calculating-SEED.csv`` has how many came out right, in how
many all digits were carried over rightly (``calculating.copied``), and how many tokens the policy
wrote for one.  A finished run is left alone; a stopped one goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

from tokenizers import Tokenizer
from torch import Tensor

from course_utils import command_line
from course_utils.agents import calculating
from course_utils.agents.rollout import play
from course_utils.logs import read_log
from course_utils.nano import export, pretrain
from course_utils.nano.experiments import runs
from course_utils.nano.experiments.runs import SEEDS
from course_utils.nano.model import Transformer
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder

SETTINGS = {
    "steps": 300,
    "tokens_per_step": 2048,
    "row_length": 160,
    "long_share": 0.0,
    "learning_rate": 1e-3,
    "warmup_steps": 20,
    "evaluate_every": 100,
    "bfloat16": True,
}

SUMS = 100
"""How many held-out sums of each length are asked, the same ones in every way."""

MAX_ACTION_TOKENS = 180
"""Room for an action: a worked sum of five digits and a call take about 150."""

COUNTS = ("right", "copied", "tokens")


def examined(model: Transformer, tokenizer: Tokenizer, sums: int = SUMS) -> dict[str, float]:
    """For each way and length, such as ``think_2``, the ``COUNTS``; played with likeliest tokens.

    ``think_2_right`` and ``think_2_copied`` are numbers of sums, ``think_2_tokens`` a mean.
    """
    found: dict[str, float] = {"sums": sums}
    for way in calculating.WAYS:
        for digits in calculating.DIGITS:
            exam = calculating.exam(sums, digits, way)
            played = play(
                model, tokenizer, exam, temperature=0, max_action_tokens=MAX_ACTION_TOKENS
            )
            first = [rollout.turns[0][0] for rollout in played]
            counts = (
                sum(rollout.success for rollout in played),
                sum(map(calculating.copied, exam, first)),
                round(fmean(sum(rollout.own) for rollout in played), 1),
            )
            found |= {f"{way}_{digits}_{name}": n for name, n in zip(COUNTS, counts, strict=True)}
    return found


def run(
    seed: int,
    *,
    folder: Path | None = None,
    state_file: Path | None = None,
    sums: int = SUMS,
    **changes,
) -> Iterator[dict]:
    """Train with one seed, write its log, and yield a record at each exam.

    ``changes`` go to the settings.
    """
    tokenizer = load()
    model = export.from_gguf(nano_folder() / "thinker.gguf")

    def evaluate(model: Transformer, rows: Tensor) -> dict[str, float]:
        return pretrain.held_out_loss(model, rows) | examined(model, tokenizer, sums)

    training = pretrain.pretrain(
        model,
        tokenizer,
        pretrain.Settings(seed=seed, **(SETTINGS | changes)),
        document=calculating.document,
        evaluate=evaluate,
        state_file=state_file,
        log_file=runs.log_path(f"calculating-{seed}", folder),
    )
    yield from (record for record in training if "held_out_loss" in record)


def read_runs(folder: Path | None = None) -> list[dict]:
    """Of all finished runs a row for each seed, step, way and length, with ``COUNTS``."""
    rows = []
    for seed in SEEDS:
        log = read_log(runs.log_path(f"calculating-{seed}", folder))
        if not log or log[-1]["step"] < SETTINGS["steps"]:
            continue
        for record in log:
            for way in calculating.WAYS:
                for digits in calculating.DIGITS:
                    row = {"seed": seed, "step": record["step"], "way": way, "digits": digits}
                    row |= {name: record[f"{way}_{digits}_{name}"] for name in COUNTS}
                    rows.append(row | {"sums": record["sums"]})
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    for seed in runs.choose(__doc__, arguments, seed=SEEDS).seed:
        state = runs.cache_folder() / f"calculating-{seed}.pt"
        if not state.exists() and runs.there(runs.log_path(f"calculating-{seed}")):
            continue
        for record in run(seed, state_file=state):
            print(f"seed {seed}: {record}", flush=True)
        state.unlink(missing_ok=True)


if __name__ == "__main__":
    command_line.start(main)
