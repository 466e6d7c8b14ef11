"""Does reward teach a policy to use what it is told? GRPO in the guessing world, three seeds.

``python -m course_utils.agents.experiments.guessing_rl`` trains the base model ``guesser.gguf``
with each seed and compares policies: the base model, bare and under the best of twelve prompts, the
best policy that is blind to feedback, the reinforced policy, the same with noise for feedback, any
number that is still possible, and binary search.  It ships the policy of the first seed as
``guesser-rl.gguf``, and writes to ``models/nano/runs``:

* ``guessing-rl-SEED.csv``: each step of the training, with the score on validation episodes
* ``guessing-replay-SEED.csv``: one fixed episode, played again every few steps
* ``guessing-prompts.csv``: the twelve prompts on validation episodes
* ``guessing-policies.csv``: the comparison, on other held-out episodes

A finished run is left alone; a stopped one goes on where it was.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import asdict
from pathlib import Path

import torch
from tokenizers import Tokenizer

from course_utils.agents import grpo, guessing, measure, players
from course_utils.agents.experiments.guessing_prompts import PROMPTS
from course_utils.agents.rollout import play
from course_utils.nano import export
from course_utils.nano.model import Transformer
from course_utils.nano.pretrain import write_log
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder, repository_root

SEEDS = (1, 2, 3)
SETTINGS = {
    "steps": 50,
    "episodes": 24,
    "group": 8,
    "learning_rate": 2e-4,
    "discount": 0.9,
}
EVERY = 10
"""Steps between two looks at the validation episodes, and two replays."""

VALIDATION, EXAM = 2025, 2028
"""Seeds of the episodes that prompts and settings are chosen on, and of those reported."""
VALIDATED, EXAMINED = 200, 500
"""How many episodes there are of each."""

REPLAYED = (8, 95, 61)
"""Lowest, highest and hidden number of the episode that is played again and again."""

DECODINGS = {"likeliest": 0.0, "drawn": 1.0}


def reinforced(seed: int, tokenizer: Tokenizer, runs: Path, states: Path) -> Transformer:
    """The base model after training with one seed; logs and replays lie in ``runs``."""
    model = export.from_gguf(nano_folder() / "guesser.gguf")
    settings = grpo.Settings(seed=seed, **SETTINGS)
    log_file, replay_file = (runs / f"guessing-{kind}-{seed}.csv" for kind in ("rl", "replay"))
    state_file = states / f"guessing-rl-{seed}.pt"
    going_on = all(file.exists() for file in (log_file, replay_file, state_file))
    if not going_on:
        state_file.unlink(missing_ok=True)  # what is left of it says too little to go on
    log = read(log_file) if going_on else []
    replays = read(replay_file) if going_on else replay(model, tokenizer, 0)
    for record in grpo.train(model, tokenizer, guessing.draw, settings, state_file=state_file):
        del record["example"]
        record |= {"validation_success": "", "validation_turns": ""}
        if record["step"] % EVERY == 0:
            score = measure.score_policy(model, tokenizer, guessing.exam(VALIDATED, VALIDATION))
            record["validation_success"] = round(score.success, 4)
            record["validation_turns"] = round(score.turns, 3)
            replays += replay(model, tokenizer, record["step"])
            print(seed, record, flush=True)
        log.append(record)
        write_log(log_file, log)
        write_log(replay_file, replays)
    return model


def replay(model: Transformer, tokenizer: Tokenizer, step: int) -> list[dict]:
    """The fixed episode as this model plays it with its likeliest guesses, a row for each turn."""
    (rollout,) = play(model, tokenizer, [guessing.Guessing(*REPLAYED)], temperature=0)
    return [
        {"step": step, "turn": turn, "guess": guess, "answer": answer}
        for turn, (guess, answer) in enumerate(rollout.turns, start=1)
    ]


def choose_prompt(model: Transformer, tokenizer: Tokenizer, runs: Path) -> tuple[int, str]:
    """Number and decoding of the prompt that the base model plays best with, on validation."""
    rows = []
    for number, prompt in enumerate(PROMPTS):
        for decoding, temperature in DECODINGS.items():
            episodes = [prompt.apply(e) for e in guessing.exam(VALIDATED, VALIDATION)]
            score = measure.score_policy(model, tokenizer, episodes, temperature=temperature)
            rows.append({"prompt": number, **asdict(prompt), "decoding": decoding} | row(score))
    write_log(runs / "guessing-prompts.csv", rows)
    best = max(rows, key=lambda r: r["success"])
    return best["prompt"], best["decoding"]


def compare(tokenizer: Tokenizer, runs: Path, states: Path) -> list[dict]:
    """All policies on the exam, a row for each and, where there are seeds, for each seed."""
    base = export.from_gguf(nano_folder() / "guesser.gguf")
    number, decoding = choose_prompt(base, tokenizer, runs)
    asked = [PROMPTS[number].apply(e) for e in guessing.exam(EXAMINED, EXAM)]
    intervals = [(e.low, e.high) for e in guessing.exam(EXAMINED, EXAM)]
    rows = []

    def add(policy: str, decoding: str, score: measure.Score, seed: int | str = "") -> None:
        rows.append({"policy": policy, "seed": seed, "decoding": decoding} | row(score))

    for name, temperature in DECODINGS.items():
        score = measure.score_policy(
            base, tokenizer, guessing.exam(EXAMINED, EXAM), temperature=temperature
        )
        add("base", name, score)
    temperature = DECODINGS[decoding]
    add(
        "base, best prompt",
        decoding,
        measure.score_policy(base, tokenizer, asked, temperature=temperature),
    )
    add("best blind policy", "exact", measure.best_blind_score(intervals))
    add("any number still possible", "exact", measure.any_possible_score(intervals))
    add("binary search", "exact", measure.score_player(players.binary_search, intervals))
    for seed in SEEDS:
        model = reinforced(seed, tokenizer, runs, states)
        for name, temperature in DECODINGS.items():
            for policy, noise in (("reinforced", False), ("reinforced, noise for feedback", True)):
                episodes = guessing.exam(EXAMINED, EXAM, noise=noise)
                score = measure.score_policy(model, tokenizer, episodes, temperature=temperature)
                add(policy, name, score, seed)
    write_log(runs / "guessing-policies.csv", rows)
    return rows


def row(score: measure.Score) -> dict:
    return {
        "success": round(score.success, 4),
        "turns": round(score.turns, 3),
        "episodes": score.episodes,
    }


def read(path: Path) -> list[dict]:
    """The rows of a log."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(parser.parse_args().threads)
    runs, states = nano_folder() / "runs", repository_root() / ".cache" / "nano"
    states.mkdir(parents=True, exist_ok=True)
    if (runs / "guessing-policies.csv").exists():
        print("guessing-policies.csv is there: delete it to train and compare again.")
        return
    for found in compare(load(), runs, states):
        print(found)


if __name__ == "__main__":
    main()
