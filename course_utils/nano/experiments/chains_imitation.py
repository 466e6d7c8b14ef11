"""What does imitation do with the same short chains? Worked solutions, or a model's own.

The arms differ only in whose solutions are read: the author's (supervised fine-tuning), or the
model's own right answers (rejection sampling, Yuan et al., arXiv 2308.01825), drawn from the plain
question or with the best prompt.  Those of a larger
reinforced model (distillation, as in DeepSeek-R1, arXiv 2501.12948v1) would be the author's from
two turns on: a chain has one sound thought.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

import torch

from course_utils.nano.experiments import (
    chains_corpus,
    chains_learning,
    chains_prompts,
    chains_task,
)
from course_utils.nano.experiments.chains_rl import Spent
from course_utils.nano.experiments.chains_sampling import Sampler, load_once, texts
from course_utils.nano.model import Transformer

Solution = tuple[list[int], list[int]]
"""A prompt and a solution, as token numbers."""

WIDTH = 98
"""Tokens of the longest prompt with its solution, on short chains."""

BATCH = 64


def worked(random: Random, steps: Sequence[int]) -> Iterator[Solution]:
    """Worked solutions of short chains, without end; a single step needs no working."""
    while True:
        chain = chains_task.draw(random, random.choice(steps))
        yield chains_corpus.prompt(chain), chains_corpus.solution(chain, chain.steps > 1)


def right_answers(
    model: Transformer,
    steps: Sequence[int],
    budget: int,
    spent: Spent,
    seed: int,
    rows: int = 512,
    prompt: str = "bare",
) -> list[Solution]:
    """What ``model`` answers rightly at temperature 1, drawn until ``budget`` operations are spent.

    ``spent`` counts them, for the model that draws.  ``prompt``: how it is asked, one of
    ``chains_prompts``; the solutions answer the plain question all the same.
    """
    random, kept = Random(f"answers {seed}"), []
    ask = chains_corpus.prompt if prompt == "bare" else chains_prompts.ids(prompt)
    begun = chains_prompts.begun(prompt)
    longest = 62 if prompt == "bare" else chains_prompts.LONGEST
    sampler = Sampler(model, rows, longest, 36)
    while spent.flops < budget:
        chains = [chains_task.draw(random, random.choice(steps)) for _ in range(rows)]
        prompts = [ask(chain) for chain in chains]
        samples = sampler.draw(prompts, seed=random.getrandbits(62))
        spent.drawn += int(samples.lengths.sum())
        spent.read += sum(map(len, prompts))
        for chain, ids, text in zip(chains, samples.texts(), texts(samples), strict=True):
            start = begun(chain)
            if chains_task.judge(chain, start + text).right:
                read = load_once().encode(start).ids if start else []
                kept.append((chains_corpus.prompt(chain), read + ids))
    return kept


def again_and_again(solutions: Sequence[Solution], random: Random) -> Iterator[Solution]:
    """These solutions without end, in a new order each time."""
    while True:
        yield from random.sample(solutions, len(solutions))


def imitate(
    model: Transformer,
    solutions: Iterator[Solution],
    rate: Callable[[float], float],
    budget: int,
    spent: Spent,
) -> Iterator[float]:
    """Train ``model`` in place on solutions until ``budget`` operations are spent.

    Gives the share of the budget that is spent, after each step.  ``rate`` is the learning rate
    for a share.  Prompts are read, not learnt.
    """
    learner, before = None, spent.flops
    while spent.flops < budget:
        batch = [next(solutions) for _ in range(BATCH)]
        rows = torch.zeros(BATCH, WIDTH, dtype=torch.long)
        weights = torch.zeros(BATCH, WIDTH - 1)
        for row, (prompt, solution) in enumerate(batch):
            together = prompt + solution
            rows[row, : len(together)] = torch.tensor(together)
            weights[row, len(prompt) - 1 : len(together) - 1] = 1
            spent.trained += len(together)
        learner = learner or chains_learning.Learner(model, rows, weights)
        learner.learn(rows, weights, rate((spent.flops - before) / max(1, budget - before)))
        yield spent.flops / budget
