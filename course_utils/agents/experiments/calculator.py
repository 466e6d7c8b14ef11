"""When does a tool beat more thinking? One small model, longer and longer sums, three ways.

``python -m course_utils.agents.experiments.calculator`` goes on from the nano thinker, which can
work sums of up to three digits and has never seen a tool.  With each of three seeds it reads solved
sums of one to four digits: worked in writing, handed to the calculator, or both (supervised
fine-tuning).  Then ``models/nano/runs/calculating-SEED.csv`` has for each way, and sums of two to
five digits, how many came out right, in how many all digits were carried over rightly
(``calculating.copied``), and how many tokens the policy wrote.  A finished run is left alone; a
stopped one goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from tokenizers import Tokenizer

from course_utils import command_line
from course_utils.agents import calculating
from course_utils.agents.experiments.guesser import follow
from course_utils.agents.rollout import play
from course_utils.logs import read_log, write_log
from course_utils.nano import export, pretrain
from course_utils.nano.experiments import runs
from course_utils.nano.experiments.runs import SEEDS
from course_utils.nano.model import Transformer
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder

SETTINGS = {
    "steps": 400,
    "tokens_per_step": 2048,
    "row_length": 192,
    "long_share": 0.0,
    "learning_rate": 1e-3,
    "warmup_steps": 20,
    "evaluate_every": 50,
    "bfloat16": True,
}

SUMS = 300
"""How many held-out sums of each length are asked, the same ones in every way."""

MAX_ACTION_TOKENS = 180
"""Room for an action: a worked sum of five digits and a call take about 150."""


def measured(model: Transformer, tokenizer: Tokenizer, sums: int = SUMS) -> list[dict]:
    """A row for each way and length, played with the likeliest tokens."""
    rows = []
    for way in calculating.WAYS:
        for digits in calculating.DIGITS:
            exam = calculating.exam(sums, digits, way)
            played = play(
                model, tokenizer, exam, temperature=0, max_action_tokens=MAX_ACTION_TOKENS
            )
            first = [rollout.turns[0][0] for rollout in played]
            rows.append(
                {
                    "way": way,
                    "digits": digits,
                    "sums": sums,
                    "right": sum(rollout.success for rollout in played),
                    "copied": sum(map(calculating.copied, exam, first)),
                    "tokens": round(fmean(sum(rollout.own) for rollout in played), 1),
                }
            )
            print(rows[-1], flush=True)
    return rows


def trained(seed: int, tokenizer: Tokenizer, states: Path, **changes) -> Transformer:
    """The nano thinker after it has read solved sums; ``changes`` go to its settings."""
    model = export.from_gguf(nano_folder() / "thinker.gguf")
    settings = pretrain.Settings(seed=seed, **(SETTINGS | changes))
    state_file, log_file = (states / f"calculating-{seed}.{kind}" for kind in ("pt", "csv"))
    run = pretrain.pretrain(
        model,
        tokenizer,
        settings,
        document=calculating.document,
        state_file=state_file,
        log_file=log_file,
    )
    follow(run, f"sums, seed {seed}", log_file)
    return model


def read_runs() -> list[dict]:
    """The rows of all finished runs, each with its ``seed``."""
    return [
        {"seed": seed} | row
        for seed in SEEDS
        for row in read_log(runs.log_path(f"calculating-{seed}"))
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    tokenizer = load()
    for seed in runs.choose(__doc__, arguments, seed=SEEDS).seed:
        path = runs.log_path(f"calculating-{seed}")
        if not runs.there(path):
            write_log(path, measured(trained(seed, tokenizer, runs.cache_folder()), tokenizer))


if __name__ == "__main__":
    main()
