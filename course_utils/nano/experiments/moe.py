"""Is a mixture of experts better than a dense model? Same data, several budgets, three seeds.

Six models read the same documents.  Five read the same number of tokens; the sixth is the large
dense one, stopped when it has used as much computing as the mixtures, its learning rate brought
down by then.  ``python -m course_utils.nano.experiments.moe`` trains all with three seeds and
writes ``models/nano/runs/moe-MODEL-SEED.csv``; a run that was stopped goes on, a finished one
is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from tokenizers import Tokenizer
from torch import Tensor

from course_utils import command_line
from course_utils.nano import corpus, measure, moe_training, pretrain, tasks
from course_utils.nano.experiments import runs
from course_utils.nano.experiments.runs import SEEDS
from course_utils.nano.model import Shape, Transformer, qwen3
from course_utils.nano.tokenizer import load as load_tokenizer
from course_utils.nano.tokenizer import split_reply

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
    "dense-active": Contestant("dense, same active size", qwen3(experts=0, ffn_width=256)),
    "dense-total": Contestant("dense, same total size", qwen3(experts=0, ffn_width=1024)),
    "dense-short": Contestant(
        "dense, same total size, short run", qwen3(experts=0, ffn_width=1024)
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


def log_name(name: str, seed: int) -> str:
    """What the log of a run is called."""
    return f"moe-{name}-{seed}"


def addition_exam(model: Transformer, tokenizer: Tokenizer, n: int = EXAM_PROBLEMS) -> int:
    """How many of ``n`` held-out additions of each test in ``EXAM`` the model gets right."""
    problems = [problem for test in EXAM for problem in measure.exam_problems(test, n)]
    texts, _ = runs.replies(model, tokenizer, problems, max_tokens=100, temperature=0)
    answers = [split_reply(text)[1] for text in texts]
    return sum(tasks.verify(*pair) for pair in zip(problems, answers, strict=True))


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
    tokenizer = load_tokenizer()
    model = pretrain.new_model(MODELS[name].shape, seed)

    def evaluate(model: Transformer, rows: Tensor) -> dict[str, float]:
        exam = {"right": addition_exam(model, tokenizer, exam_problems)}
        exam["asked"] = len(EXAM) * exam_problems
        return {"model": name, "seed": seed} | exam | moe_training.measure(model, rows)

    training = moe_training.train(
        model,
        tokenizer,
        settings_of(name, seed, settings),
        balance=MODELS[name].balance,
        document=document,
        evaluate=evaluate,
        state_file=state_file,
        log_file=runs.log_path(log_name(name, seed), folder),
    )
    yield from (record for record in training if "held_out_loss" in record)


def read_runs(folder: Path | None = None) -> list[dict]:
    """The rows of all finished runs, in the order of ``MODELS`` and seeds."""
    rows: list[dict] = []
    for name in MODELS:
        for seed in SEEDS:
            found = runs.read_all([log_name(name, seed)], folder)
            if found and found[-1]["step"] == settings_of(name, seed).steps:
                rows += found
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    quick = {"quick": "seconds long, writes in .cache"}
    chosen = runs.choose(__doc__, arguments, flags=quick, model=MODELS, seed=SEEDS)
    cache = runs.cache_folder()
    folder = cache / "quick" if chosen.quick else runs.runs_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for seed in chosen.seed:
        for name in chosen.model:
            path = runs.log_path(log_name(name, seed), folder)
            state = cache / f"{log_name(name, seed)}.pt"
            if not chosen.quick and not state.exists() and runs.there(path):
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
    command_line.start(main)
