"""Does QwQ's recipe hold at nano scale? Cold start, then maths and code, then everything else.

A base model reads right and wrong ways of everything.  A cold start shows it careful working.
Stage 1 is GRPO on maths and code, rewarded by verifiers alone.  Stage 2 adds general instructions,
rewarded by rules, and small talk, rewarded by a learned reward model.  After each stage the same
exam is sat.  A second stage without maths and code asks what those are there for.

``python -m course_utils.nano.experiments.recipe --seed 1`` runs all stages with one seed and
writes ``models/nano/runs/recipe-*-1.csv``.  A run that was stopped goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer

from course_utils import command_line, logs
from course_utils.nano import grpo, pretrain
from course_utils.nano.experiments import recipe_tasks, reward_model, runs, sums, talk
from course_utils.nano.experiments.recipe_tasks import AREAS, Task
from course_utils.nano.experiments.runs import SEEDS
from course_utils.nano.model import Transformer
from course_utils.nano.tokenizer import END, END_OF_TEXT, render, split_reply
from course_utils.nano.tokenizer import load as load_tokenizer
from course_utils.nano.verifiers import CodeVerifier

SHAPE = sums.SIZES["0.7M"].shape
"""The shape of the small base, 0.7 M parameters."""

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


def log_name(stage: str, seed: int) -> str:
    """What a stage's training log is called, or with "stages" the exams of one seed."""
    return f"recipe-{stage}-{seed}"


def pretrained(seed: int, tokenizer: Tokenizer, **files: Path) -> Transformer:
    """The base model of one seed; ``files`` are ``pretrain.pretrain``'s."""
    model = pretrain.new_model(SHAPE, seed)
    settings = replace(PRETRAINING, seed=seed)
    runs.read_corpus(model, tokenizer, settings, recipe_tasks.document, **files)
    return model


def cold_start(model: Transformer, tokenizer: Tokenizer, seed: int) -> None:
    """Show ``model`` the same few careful solutions in maths and code; nothing general."""

    def document(random: Random) -> str:
        task = recipe_tasks.draw_from(random, DRAWS["stage1"])
        reply = recipe_tasks.careful(task, random)
        return render(task.question) + reply + END_OF_TEXT

    runs.cold_start(model, tokenizer, replace(COLD_START, seed=seed), document, COLD_DOCUMENTS)


