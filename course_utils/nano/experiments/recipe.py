"""Does QwQ's recipe hold at nano scale? Cold start, then maths and code, then everything else.

A base model reads right and wrong ways of everything.  A cold start shows it careful working.
Stage 1 is GRPO on maths and code, rewarded by verifiers alone.  Stage 2 adds general instructions,
rewarded by rules, and small talk, rewarded by a learned reward model.  After each stage the same
exam is sat.  A second stage without maths and code asks what those are there for.

``python -m course_utils.nano.experiments.recipe --seed 1`` runs all stages with one seed and
writes ``models/nano/runs/recipe-*-1.csv``.  A run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer

from course_utils.nano import grpo, pretrain, sample, tokenizer
from course_utils.nano.experiments import recipe_tasks, reward_model, sums, talk
from course_utils.nano.experiments.recipe_tasks import AREAS, Task
from course_utils.nano.model import Transformer
from course_utils.nano.verifiers import CodeVerifier
from course_utils.paths import nano_folder, repository_root

SEEDS = (1, 2, 3)
SHAPE = sums.SIZES["0.7M"].shape
"""The model of 0.7 M parameters of the scaling experiment."""

STAGES = {
    "base": "base",
    "cold": "cold start",
    "stage1": "stage 1: maths and code",
    "stage2": "stage 2: general too",
    "stage2-alone": "stage 2, without maths and code",
}
"""What is measured, in order; the last two both go on from stage 1."""

PRETRAINING = pretrain.Settings(
    steps=1100,
    tokens_per_step=2048,
    row_length=128,
    long_share=0.0,
    learning_rate=sums.SIZES["0.7M"].learning_rate,
    evaluate_every=100,
    bfloat16=True,
)
COLD_DOCUMENTS = 100
COLD_START = pretrain.Settings(
    steps=4,
    tokens_per_step=2048,
    row_length=128,
    long_share=0.0,
    learning_rate=3e-4,
    warmup_steps=1,
    evaluate_every=4,
)
"""Short, so that something is left for rewards to do: more steps already solve most sums."""
STAGE1 = grpo.Settings(
    steps=60,
    problems=16,
    group=8,
    learning_rate=1.5e-4,
    max_tokens=recipe_tasks.MAX_TOKENS,
)
STAGE2 = replace(STAGE1, steps=100)
"""More steps than stage 1, since there is more to learn."""

DRAWS: dict[str, dict[recipe_tasks.Area, float]] = {
    "stage1": {"maths": 0.5, "code": 0.5},
    "stage2": {"maths": 0.2, "code": 0.2, "general": 0.6},
    "stage2-alone": {"general": 1.0},
}
EXAM = {"maths": 300, "code": 300, "words": 80, "chinese": 80, "brackets": 80, "fact": 80}
EXAM |= {"talk": 80}
"""Held-out questions of each kind; each is answered once."""
TEMPERATURE = 0.6
"""That of QwQ's card, for the exam; there is no top-p here.  GRPO draws at temperature 1."""


def runs_folder() -> Path:
    return nano_folder() / "runs"


def stages_path(seed: int, folder: Path | None = None) -> Path:
    """Where the exams of one seed lie."""
    return (folder or runs_folder()) / f"recipe-stages-{seed}.csv"


def log_path(stage: str, seed: int, folder: Path | None = None) -> Path:
    """Where a stage's training log lies."""
    return (folder or runs_folder()) / f"recipe-{stage}-{seed}.csv"


def pretrained(seed: int, pieces: Tokenizer, **files: Path) -> Transformer:
    """The base model of one seed; ``files`` are ``pretrain.pretrain``'s."""
    model = pretrain.new_model(SHAPE, seed)
    settings = replace(PRETRAINING, seed=seed)
    document = recipe_tasks.document
    for _ in pretrain.pretrain(model, pieces, settings, document=document, **files):
        pass
    return model


def cold_start(model: Transformer, pieces: Tokenizer, seed: int) -> None:
    """Show ``model`` the same few careful solutions in maths and code; nothing general."""
    random, documents = Random(f"cold start {seed}"), []
    for _ in range(COLD_DOCUMENTS):
        task = recipe_tasks.draw_from(random, DRAWS["stage1"])
        reply = recipe_tasks.careful(task, random)
        documents.append(tokenizer.render(task.question) + reply + tokenizer.END_OF_TEXT)
    settings = replace(COLD_START, seed=seed)
    for _ in pretrain.pretrain(model, pieces, settings, document=lambda r: r.choice(documents)):
        pass


def reinforce(
    model: Transformer,
    pieces: Tokenizer,
    stage: str,
    seed: int,
    code: CodeVerifier,
    preferences: reward_model.RewardModel | None = None,
    settings: grpo.Settings | None = None,
    **files: Path,
) -> Iterator[dict]:
    """Train ``model`` in place as ``stage`` asks, yielding GRPO's records.

    Small talk is rewarded by ``preferences``, all else by ``code`` and rules.  The records say
    how replies to small talk did: the reward they got, the share that people would call good,
    and the share that gush.
    """

    settings = settings or (STAGE1 if stage == "stage1" else STAGE2)

    def reward(task: Task, text: str) -> float:
        if task.kind == "talk":
            return preferences.reward(task, text) if text.endswith(tokenizer.END) else 0.0
        return recipe_tasks.right(task, text, code)

    def watch(problems: Sequence[Task], texts: Sequence[str]) -> dict[str, float]:
        small = [(t, text) for t, text in zip(problems, texts, strict=True) if t.kind == "talk"]
        if stage == "stage1":
            return {}
        columns = {
            "talk_reward": [reward(*both) for both in small],
            "talk_good": [recipe_tasks.follows(*both) for both in small],
            "gushing": [talk.is_gushing(tokenizer.split_reply(text)[1]) for _, text in small],
        }
        return {
            name: round(sum(values) / len(values), 4) if values else ""
            for name, values in columns.items()
        }

    yield from grpo.train(
        model,
        pieces,
        lambda random: recipe_tasks.draw_from(random, DRAWS[stage]),
        replace(settings, seed=seed),
        reward=reward,
        watch=watch,
        **files,
    )


