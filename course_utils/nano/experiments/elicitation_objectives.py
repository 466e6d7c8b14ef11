"""What does a practitioner watch? Variants of GRPO on the live task of notebook 03, step by step.

From the shipped small base, three seeds each: what the policy loss is a mean over, dynamic
sampling, and the number of optimiser steps per batch.  Every step's entropy, clipped fraction,
gradient norm, groups without spread, lengths of right and wrong replies, and the reply to one fixed
question are kept, so that a run can be replayed.

``python -m course_utils.nano.experiments.elicitation_objectives`` writes
``models/nano/runs/objectives.csv``; with ``--variant`` and ``--seed`` it makes one run.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from course_utils.logs import read_log, write_log
from course_utils.nano import export, grpo
from course_utils.nano.experiments import scaling, sums
from course_utils.nano.experiments.runs import SEEDS
from course_utils.nano.model import Transformer
from course_utils.nano.sample import sample
from course_utils.nano.tokenizer import END, decode, load, render
from course_utils.paths import nano_folder

VARIANTS: dict[str, dict] = {
    "tokens": {},
    "completion": {"mean_over": "completion"},
    "constant": {"mean_over": "constant"},
    "dynamic sampling": {"dynamic_sampling": 3},
    "1 update": {"updates": 1},
    "4 updates": {"updates": 4},
    "8 updates": {"updates": 8},
}
"""Changes to ``sums.reinforcement``; "tokens" is what the live training does (two updates)."""

STEPS = 40
LEARNING_RATE = 1e-4
QUESTION = "47+38=?"
"""Asked greedily after every step."""


def reply(model: Transformer, question: str = QUESTION) -> str:
    """The likeliest reply to one question, as one line."""
    pieces = load()
    prompt = pieces.encode(render(question)).ids
    stop = pieces.token_to_id(END)
    samples = sample(model, [prompt], stop=stop, max_tokens=sums.MAX_TOKENS, temperature=0)
    return decode(pieces, samples.texts()[0]).replace("\n", "\\n")


def run(model: Transformer, variant: str, seed: int, steps: int = STEPS) -> list[dict]:
    """Train ``model`` in place; a row for each step, the first for the model as it comes."""
    pieces, exam = load(), sums.exam(200)
    settings = sums.reinforcement(
        steps=steps, seed=seed, learning_rate=LEARNING_RATE, **VARIANTS[variant]
    )
    facts = {"variant": variant, "seed": seed}

    def works(problems: Sequence, texts: Sequence[str]) -> dict[str, float]:
        return {"works": round(sum(map(scaling.thinks, texts)) / len(texts), 4)}

    rows = []
    before = {
        "accuracy": grpo.accuracy(model, pieces, exam, sums.MAX_TOKENS),
        "reply": reply(model),
    }
    for record in grpo.train(model, pieces, sums.problem, settings, watch=works, held_out=exam):
        own = {k: v for k, v in record.items() if k not in ("question", "completion", "solution")}
        rows.append(facts | own | {"reply": reply(model)})
    empty = {key: "" for key in rows[0]}
    return [facts | empty | facts | {"step": 0} | before, *rows]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variant", choices=VARIANTS, help="only this one")
    parser.add_argument("--seed", type=int, choices=SEEDS, help="only this one")
    parser.add_argument("--into", type=Path, default=nano_folder() / "runs" / "objectives.csv")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = read_log(chosen.into)
    done = {(row["variant"], row["seed"]) for row in rows}
    for variant in [chosen.variant] if chosen.variant else VARIANTS:
        for seed in [chosen.seed] if chosen.seed else SEEDS:
            if (variant, seed) not in done:
                rows += run(export.from_gguf(nano_folder() / "small-base.gguf"), variant, seed)
                write_log(chosen.into, rows)
                print(variant, seed, rows[-1]["reply"], flush=True)


if __name__ == "__main__":
    main()
