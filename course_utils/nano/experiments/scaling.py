"""How much larger must a model be to do without reinforcement learning? Five sizes, three seeds.

Every model of the laboratory of sums reads the same number of tokens, and is then trained with
GRPO; after every few steps it answers 400 problems that no model has trained on, once drawn at
temperature 1 and once with the likeliest tokens.
``python -m course_utils.nano.experiments.scaling --model 0.2M --seed 1`` writes
``models/nano/runs/scaling-0.2M-1.csv``.  A finished run is left alone; a stopped one goes on from
its pretraining, and repeats its reinforcement learning, which is short.

Floating-point operations are counted as in Kaplan et al., arXiv 2001.08361, section 2.1: 2 for
each parameter that works on a token when it is drawn or read, 6 when it is trained on.  With N
parameters that work on a token (all but the input embedding, which is looked up, and the experts
that were not chosen)::

    rl_flops = 2 N (tokens drawn + prompts read) + 6 N (tokens trained on, prompts included)

A prompt is read once for its whole group.  Solutions of a group that earned equal rewards are
not trained on.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tokenizers import Tokenizer

from course_utils.logs import write_log
from course_utils.nano import grpo, moe_training, pretrain, tasks
from course_utils.nano.experiments import runs, sums
from course_utils.nano.experiments.runs import SEEDS
from course_utils.nano.model import Transformer, qwen3
from course_utils.nano.tokenizer import load, render, split_reply

MODELS = sums.SIZES | {
    # As many parameters in all as "1.5M", about as many at work on a token as "0.7M".
    "moe": sums.Size(qwen3(experts=8, used=2, expert_width=128), 3e-3)
}
RL_STEPS = 50
EVERY = 5
EXAM = 400


@dataclass(frozen=True)
class Answers:
    """What a model did on an exam: counts, of ``asked`` replies.

    ``right``; ``thought``: how many worked the sum in writing; ``right_after_thought``: how many
    of those were right.  ``tokens``: mean length of a reply.
    """

    asked: int
    right: int
    thought: int
    right_after_thought: int
    tokens: float


def thinks(text: str) -> bool:
    """Does a reply work the sum in writing before it answers?"""
    return bool(split_reply(text)[0])


def ask(
    model: Transformer,
    pieces: Tokenizer,
    problems: Sequence[tasks.Problem],
    *,
    temperature: float = 1.0,
    seed: int = 0,
) -> Answers:
    """Let ``model`` answer each problem once; the same seed draws the same replies."""
    texts, samples = runs.replies(
        model,
        pieces,
        problems,
        max_tokens=sums.MAX_TOKENS,
        temperature=temperature,
        generator=seed,
    )
    right = [grpo.reward(p, text) == 1 for p, text in zip(problems, texts, strict=True)]
    thought = [thinks(text) for text in texts]
    both = sum(r and t for r, t in zip(right, thought, strict=True))
    length = samples.lengths.float().mean().item()
    return Answers(len(problems), sum(right), sum(thought), both, length)


def working_parameters(model: Transformer) -> int:
    """How many parameters work on each token: N of the formula above."""
    shape, idle = model.shape, 0
    if shape.experts:
        expert = 3 * shape.width * shape.expert_width
        idle = shape.layers * (shape.experts - shape.used) * expert
    return model.parameter_count() - model.token_embd.weight.numel() - idle


@dataclass
class Spent:
    """Computing done in reinforcement learning; ``note`` is a ``watch`` of ``grpo.train``."""

    parameters: int
    pieces: Tokenizer
    group: int
    drawn: int = 0
    read: int = 0
    trained: int = 0

    def note(self, problems: Sequence[tasks.Problem], texts: Sequence[str]) -> dict[str, float]:
        """Count one step's tokens; gives the share of completions that work the sum in writing."""
        for start in range(0, len(texts), self.group):
            group = texts[start : start + self.group]
            problem = problems[start]
            prompt = len(self.pieces.encode(render(problem.question)).ids)
            lengths = [len(self.pieces.encode(text).ids) for text in group]
            self.read += prompt
            self.drawn += sum(lengths)
            if len({grpo.reward(problem, text) for text in group}) > 1:
                self.trained += sum(lengths) + prompt * len(group)
        return {"thinks": round(sum(map(thinks, texts)) / len(texts), 4)}

    @property
    def flops(self) -> int:
        return self.parameters * (2 * (self.drawn + self.read) + 6 * self.trained)