def reinforce(
    model: Transformer,
    tokenizer: Tokenizer,
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
            return preferences.reward(task, text) if text.endswith(END) else 0.0
        return recipe_tasks.right(task, text, code)

    def watch(problems: Sequence[Task], texts: Sequence[str]) -> dict[str, float]:
        small = [(t, text) for t, text in zip(problems, texts, strict=True) if t.kind == "talk"]
        if stage == "stage1":
            return {}
        columns = {
            "talk_reward": [reward(*both) for both in small],
            "talk_good": [recipe_tasks.follows(*both) for both in small],
            "gushing": [talk.is_gushing(split_reply(text)[1]) for _, text in small],
        }
        return {
            name: round(sum(values) / len(values), 4) if values else ""
            for name, values in columns.items()
        }

    yield from grpo.train(
        model,
        tokenizer,
        lambda random: recipe_tasks.draw_from(random, DRAWS[stage]),
        replace(settings, seed=seed),
        reward=reward,
        watch=watch,
        **files,
    )


def sit_exam(
    model: Transformer,
    tokenizer: Tokenizer,
    code: CodeVerifier,
    asked: dict[str, int] | None = None,
) -> list[dict]:
    """One row per kind: how many answers were ``right`` of those ``asked``, and the ``marks``.

    ``marks`` has one character per question, "1" for right, so that stages can be compared
    question by question.
    """
    rows = []
    area_of = {kind: area for area, kinds in AREAS.items() for kind in kinds}
    for kind, n in (asked or EXAM).items():
        exam = recipe_tasks.exam(kind, n)
        texts, _ = runs.replies(
            model,
            tokenizer,
            exam,
            max_tokens=recipe_tasks.MAX_TOKENS,
            temperature=TEMPERATURE,
        )
        right = [recipe_tasks.right(t, text, code) for t, text in zip(exam, texts, strict=True)]
        marks = "".join(str(int(mark)) for mark in right)
        row = {"area": area_of[kind], "kind": kind, "right": marks.count("1"), "asked": n}
        rows.append(row | {"marks": marks})
    return rows


def run(seed: int, *, folder: Path, cache: Path) -> None:
    """All stages with one seed; what is in ``cache`` already is not done again."""
    tokenizer, rows = load_tokenizer(), []
    with CodeVerifier() as code:
        for stage in STAGES:
            started = time.perf_counter()
            saved = cache / f"recipe-{stage}-{seed}.pt"
            model = pretrain.new_model(SHAPE, seed)
            if saved.exists():
                model.load_state_dict(torch.load(saved))
            elif stage == "base":
                files = {
                    "log_file": runs.log_path(log_name("pretraining", seed), folder),
                    "state_file": cache / f"recipe-pretraining-{seed}.pt",
                }
                model = pretrained(seed, tokenizer, **files)
            else:
                before = {"cold": "base", "stage1": "cold"}.get(stage, "stage1")
                model.load_state_dict(torch.load(cache / f"recipe-{before}-{seed}.pt"))
                _train_stage(model, tokenizer, stage, seed, code, folder, cache)
            torch.save(model.state_dict(), saved)
            exam = sit_exam(model, tokenizer, code)
            rows += [{"seed": seed, "stage": stage} | row for row in exam]
            logs.write_log(runs.log_path(log_name("stages", seed), folder), rows)
            shares = {row["kind"]: round(row["right"] / row["asked"], 2) for row in exam}
            print(f"{seed} {stage} {time.perf_counter() - started:.0f} s {shares}", flush=True)


def _train_stage(model, tokenizer, stage, seed, code, folder, cache) -> None:
    if stage == "cold":
        cold_start(model, tokenizer, seed)
        return
    preferences = None
    if stage != "stage1":
        preferences = reward_model.train(model, tokenizer, reward_model.WORSE, seed)
        if stage == "stage2":  # the other second stage has the same reward model
            rows = []
            for way in reward_model.WORSE:
                agreed = reward_model.agreement(preferences, way, reward_model.PAIRS_ASKED)
                row = {"seed": seed, "against": way, "agreed": agreed}
                rows.append(row | {"asked": reward_model.PAIRS_ASKED})
            logs.write_log(runs.log_path(log_name("preferences", seed), folder), rows)
    files = {
        "log_file": runs.log_path(log_name(stage, seed), folder),
        "state_file": cache / f"recipe-{stage}-{seed}-state.pt",
    }
    for _ in reinforce(model, tokenizer, stage, seed, code, preferences, **files):
        pass
    files["state_file"].unlink()


def read_stages(folder: Path | None = None) -> list[dict]:
    """The exams of all committed seeds: counts as integers, marks as text."""
    paths = [runs.log_path(log_name("stages", seed), folder) for seed in SEEDS]
    return [row for path in paths for row in logs.read_log(path, text=["marks"])]


def read_log(stage: str, seed: int, folder: Path | None = None) -> list[dict[str, float | None]]:
    """A stage's training log; None where a step had nothing to measure."""
    rows = runs.read_all([log_name(stage, seed)], folder)
    return [{name: None if value == "" else value for name, value in row.items()} for row in rows]


def read_preferences(folder: Path | None = None) -> list[dict]:
    """How often the reward model agreed with people on held-out pairs, by the worse reply."""
    return runs.read_all([log_name("preferences", seed) for seed in SEEDS], folder)


def main(arguments: Sequence[str] | None = None) -> None:
    folders = {"folder": runs.runs_folder(), "cache": runs.cache_folder()}
    for seed in runs.choose(__doc__, arguments, seed=SEEDS).seed:
        done = [row for row in read_stages() if row["seed"] == seed]
        if len(done) == len(STAGES) * len(EXAM):
            print(f"The exams of seed {seed} are there already.", flush=True)
            continue
        run(seed, **folders)


if __name__ == "__main__":
    command_line.start(main)
