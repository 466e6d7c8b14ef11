"""What does each line of the objective change? GRPO as published, then one change after another.

``PARENTS`` says which variant each one changes.  Every variant trains the shipped small base of
notebook 03 with three seeds.  Each step's row has what a practitioner watches (``grpo.train``), the
share of completions that work the sum in writing, and the likeliest reply to one fixed question, so
that a run can be replayed.

``python -m course_utils.nano.experiments.objectives`` writes
``models/nano/runs/objective-VARIANT.csv``; ``--variant`` and ``--seed`` make one run.  A seed that
is in the file already is left alone; with ``--again`` it is run once more, into
``models/nano/runs/objective-again.csv``, to be compared with what was committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from course_utils import command_line
from course_utils.logs import read_log, write_log
from course_utils.nano import export, grpo
from course_utils.nano.experiments import runs, sums
from course_utils.nano.experiments.runs import SEEDS
from course_utils.nano.model import Transformer
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder

VARIANTS: dict[str, dict] = {
    "GRPO": grpo.OBJECTIVES["GRPO"],
    # From here to DAPO, one line at a time.
    "no KL": {"mean_over": "completion", "clip_high": 0.2},
    "token mean": {"clip_high": 0.2},
    "clip-higher": {},
    "DAPO": grpo.OBJECTIVES["DAPO"],
    # The other way out of the published objective.
    "Dr. GRPO": grpo.OBJECTIVES["Dr. GRPO"],
    # Optimiser steps on each batch; "clip-higher" makes two.
    "1 update": {"updates": 1},
    "4 updates": {"updates": 4},
    "8 updates": {"updates": 8},
    "8 updates, no clip": {"updates": 8, "clip": False},
    "no baseline": {"baseline": False, "deviation": False},
}
"""What each variant changes in the settings of ``sums.reinforcement``."""

PARENTS: dict[str, str] = {
    "no KL": "GRPO",
    "token mean": "no KL",
    "clip-higher": "token mean",
    "DAPO": "clip-higher",
    "Dr. GRPO": "no KL",
    "1 update": "clip-higher",
    "4 updates": "clip-higher",
    "8 updates": "clip-higher",
    "8 updates, no clip": "8 updates",
    "no baseline": "clip-higher",
}
"""Which variant each one changes, and so is to be compared with: by one setting, except that
Dr. GRPO changes the mean and drops the deviation, and nothing has a deviation without a baseline.
"""

STEPS = 40
LEARNING_RATE = 1e-4
QUESTION = "47+38=?"
"""Asked after every step; 47+38 is in the training problems: it shows a habit, not skill."""
EXAM = 200
AGAIN = "objective-again"
"""The log of runs that were made once more."""


def reply(model: Transformer, question: str = QUESTION) -> str:
    """The model's likeliest reply to one question."""
    asked = sums.tasks.Problem("addition", "en", question, 0, "+", 0)
    texts, _ = runs.replies(model, load(), [asked], max_tokens=sums.MAX_TOKENS, temperature=0)
    return texts[0]


def works(problems: Sequence, texts: Sequence[str]) -> dict[str, float]:
    """The share of completions that work the sum in writing: a ``watch`` of ``grpo.train``."""
    return {"works": round(sum(map(sums.thinks, texts)) / len(texts), 4)}


def run(variant: str, seed: int, *, steps: int = STEPS, exam: int = EXAM) -> list[dict]:
    """Train the shipped small base; a row for each step, the first for the model as it comes.

    ``accuracy``: on held-out sums, with the likeliest tokens, every fifth step.
    """
    model, tokenizer = export.from_gguf(nano_folder() / "small-base.gguf"), load()
    held_out = sums.exam(exam)
    settings = sums.reinforcement(
        steps=steps, seed=seed, learning_rate=LEARNING_RATE, **VARIANTS[variant]
    )
    facts = {"variant": variant, "seed": seed}
    before = {
        "step": 0,
        "accuracy": grpo.accuracy(model, tokenizer, held_out, sums.MAX_TOKENS),
        "reply": reply(model),
    }
    rows = []
    for record in grpo.train(
        model, tokenizer, sums.problem, settings, watch=works, held_out=held_out
    ):
        own = {k: v for k, v in record.items() if k not in ("question", "completion", "seconds")}
        rows.append(facts | own | {"reply": reply(model)})
    return [dict.fromkeys(rows[0], "") | facts | before, *rows]


def log_name(variant: str) -> str:
    """What the runs of one variant are called."""
    return "objective-" + variant.lower().replace(",", "").replace(".", "").replace(" ", "-")


def read_runs(folder: Path | None = None) -> list[dict]:
    """All committed rows, in the order of ``VARIANTS``; replies as the model wrote them."""
    paths = [runs.log_path(log_name(variant), folder) for variant in VARIANTS]
    return [row for path in paths for row in read_rows(path)]


def read_again(folder: Path | None = None) -> list[dict]:
    """The committed rows of runs that were made once more."""
    return read_rows(runs.log_path(AGAIN, folder))


def read_rows(path: Path) -> list[dict]:
    return read_log(path, text=("variant", "reply"))


def main(arguments: Sequence[str] | None = None) -> None:
    flags = {"again": "run it once more, to compare"}
    chosen = runs.choose(__doc__, arguments, flags=flags, variant=VARIANTS, seed=SEEDS)
    for variant in chosen.variant:
        path = runs.log_path(AGAIN if chosen.again else log_name(variant))
        for seed in chosen.seed:
            rows = read_rows(path)
            if (variant, seed) not in {(row["variant"], row["seed"]) for row in rows}:
                rows += run(variant, seed)
                write_log(path, sorted(rows, key=lambda row: (row["variant"], row["seed"])))
                print(f"{path.name}, seed {seed}: accuracy {rows[-1]['accuracy']}", flush=True)


if __name__ == "__main__":
    command_line.start(main)
