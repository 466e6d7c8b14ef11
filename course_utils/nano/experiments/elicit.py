"""Does reinforcement learning teach, or bring out what was there? Many replies to each problem.

If some of a base model's 256 replies to a problem are right, the ability was there, and reward had
to make it likelier only.  If none is, and the reinforced model is right, it has learnt something.
This is the question, and pass@k the measure, of Yue et al., arXiv 2504.13837.

``python -m course_utils.nano.experiments.elicit --model 0.7M --seed 1`` needs the models of the
scaling experiment (it makes them if they are not there), and writes
``models/nano/runs/passk-0.7M-1.csv``: for each problem how many replies of the base model, and of
the reinforced one, were right; how many worked the sum in writing; how many of those were right.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer

from course_utils.logs import write_log
from course_utils.nano import grpo, tasks
from course_utils.nano.experiments import runs, scaling, sums
from course_utils.nano.model import Transformer
from course_utils.nano.tokenizer import load

MODELS = ("0.7M",)
REPLIES = 256
PROBLEMS = 60


def count(
    model: Transformer,
    pieces: Tokenizer,
    problems: Sequence[tasks.Problem],
    replies: int = REPLIES,
    *,
    seed: int = 0,
) -> list[dict]:
    """Draw ``replies`` to each problem at temperature 1, and count; one row per problem."""
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for start in range(0, len(problems), 4):  # a batch of about a thousand replies
        some = problems[start : start + 4]
        texts, _ = runs.replies(
            model,
            pieces,
            some,
            max_tokens=sums.MAX_TOKENS,
            copies=replies,
            generator=generator,
        )
        for index, problem in enumerate(some):
            mine = texts[index * replies : (index + 1) * replies]
            right = [grpo.reward(problem, text) == 1 for text in mine]
            thought = [scaling.thinks(text) for text in mine]
            rows.append(
                {
                    "question": problem.question,
                    "replies": replies,
                    "right": sum(right),
                    "thought": sum(thought),
                    "right_after_thought": sum(
                        r and t for r, t in zip(right, thought, strict=True)
                    ),
                }
            )
    return rows


def log_name(name: str, seed: int) -> str:
    """What the counts of one size and seed are called."""
    return f"passk-{name}-{seed}"


def run(name: str, seed: int, folder: Path | None = None) -> list[dict]:
    """Count the replies of both models of one size and seed, and write them."""
    pieces, problems = load(), sums.exam(PROBLEMS)
    rows = []
    for stage, model in scaling.both_models(name, seed, pieces).items():
        facts = {"model": name, "seed": seed, "stage": stage}
        rows += [facts | row for row in count(model, pieces, problems, seed=seed)]
    write_log(runs.log_path(log_name(name, seed), folder), rows)
    return rows


def read_runs(folder: Path | None = None) -> list[dict]:
    """All committed rows, in the order of ``MODELS`` and seeds."""
    names = [log_name(name, seed) for name in MODELS for seed in runs.SEEDS]
    return runs.read_all(names, folder)


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = runs.choose(__doc__, arguments, model=MODELS, seed=runs.SEEDS)
    for name in chosen.model:
        for seed in chosen.seed:
            path = runs.log_path(log_name(name, seed))
            if runs.there(path):
                continue
            rows = run(name, seed)
            for stage in ("base", "reinforced"):
                mine = [row for row in rows if row["stage"] == stage]
                share = sum(row["right"] for row in mine) / sum(row["replies"] for row in mine)
                print(f"{path.name}: {stage} {share:.1%}", flush=True)


if __name__ == "__main__":
    main()
