"""How does a model learn what people prefer? From pairs of replies, one better than the other.

A reward model is the base model with one number instead of a next token: its value of a reply.
It is trained so that of two replies to a remark the preferred one gets more (Bradley and Terry,
1952; Ouyang et al., arXiv 2203.02155, equation 1): the loss is -log sigmoid(better - worse).

The pairs are made from the base corpus's ways to reply: a good reply beside a curt, rude, unfitting
or gushing one.  A way that people were never shown would be judged by chance.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.nano.experiments import recipe_tasks, talk
from course_utils.nano.experiments.recipe_tasks import Task
from course_utils.nano.model import Transformer
from course_utils.nano.tokenizer import render, split_reply

WORSE: tuple[talk.Way, ...] = ("curt", "rude", "unfitting", "gushing")
"""The ways to reply that people like less than a good reply."""
STEPS, PAIRS, LEARNING_RATE = 200, 32, 1e-3
"""Training steps, pairs per step, and the learning rate, brought down to 0 in a line."""
PAIRS_ASKED = 200
"""Held-out pairs of each way that a trained reward model is asked about."""

Pair = tuple[Task, str, str]
"""A remark, the preferred reply, and the other."""


def pairs(random: Random, n: int, ways: Sequence[talk.Way], *, testing: bool = False) -> list[Pair]:
    """``n`` pairs, the worse reply in one of ``ways``; ``testing`` takes held-out remarks."""
    result = []
    for _ in range(n):
        task = recipe_tasks.draw(random, "talk", testing=testing)
        worse = talk.reply(random, random.choice(ways), task.topic)
        result.append((task, task.answer, worse))
    return result


class RewardModel(nn.Module):
    """The body of a language model with a head that gives one number per text."""

    def __init__(self, base: Transformer, tokenizer: Tokenizer):
        super().__init__()
        self.body = copy.deepcopy(base)
        self.body.output = nn.Linear(base.shape.width, 1, bias=False, device=base.device)
        nn.init.zeros_(self.body.output.weight)
        self.tokenizer = tokenizer
        self._known: dict[tuple[str, str], float] = {}

    def forward(self, remarks: Sequence[str], replies: Sequence[str]) -> Tensor:
        """(rows,) the value of each reply, read at its last token."""
        texts = [
            self.tokenizer.encode(render(remark) + recipe_tasks.written("", reply)).ids
            for remark, reply in zip(remarks, replies, strict=True)
        ]
        last = [len(text) - 1 for text in texts]
        return self.body(self.body.batch(texts))[range(len(texts)), last, 0]

    @torch.no_grad()
    def reward(self, task: Task, text: str) -> float:
        """From 0 to 1: the sigmoid of the value of a reply's answer; the thought is not read."""
        key = task.question, split_reply(text)[1]
        if key not in self._known:
            self._known[key] = torch.sigmoid(self([key[0]], [key[1]]))[0].item()
        return self._known[key]


def train(
    base: Transformer,
    tokenizer: Tokenizer,
    ways: Sequence[talk.Way],
    seed: int,
    steps: int | None = None,
) -> RewardModel:
    """A reward model from ``base``, trained on pairs whose worse reply is in one of ``ways``."""
    steps = steps or STEPS
    torch.manual_seed(seed)
    random = Random(f"pairs {seed}")
    model = RewardModel(base, tokenizer)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 - step / steps)
        drawn = pairs(random, PAIRS, ways)
        remarks = [task.question for task, _, _ in drawn]
        better = model(remarks, [good for _, good, _ in drawn])
        worse = model(remarks, [bad for _, _, bad in drawn])
        loss = -F.logsigmoid(better - worse).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


@torch.no_grad()
def agreement(model: RewardModel, way: talk.Way, n: int = PAIRS_ASKED, seed: int = 2026) -> int:
    """Of ``n`` held-out pairs, in how many does the model prefer the good reply to this way's?"""
    drawn = pairs(Random(f"agreement {seed}"), n, (way,), testing=True)
    remarks = [task.question for task, _, _ in drawn]
    better = model(remarks, [good for _, good, _ in drawn])
    worse = model(remarks, [bad for _, _, bad in drawn])
    return int((better > worse).sum())
