"""When does a tool beat more thinking? One small model, sums of 2, 4 and 8 digits, three ways.

``python -m course_utils.agents.experiments.calculator`` pretrains a model on solved sums, a third
of them worked in writing, a third handed to the calculator, a third both, and writes
``models/nano/runs/calculating-SEED.csv``: for each way and length how many sums were right and how
many tokens the policy wrote for one.  A run that was stopped goes on where it was.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import torch
from tokenizers import Tokenizer

from course_utils import command_line
from course_utils.agents import calculating
from course_utils.agents.experiments.guesser import follow
from course_utils.agents.rollout import play
from course_utils.nano import pretrain
from course_utils.nano.model import Shape, Transformer
from course_utils.nano.pretrain import write_log
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder, repository_root

SEEDS = (1, 2, 3)
SHAPE = Shape(width=128, layers=3, heads=4, kv_heads=2, ffn_width=256, context=384)

SETTINGS = {
    "steps": 3000,
    "tokens_per_step": 3072,
    "row_length": 256,
    "long_share": 0.0,
    "learning_rate": 2.5e-3,
    "evaluate_every": 100,
}

MAX_ACTION_TOKENS = 200
"""Room for an action: a worked sum of eight digits and a call take about 140."""


def measured(model: Transformer, tokenizer: Tokenizer, sums: int = 300) -> list[dict]:
    """Accuracy and tokens of each way at each length, with the likeliest tokens."""
    rows = []
    for way in calculating.WAYS:
        for digits in calculating.DIGITS:
            played = play(
                model,
                tokenizer,
                calculating.exam(sums, digits, way),
                temperature=0,
                max_action_tokens=MAX_ACTION_TOKENS,
            )
            rows.append(
                {
                    "way": way,
                    "digits": digits,
                    "right": sum(rollout.success for rollout in played),
                    "sums": sums,
                    "tokens": round(fmean(sum(rollout.own) for rollout in played), 1),
                }
            )
    return rows


def pretrained(seed: int, tokenizer: Tokenizer, states: Path, **changes) -> Transformer:
    """A model that has read solved sums."""
    model = pretrain.new_model(SHAPE, seed)
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
    follow(run, "sums", log_file)
    return model


def main() -> None:
    parser = command_line.parser(__doc__)
    parser.add_argument("--seed", type=int, choices=SEEDS, default=SEEDS[0])
    seed = parser.parse_args().seed
    torch.set_num_threads(1)
    states = repository_root() / ".cache" / "nano"
    states.mkdir(parents=True, exist_ok=True)
    path = nano_folder() / "runs" / f"calculating-{seed}.csv"
    if path.exists():
        print(f"{path.name} is there: delete it to train and measure again.")
        return
    tokenizer = load()
    write_log(path, measured(pretrained(seed, tokenizer, states), tokenizer))


if __name__ == "__main__":
    main()
