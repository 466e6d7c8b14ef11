"""Does reward teach a policy to use what it is told? GRPO in the guessing world, three seeds.

``python -m course_utils.agents.experiments.guessing_rl`` trains the base model ``guesser.gguf``
with each seed and compares policies: the base model, asked plainly and by the best of twelve
prompts, the best policy that is blind to feedback, the reinforced policy, the same with noise for
feedback, any number that is still possible, and binary search.  It ships the policy of the first
seed as ``guesser-rl.gguf``, and writes to ``models/nano/runs``:

* ``guessing-rl-SEED.csv``: each step of the training, with the score on validation episodes
* ``guessing-replay-SEED.csv``: one fixed episode, played again every few steps
* ``guessing-prompts.csv``: the twelve prompts on validation episodes
* ``guessing-policies.csv``: the comparison, on other held-out episodes

A finished run is left alone; a stopped one goes on where it was.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from tokenizers import Tokenizer

from course_utils import command_line
from course_utils.agents import grpo, guessing, measure, players
from course_utils.agents.experiments.guessing_prompts import PROMPTS
from course_utils.agents.rollout import CHAT_TEMPLATE, play
from course_utils.logs import read_table, write_log
from course_utils.machine import usable_cores
from course_utils.nano import cards, export
from course_utils.nano.experiments.runs import cache_folder, runs_folder
from course_utils.nano.model import Transformer
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder

NAME = "guesser-rl"
SEEDS = (1, 2, 3)
SETTINGS = {
    "steps": 80,
    "episodes": 192,
    "group": 1,
    "learning_rate": 5e-4,
    "last_rate": 0.1,
    "discount": 0.9,
    "credit": "turn",
}
EVERY = 10
"""Steps between two looks at the validation episodes, and two replays."""

VALIDATION, EXAM = 2025, 2028
"""Seeds of the episodes that prompts and settings are chosen on, and of those reported."""
VALIDATED, EXAMINED = 200, 500
"""How many episodes there are of each."""

REPLAYED = (8, 95, 30)
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


def ship(model: Transformer, tokenizer: Tokenizer, log: list[dict], rows: list[dict]) -> None:
    """Write the reinforced policy and its card; ``rows``: the comparison, with its scores."""
    path = nano_folder() / f"{NAME}.gguf"
    about = export.About("nano guesser, reinforced", "A very small model that finds numbers.")
    export.to_gguf(model, tokenizer, path, about, half=True, template=CHAT_TEMPLATE)
    scores = "; ".join(
        f"{r['policy']}, {r['decoding']}: {float(r['success']):.1%}"
        for r in rows
        if str(r["seed"]) == str(SEEDS[0]) or r["policy"] == "base"
    )
    facts = {
        "title": "nano guesser, reinforced",
        "summary": "Guesses a number, and uses what it is told. It is nano guesser after "
        "reinforcement learning in the guessing world, rewarded once for each episode.",
        "made_from": "`guesser.gguf`",
        "command": "python -m course_utils.agents.experiments.guessing_rl",
        "seconds": float(log[-1]["seconds"]),
        "cores": 1,
        "training": asdict(grpo.Settings(seed=SEEDS[0], **SETTINGS)),
        "data": {"episodes on intervals that are not held out": 1.0},
        "tests": f"What counts here is how often it finds the number in {guessing.GUESSES} "
        f"guesses, on {EXAMINED} episodes of held-out intervals ({scores}).",
    }
    cards.write_card(path, facts, {})


def replay(model: Transformer, tokenizer: Tokenizer, step: int) -> list[dict]:
    """The fixed episode as this model plays it with its likeliest guesses, a row for each turn."""
    (rollout,) = play(model, tokenizer, [guessing.Guessing(*REPLAYED)], temperature=0)
    return [
        {"step": step, "turn": turn, "guess": guess, "answer": answer}
        for turn, (guess, answer) in enumerate(rollout.turns, start=1)
    ]


def replayed(seed: int, step: int) -> list[tuple[str, str]]:
    """The fixed episode as a committed run played it after so many steps: (guess, answer)."""
    rows = read(nano_folder() / "runs" / f"guessing-replay-{seed}.csv")
    return [(row["guess"], row["answer"]) for row in rows if int(row["step"]) == step]


def choose_prompt(
    model: Transformer, tokenizer: Tokenizer, runs: Path, decodings: Collection[str] = DECODINGS
) -> tuple[int, str]:
    """Number and decoding of the prompt that the base model plays best with, on validation.

    ``decodings``: those to choose from.
    """
    path = runs / "guessing-prompts.csv"
    rows = read(path)
    for number, prompt in list(enumerate(PROMPTS))[len(rows) // len(DECODINGS) :]:
        for decoding, temperature in DECODINGS.items():
            episodes = [prompt.apply(e) for e in guessing.exam(VALIDATED, VALIDATION)]
            score = measure.score_policy(model, tokenizer, episodes, temperature=temperature)
            rows.append({"prompt": number, **asdict(prompt), "decoding": decoding} | row(score))
        write_log(path, rows)
    best = max((r for r in rows if r["decoding"] in decodings), key=lambda r: float(r["success"]))
    return int(best["prompt"]), best["decoding"]


def compare(tokenizer: Tokenizer, runs: Path, states: Path) -> list[dict]:
    """All policies on the exam, a row for each and, where there are seeds, for each seed.

    The rows that an earlier call left behind are kept.
    """
    path = runs / "guessing-policies.csv"
    rows = read(path)
    exam = guessing.exam(EXAMINED, EXAM)
    intervals = [(episode.low, episode.high) for episode in exam]
    base = export.from_gguf(nano_folder() / "guesser.gguf")
    number, chosen = choose_prompt(base, tokenizer, runs)

    def missing(policy: str, seed: int | str) -> bool:
        return not any((r["policy"], str(r["seed"])) == (policy, str(seed)) for r in rows)

    def add(policy: str, scores: dict[str, measure.Score], seed: int | str = "") -> None:
        for decoding, score in scores.items():
            rows.append({"policy": policy, "seed": seed, "decoding": decoding} | row(score))
            print(rows[-1], flush=True)
        write_log(path, rows)

    def played(model: Transformer, episodes: list[guessing.Guessing], *decodings: str) -> dict:
        return {
            name: measure.score_policy(
                model,
                tokenizer,
                [replace(episode, guesses=[]) for episode in episodes],
                temperature=DECODINGS[name],
            )
            for name in decodings
        }

    if missing("base", ""):
        add("base", played(base, exam, *DECODINGS))
    if missing("base, best prompt", ""):
        asked = [PROMPTS[number].apply(episode) for episode in exam]
        add("base, best prompt", played(base, asked, chosen))
    for policy, score in {
        "best blind policy": measure.best_blind_score(intervals),
        "any number still possible": measure.any_possible_score(intervals),
        "binary search": measure.score_player(players.binary_search, intervals),
    }.items():
        if missing(policy, ""):
            add(policy, {"exact": score})
    for seed in SEEDS:
        shipped = seed != SEEDS[0] or (nano_folder() / f"{NAME}.gguf").exists()
        if shipped and not missing("reinforced, noise for feedback", seed):
            continue
        model = reinforced(seed, tokenizer, runs, states)
        if missing("reinforced", seed):
            add("reinforced", played(model, exam, *DECODINGS), seed)
        if missing("reinforced, noise for feedback", seed):
            scores = {}
            for name in DECODINGS:  # a game uses up its coin, so that each has an exam of its own
                scores |= played(model, guessing.exam(EXAMINED, EXAM, noise=True), name)
            add("reinforced, noise for feedback", scores, seed)
        if not shipped:
            ship(model, tokenizer, read(runs / f"guessing-rl-{seed}.csv"), rows)
    return rows


def row(score: measure.Score) -> dict:
    return {
        "success": round(score.success, 4),
        "turns": round(score.turns, 3),
        "episodes": score.episodes,
    }


def read(path: Path) -> list[dict]:
    """The rows of a log as they stand in it, numbers as texts; none where there is no file."""
    return read_table(path)[1] if path.exists() else []


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_line.parser(__doc__)
    most = 4 * usable_cores()  # more would freeze the machine
    parser.add_argument("--threads", type=command_line.whole(1, most), default=1)
    torch.set_num_threads(parser.parse_args(arguments).threads)
    compare(load(), runs_folder(), cache_folder())


if __name__ == "__main__":
    command_line.start(main)