def reinforce(
    model: Transformer,
    pieces: Tokenizer,
    settings: grpo.Settings,
    facts: dict,
    *,
    problems: int = EXAM,
    every: int = EVERY,
) -> list[dict]:
    """Train ``model`` in place with GRPO; gives a row for step 0 and every ``every`` steps.

    ``facts`` are put before each row.
    """
    exam = sums.exam(problems)
    spent = Spent(working_parameters(model), pieces, settings.group)
    rows: list[dict] = []

    def row(record: dict) -> None:
        drawn, likeliest = (ask(model, pieces, exam, temperature=t) for t in (1.0, 0.0))
        rows.append(
            facts
            | {
                "rl_step": record.get("step", 0),
                "rl_seconds": record.get("seconds", 0.0),
                "tokens_drawn": spent.drawn,
                "tokens_trained": spent.trained,
                "rl_flops": spent.flops,
                "reward": record.get("reward", ""),
                "entropy": record.get("entropy", ""),
                "asked": drawn.asked,
                "right": drawn.right,
                "thought": drawn.thought,
                "right_after_thought": drawn.right_after_thought,
                "tokens": round(drawn.tokens, 1),
                "greedy_right": likeliest.right,
                "greedy_thought": likeliest.thought,
                "greedy_tokens": round(likeliest.tokens, 1),
            }
        )

    row({})
    for record in grpo.train(model, pieces, sums.problem, settings, watch=spent.note):
        if record["step"] % every == 0:
            row(record)
    return rows


def log_name(name: str, seed: int) -> str:
    """What the log of a run is called."""
    return f"scaling-{name}-{seed}"


def kept(name: str, seed: int, what: str) -> Path:
    """Where a model waits for the experiments that go on from it (not shipped)."""
    return runs.cache_folder() / f"{log_name(name, seed)}-{what}.pt"


def settings_of(name: str, seed: int) -> tuple[pretrain.Settings, grpo.Settings]:
    """How one model is pretrained and reinforced; wider ones learn at a lower rate in both."""
    rate = MODELS[name].learning_rate
    return (
        replace(
            sums.pretraining("0.2M", seed=seed),
            learning_rate=rate,
            bfloat16=not MODELS[name].shape.experts,  # the experts' stretches are too short for it
        ),
        sums.reinforcement(steps=RL_STEPS, seed=seed, learning_rate=rate / 10),
    )


def new_model(name: str, seed: int) -> Transformer:
    """One of ``MODELS`` with random weights, the same for the same seed."""
    return pretrain.new_model(MODELS[name].shape, seed)


def pretrained(name: str, seed: int, pieces: Tokenizer) -> tuple[Transformer, float]:
    """The base model of this name and seed, made if need be, and the seconds it took to make."""
    path, model = kept(name, seed, "base"), new_model(name, seed)
    if path.exists():
        saved = torch.load(path)
        model.load_state_dict(saved["model"])
        return model, saved["seconds"]
    state = kept(name, seed, "state")
    settings, _ = settings_of(name, seed)
    balance = moe_training.BALANCE if model.shape.experts else 0.0
    for record in pretrain.pretrain(
        model, pieces, settings, document=sums.document, balance=balance, state_file=state
    ):
        if record["step"] % 100 == 0:
            print(name, seed, record, flush=True)
    pretrain.save_state(path, model=model.state_dict(), seconds=record["seconds"])
    state.unlink(missing_ok=True)
    return model, record["seconds"]


def run(name: str, seed: int, folder: Path | None = None) -> list[dict]:
    """Pretrain and reinforce one model with one seed, write its log, and give the log's rows."""
    pieces = load()
    model, seconds = pretrained(name, seed, pieces)
    before, reinforcement = settings_of(name, seed)
    working = working_parameters(model)
    tokens = before.steps * before.tokens_per_step
    facts = {
        "model": name,
        "seed": seed,
        "parameters": model.parameter_count(),
        "working_parameters": working,
        "pretraining_tokens": tokens,
        "pretraining_flops": 6 * working * tokens,
        "pretraining_seconds": seconds,
    }
    rows = reinforce(model, pieces, reinforcement, facts)
    pretrain.save_state(kept(name, seed, "reinforced"), model=model.state_dict())
    write_log(runs.log_path(log_name(name, seed), folder), rows)
    return rows


def both_models(name: str, seed: int, pieces: Tokenizer) -> dict[str, Transformer]:
    """The model of this name and seed as "base" and "reinforced"; made if they are not there."""
    base, _ = pretrained(name, seed, pieces)
    path, model = kept(name, seed, "reinforced"), copy.deepcopy(base)
    if path.exists():
        model.load_state_dict(torch.load(path)["model"])
    else:
        for _ in grpo.train(model, pieces, sums.problem, settings_of(name, seed)[1]):
            pass
        pretrain.save_state(path, model=model.state_dict())
    return {"base": base, "reinforced": model}


def read_runs(folder: Path | None = None) -> list[dict]:
    """All committed rows, in the order of ``MODELS`` and seeds."""
    return runs.read_all([log_name(name, seed) for name in MODELS for seed in SEEDS], folder)


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = runs.choose(__doc__, arguments, model=MODELS, seed=SEEDS)
    for seed in chosen.seed:
        for name in chosen.model:
            path = runs.log_path(log_name(name, seed))
            if not runs.there(path):
                print(f"{path.name}: {run(name, seed)[-1]}", flush=True)


if __name__ == "__main__":
    main()
