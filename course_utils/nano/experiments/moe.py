"""Is a mixture of experts better than a dense model? Same data, several budgets, three seeds.

Six models read the same documents.  Five read the same number of tokens; the sixth is the large
dense one, stopped when it has used as much computing as the mixtures, its learning rate brought
down by then.  ``python -m course_utils.nano.experiments.moe`` trains all with three seeds and
writes ``models/nano/runs/moe-MODEL-SEED.csv``; a run that was stopped goes on, a finished one
is left alone.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor

from course_utils.nano import corpus, measure, moe_training, pretrain, sample, tasks, tokenizer
from course_utils.nano.model import Shape, Transformer, qwen3
from course_utils.paths import nano_folder, repository_root

CORPUS = corpus.Shares(careful=1.0, sloppy=0.0, blurted=0.0)
"""The nano models' corpus with every sum worked carefully, so that right answers can be learnt."""

SETTINGS = pretrain.Settings(
    steps=1000,
    tokens_per_step=2048,
    row_length=256,
    long_share=0.0,
    learning_rate=1.5e-3,
    evaluate_every=50,
)
QUICK = replace(SETTINGS, steps=20, tokens_per_step=1024, evaluate_every=20, warmup_steps=5)
"""A prefix of nothing, but every part of a run, in a few seconds."""

SEEDS = (1, 2, 3)
EXAM = ("addition-en-3", "addition-zh-3")
EXAM_PROBLEMS = 150
"""Held-out problems of each test in ``EXAM``, answered greedily at each evaluation."""


@dataclass(frozen=True)
class Contestant:
    """A model of the comparison; ``balance`` weighs the load-balancing loss."""

    label: str
    shape: Shape
    balance: float = 0.0


SHAPE = qwen3(experts=8, used=2, expert_width=128)
MODELS = {
    "dense-active": Contestant("dense, as many active", qwen3(experts=0, ffn_width=256)),
    "dense-total": Contestant("dense, as many in all", qwen3(experts=0, ffn_width=1024)),
    "dense-short": Contestant(
        "dense, as many in all, stopped early", qwen3(experts=0, ffn_width=1024)
    ),
    "balanced": Contestant("mixture, load balanced", SHAPE, moe_training.BALANCE),
    "unbalanced": Contestant("mixture, left to itself", SHAPE),
    # A quarter of the active width serves every token; active and total widths are the same.
    "shared": Contestant(
        "mixture with a shared expert",
        qwen3(experts=10, used=2, expert_width=96, shared_width=64),
        moe_training.BALANCE,
    ),
}


def settings_of(name: str, seed: int, settings: pretrain.Settings = SETTINGS) -> pretrain.Settings:
    """One run's settings; ``dense-short`` gets as many steps as the mixture's FLOPs pay for."""
    steps = settings.steps
    if name == "dense-short":
        ours, theirs = (
            pretrain.training_flops_per_token(MODELS[which].shape, settings.row_length)
            for which in (name, "balanced")
        )
        steps = round(steps * theirs / ours)
    return replace(settings, steps=steps, seed=seed)


def document(random: Random) -> str:
    """A training document of this experiment."""
    return corpus.document(random, CORPUS)


def log_path(name: str, seed: int, folder: Path | None = None) -> Path:
    """Where a run's log lies."""
    return (folder or nano_folder() / "runs") / f"moe-{name}-{seed}.csv"


def addition_exam(model: Transformer, pieces: Tokenizer, n: int = EXAM_PROBLEMS) -> int:
    """How many of ``n`` held-out additions of each test in ``EXAM`` the model gets right."""
    problems = [problem for test in EXAM for problem in measure.exam_problems(test, n)]
    prompts = [pieces.encode(tokenizer.render(problem.question)).ids for problem in problems]
    stop = pieces.token_to_id(tokenizer.END)
    samples = sample.sample(model, prompts, stop=stop, max_tokens=100, temperature=0)
    replies = [tokenizer.split_reply(tokenizer.decode(pieces, text)) for text in samples.texts()]
    return sum(
        tasks.verify(problem, answer)
        for problem, (_, answer) in zip(problems, replies, strict=True)
    )


def run(
    name: str,
    seed: int,
    settings: pretrain.Settings = SETTINGS,
    *,
    folder: Path | None = None,
    state_file: Path | None = None,
    exam_problems: int = EXAM_PROBLEMS,
) -> Iterator[dict]:
    """Train one model with one seed, write its log, and yield the log's rows as they come.

    Rows are as ``moe_training.train`` makes them, with ``model``, ``seed``, and how many of
    ``asked`` additions were ``right``.
    """
    pieces = tokenizer.load()
    model = pretrain.new_model(MODELS[name].shape, seed)

    def evaluate(model: Transformer, rows: Tensor) -> dict[str, float]:
        exam = {"right": addition_exam(model, pieces, exam_problems)}
        exam["asked"] = len(EXAM) * exam_problems
        return {"model": name, "seed": seed} | exam | moe_training.measure(model, rows)

    training = moe_training.train(
        model,
        pieces,
        settings_of(name, seed, settings),
        balance=MODELS[name].balance,
        document=document,
        evaluate=evaluate,
        state_file=state_file,
        log_file=log_path(name, seed, folder),
    )
    yield from (record for record in training if "held_out_loss" in record)


def read_runs(folder: Path | None = None) -> list[dict]:
    """The rows of all finished runs, numbers as numbers, in the order of ``MODELS`` and seeds."""
    rows: list[dict] = []
    for name in MODELS:
        for seed in SEEDS:
            path = log_path(name, seed, folder)
            if not path.exists():
                continue
            with path.open(newline="") as file:
                run_rows = [
                    {k: v if k == "model" or v == "" else float(v) for k, v in row.items()}
                    for row in csv.DictReader(file)
                ]
            if run_rows and run_rows[-1]["step"] == settings_of(name, seed).steps:
                rows += run_rows
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, help="only this one")
    parser.add_argument("--seed", type=int, choices=SEEDS, help="only this one")
    parser.add_argument("--quick", action="store_true", help="seconds long, writes in .cache")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    cache = repository_root() / ".cache" / "nano"
    folder = cache / "quick" if chosen.quick else nano_folder() / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    for seed in [chosen.seed] if chosen.seed else SEEDS:
        for name in [chosen.model] if chosen.model else MODELS:
            path = log_path(name, seed, folder)
            state = cache / f"moe-{name}-{seed}.pt"
            if path.exists() and not state.exists() and not chosen.quick:
                print(f"{path.name} is there already.", flush=True)
                continue
            *_, last = run(
                name,
                seed,
                QUICK if chosen.quick else SETTINGS,
                folder=folder,
                state_file=None if chosen.quick else state,
                exam_problems=2 if chosen.quick else EXAM_PROBLEMS,
            )
            state.unlink(missing_ok=True)
            print(f"{path.name}: {last}", flush=True)


if __name__ == "__main__":
    main()
