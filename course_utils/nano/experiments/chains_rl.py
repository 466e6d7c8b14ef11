"""What does reward on short chains do? GRPO, with the objective of ``nano.grpo``.

The step is that of ``grpo.train``, for batches of one shape, so that a GPU can replay it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.nano import checks, grpo
from course_utils.nano.experiments import chains_corpus, chains_graph, chains_task
from course_utils.nano.experiments.chains_sampling import Sampler, texts
from course_utils.nano.grpo_settings import MOST_COMPLETIONS, MOST_TOKENS
from course_utils.nano.model import Transformer


@dataclass(frozen=True)
class Settings:
    """How models are reinforced: lengths of the chains, and GRPO's settings as in ``nano.grpo``.

    ``steps`` holds the numbers of steps of the chains drawn, each as often as it is named; some
    of one step keep what the base model knows in use.
    """

    steps: tuple[int, ...] = (1, 2, 3, 4)
    problems: int = 32
    group: int = 16
    updates: int = 2
    learning_rate: float = 5e-4
    clip_low: float = 0.2
    clip_high: float = 0.28
    new_tokens: int = 36
    prompt_tokens: int = 62
    seed: int = 1

    def __post_init__(self):
        for steps in self.steps:
            checks.whole("steps", steps, 0)
        checks.whole("group", self.group, 2, MOST_COMPLETIONS)
        checks.whole("problems", self.problems, 1, MOST_COMPLETIONS // self.group)
        checks.whole("updates", self.updates, 1, self.problems * self.group)
        for name in ("new_tokens", "prompt_tokens"):
            checks.whole(name, getattr(self, name), 1, MOST_TOKENS)
        checks.whole("seed", self.seed, 0)
        for name in ("learning_rate", "clip_low", "clip_high"):
            checks.number(name, getattr(self, name), 0, 1)


@dataclass
class Spent:
    """Tokens of reinforcement learning, and the operations they cost (see ``operations``)."""

    parameters: int
    drawn: int = 0
    read: int = 0
    trained: int = 0

    @property
    def flops(self) -> int:
        return self.parameters * (2 * (self.drawn + self.read) + 6 * self.trained)


def reinforce(model: Transformer, settings: Settings, spent: Spent) -> Iterator[dict]:
    """Train ``model`` in place for as long as it is asked for a record; one record per step."""
    s = settings
    count = s.problems * s.group
    sampler = Sampler(model, count, s.prompt_tokens, s.new_tokens)
    optimizer = chains_graph.optimizer_for(
        model, [{"params": list(model.parameters())}], (0.9, 0.99)
    )
    gpu, recorded, number = model.device.type == "cuda", None, 0

    def step(rows: Tensor, old: Tensor, weights: Tensor, advantage: Tensor):
        optimizer.zero_grad()
        logits = model(rows[:, :-1]).float().flatten(0, 1)
        new = -F.cross_entropy(logits, rows[:, 1:].flatten(), reduction="none").view_as(old)
        surrogate = grpo.clipped_objective(new, old, advantage[:, None], s.clip_low, s.clip_high)
        (-(surrogate * weights).sum()).backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return norm

    while True:
        number += 1
        random = Random(f"{s.seed} {number}")
        problems = [chains_task.draw(random, random.choice(s.steps)) for _ in range(s.problems)]
        prompts = [chains_corpus.prompt(problem) for problem in problems for _ in range(s.group)]
        samples = sampler.draw(prompts, seed=random.getrandbits(62))
        repeated = [problem for problem in problems for _ in range(s.group)]
        replies = texts(samples)
        verdicts = [chains_task.judge(p, text) for p, text in zip(repeated, replies, strict=True)]
        rewards = torch.tensor([float(v.right) for v in verdicts], device=model.device)
        rewards = rewards.view(s.problems, s.group)
        advantage = grpo.advantages(rewards).flatten()
        advantage = advantage * (advantage.abs() > 1e-3)
        rows, old, mask = aligned(prompts, samples, settings, fixed=gpu)
        norms = []
        for start in range(s.updates):
            part = torch.arange(start, count, s.updates, device=model.device)
            weights = mask / mask[part].sum()
            if not gpu:
                part = part[advantage[part] != 0]
            if not len(part):
                continue
            inputs = rows[part], old[part], weights[part], advantage[part]
            if recorded is None:
                recorded = chains_graph.replayed(step, *inputs)
                chains_graph.forget(optimizer)
                chains_graph.set_rate(optimizer, s.learning_rate)
            norms.append(recorded(*inputs).clone())
        spent.drawn += int(samples.lengths.sum())
        spent.read += sum(len(prompt) for prompt in prompts[:: s.group])
        trained = (advantage != 0).nonzero()[:, 0].tolist()
        lengths = samples.lengths.tolist()
        spent.trained += sum(lengths[row] + len(prompts[row]) for row in trained)
        yield {
            "step": number,
            "reward": rewards.mean().item(),
            "worked": sum(v.worked for v in verdicts) / count,
            "sound": sum(v.sound for v in verdicts) / count,
            "length": sum(lengths) / count,
            "entropy": (samples.entropy.sum() / samples.lengths.sum()).item(),
            "grad_norm": torch.stack(norms).mean().item() if norms else 0.0,
            "zero_std_groups": (rewards.amax(1) == rewards.amin(1)).float().mean().item(),
        }


def aligned(prompts, samples, settings: Settings, *, fixed: bool):
    """Prompts with their replies as rows, and for the prediction of each token but the first:
    its log-probability when it was drawn, and whether it was drawn at all.

    Shapes (n, T), (n, T - 1), (n, T - 1); T is the longest row, or ``fixed`` by the settings.
    """
    device = samples.tokens.device
    replies = samples.texts()
    together = [prompt + reply for prompt, reply in zip(prompts, replies, strict=True)]
    longest = max(map(len, together))
    if fixed:
        longest = settings.prompt_tokens + settings.new_tokens
    rows = torch.tensor([row + [0] * (longest - len(row)) for row in together], device=device)
    starts = torch.tensor([len(prompt) - 1 for prompt in prompts], device=device)
    behind = torch.arange(longest - 1, device=device) - starts[:, None]
    mask = (behind >= 0) & (behind < samples.lengths[:, None])
    width = samples.log_probs.shape[1]
    old = samples.log_probs.gather(1, behind.clamp(0, width - 1)).masked_fill(~mask, 0)
    return rows, old, mask.float()