def sit_exam(
    model: Transformer, pieces: Tokenizer, code: CodeVerifier, asked: dict[str, int] | None = None
) -> list[dict]:
    """One row per kind: how many answers were ``right`` of those ``asked``, and the ``marks``.

    ``marks`` has one character per question, "1" for right, so that stages can be compared
    question by question.
    """
    stop, rows = pieces.token_to_id(tokenizer.END), []
    area_of = {kind: area for area, kinds in AREAS.items() for kind in kinds}
    for kind, n in (asked or EXAM).items():
        exam = recipe_tasks.exam(kind, n)
        samples = sample.sample(
            model,
            [pieces.encode(tokenizer.render(task.question)).ids for task in exam],
            stop=stop,
            max_tokens=recipe_tasks.MAX_TOKENS,
            temperature=TEMPERATURE,
            generator=torch.Generator().manual_seed(2026),
        )
        texts = [tokenizer.decode(pieces, text) for text in samples.texts()]
        right = [recipe_tasks.right(t, text, code) for t, text in zip(exam, texts, strict=True)]
        marks = "".join(str(int(mark)) for mark in right)
        row = {"area": area_of[kind], "kind": kind, "right": marks.count("1"), "asked": n}
        rows.append(row | {"marks": marks})
    return rows


def run(seed: int, *, folder: Path, cache: Path) -> None:
    """All stages with one seed; what is in ``cache`` already is not done again."""
    pieces, rows = tokenizer.load(), []
    with CodeVerifier() as code:
        for stage in STAGES:
            started = time.perf_counter()
            saved = cache / f"recipe-{stage}-{seed}.pt"
            model = pretrain.new_model(SHAPE, seed)
            if saved.exists():
                model.load_state_dict(torch.load(saved))
            elif stage == "base":
                files = {
                    "log_file": log_path("pretraining", seed, folder),
                    "state_file": cache / f"recipe-pretraining-{seed}.pt",
                }
                model = pretrained(seed, pieces, **files)
            else:
                before = {"cold": "base", "stage1": "cold"}.get(stage, "stage1")
                model.load_state_dict(torch.load(cache / f"recipe-{before}-{seed}.pt"))
                _train_stage(model, pieces, stage, seed, code, folder, cache)
            torch.save(model.state_dict(), saved)
            exam = sit_exam(model, pieces, code)
            rows += [{"seed": seed, "stage": stage} | row for row in exam]
            pretrain.write_log(stages_path(seed, folder), rows)
            shares = {row["kind"]: round(row["right"] / row["asked"], 2) for row in exam}
            print(f"{seed} {stage} {time.perf_counter() - started:.0f} s {shares}", flush=True)


def _train_stage(model, pieces, stage, seed, code, folder, cache) -> None:
    if stage == "cold":
        cold_start(model, pieces, seed)
        return
    preferences = None
    if stage != "stage1":
        preferences = reward_model.train(model, pieces, reward_model.WORSE, seed)
        if stage == "stage2":  # the other second stage has the same reward model
            rows = []
            for way in reward_model.WORSE:
                agreed = reward_model.agreement(preferences, way, reward_model.PAIRS_ASKED)
                row = {"seed": seed, "against": way, "agreed": agreed}
                rows.append(row | {"asked": reward_model.PAIRS_ASKED})
            pretrain.write_log(log_path("preferences", seed, folder), rows)
    files = {
        "log_file": log_path(stage, seed, folder),
        "state_file": cache / f"recipe-{stage}-{seed}-state.pt",
    }
    for _ in reinforce(model, pieces, stage, seed, code, preferences, **files):
        pass
    files["state_file"].unlink()


def read_stages(folder: Path | None = None) -> list[dict]:
    """The exams of all committed seeds: counts as integers, marks as text."""
    rows = []
    for seed in SEEDS:
        path = stages_path(seed, folder)
        if path.exists():
            rows += [
                row | {name: int(row[name]) for name in ("seed", "right", "asked")}
                for row in _read(path)
            ]
    return rows


def read_log(stage: str, seed: int, folder: Path | None = None) -> list[dict[str, float | None]]:
    """A stage's training log; None where a step had nothing to measure."""
    return [
        {name: float(value) if value else None for name, value in row.items()}
        for row in _read(log_path(stage, seed, folder))
    ]


def read_preferences(folder: Path | None = None) -> list[dict]:
    """How often the reward model agreed with people on held-out pairs, by the worse reply."""
    rows = []
    for seed in SEEDS:
        path = log_path("preferences", seed, folder)
        if path.exists():
            rows += [
                row | {name: int(row[name]) for name in ("seed", "agreed", "asked")}
                for row in _read(path)
            ]
    return rows


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, choices=SEEDS, help="only this one")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    cache = repository_root() / ".cache" / "nano"
    cache.mkdir(parents=True, exist_ok=True)
    runs_folder().mkdir(parents=True, exist_ok=True)
    for seed in [chosen.seed] if chosen.seed else SEEDS:
        if len([row for row in read_stages() if row["seed"] == seed]) == len(STAGES) * len(EXAM):
            print(f"{stages_path(seed).name} is there already.", flush=True)
            continue
        run(seed, folder=runs_folder(), cache=cache)


if __name__ == "__main__":
    main()
