"""Can a model that loops be used all the same? Its sampling settings and a budget, compared.

QwQ-32B's card asks for temperature 0.6, top-p 0.95, top-k 20 to 40 and min-p 0, not for greedy
decoding.  The shipped looper is asked the same held-out sums with those settings, greedily, with a
thinking budget, and with penalties on repeated tokens.  Arithmetic has to repeat digits, so a
penalty can do harm; Unsloth's guide to QwQ-32B therefore puts it last
(docs.unsloth.ai, "QwQ-32B: How to run effectively").  llama.cpp's order here is penalties first;
``draw_in_order`` compares both orders on the same model in PyTorch.

``python -m course_utils.nano.experiments.loop_sampling`` writes
``models/nano/runs/failure-loops-settings.csv``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from course_utils import command_line
from course_utils.engines import GREEDY, PLAIN, QWQ, Sampling, open_model
from course_utils.logs import write_log
from course_utils.nano import export, sample
from course_utils.nano.experiments import failures, runs
from course_utils.nano.model import Transformer
from course_utils.nano.tasks import Problem
from course_utils.nano.tokenizer import END, END_THINK, decode, render
from course_utils.nano.tokenizer import load as load_tokenizer
from course_utils.paths import nano_folder

Order = Literal["penalties first", "penalties last"]
ORDERS: tuple[Order, ...] = ("penalties first", "penalties last")

LOG = "failure-loops-settings"
COMMAND = "python -m course_utils.nano.experiments.loop_sampling"
ROOM = failures.FAILURES["loops"].patience
BUDGET = 96
"""Tokens of thought, three times what a working without checks takes."""
PENALTY = 1.3
LOOK_BACK = 64
"""How many of the last tokens a penalty sees: llama.cpp's default."""

SETTINGS: dict[str, tuple[Sampling, int | None]] = {
    "greedy": (GREEDY, None),
    "temperature 1": (PLAIN, None),
    "QwQ's card": (QWQ, None),
    "QwQ's card, budget": (QWQ, BUDGET),
    "greedy, budget": (GREEDY, BUDGET),
    "QwQ's card, min-p 0.5": (QWQ.but(min_p=0.5), None),
    "QwQ's card, presence penalty 1": (QWQ.but(presence_penalty=1.0), None),
    f"QwQ's card, repetition penalty {PENALTY}": (QWQ.but(repetition_penalty=PENALTY), None),
}
"""What is compared through llama.cpp: a name, the sampling, and the thinking budget."""


def ask(
    model: str | Path, problems: Sequence[Problem], sampling: Sampling, budget: int | None = None
) -> list[str]:
    """One reply to each problem through llama.cpp; problem number i is answered with seed i."""
    engine, texts = open_model(model), []
    for seed, problem in enumerate(problems):
        settings = sampling.but(seed=seed, max_tokens=ROOM)
        reply = engine.chat(problem.question, settings, thinking_budget=budget).finish()
        text = reply.thinking
        if reply.answer or reply.stop_reason == "end":
            text += f"\n{END_THINK}\n\n{reply.answer}"
        texts.append(text + (END if reply.stop_reason == "end" else ""))
    return texts


def penalise(logits: Tensor, recent: Tensor, penalty: float) -> Tensor:
    """Make tokens in ``recent`` (rows, up to 64) less likely: shapes (rows, vocabulary).

    A positive logit is divided by ``penalty``, a negative one multiplied (llama.cpp; the rule is
    CTRL's, arXiv 1909.05858).
    """
    seen = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, recent, True)
    lowered = torch.where(logits > 0, logits / penalty, logits * penalty)
    return torch.where(seen, lowered, logits)


def keep(logits: Tensor, sampling: Sampling) -> Tensor:
    """Cut the tail by top-k and top-p: the logits of tokens that are out become minus infinity."""
    if sampling.top_k:
        bar = logits.topk(sampling.top_k).values[:, -1:]
        logits = logits.masked_fill(logits < bar, -torch.inf)
    ordered, places = logits.sort(descending=True)
    chances = ordered.softmax(-1)
    out = chances.cumsum(-1) - chances >= sampling.top_p  # those after the one that reaches it
    return logits.masked_fill(torch.zeros_like(out).scatter(1, places, out), -torch.inf)


@torch.no_grad()
def draw_in_order(
    model: Transformer,
    prompts: Sequence[list[int]],
    order: Order,
    *,
    sampling: Sampling = QWQ,
    penalty: float = PENALTY,
    stop: int,
    max_tokens: int = ROOM,
    seed: int = 2026,
) -> list[list[int]]:
    """One text per prompt (all of one length), with a repetition penalty before or after the cut.

    After the cut, a penalty can only move probability among the tokens that were plausible anyway.
    """
    generator = torch.Generator().manual_seed(seed)
    tokens = model.batch(prompts)
    start = tokens.shape[1]
    cache = model.cache(len(prompts), start + max_tokens)
    logits = model(tokens, cache)[:, -1]
    ended = torch.zeros(len(prompts), dtype=torch.bool, device=model.device)
    for _ in range(max_tokens):
        recent = tokens[:, -LOOK_BACK:]
        if order == "penalties first":
            logits = keep(penalise(logits, recent, penalty), sampling)
        else:
            logits = penalise(keep(logits, sampling), recent, penalty)
        chances = (logits / sampling.temperature).softmax(-1)
        drawn = sample.draw(chances, generator)[:, None]
        drawn[ended] = stop
        tokens = torch.cat([tokens, drawn], dim=1)
        ended |= drawn[:, 0] == stop
        if ended.all():
            break
        logits = model(drawn, cache)[:, -1]
    texts = tokens[:, start:].tolist()
    return [text[: text.index(stop) + 1] if stop in text else text for text in texts]


def compare_orders(path: Path, problems: Sequence[Problem]) -> dict[Order, list[str]]:
    """Replies to ``problems`` with the penalty first and with the penalty last."""
    model, tokenizer = export.from_gguf(path), load_tokenizer()
    prompts = [tokenizer.encode(render(problem.question)).ids for problem in problems]
    stop = tokenizer.token_to_id(END)
    return {
        order: [decode(tokenizer, text) for text in draw_in_order(model, prompts, order, stop=stop)]
        for order in ORDERS
    }


def carries(problems: Sequence[Problem], texts: Sequence[str]) -> dict[str, int]:
    """How many sums have a carry in the ones, and how many of their replies note it."""
    both = zip(problems, texts, strict=True)
    replies = [text for p, text in both if p.first % 10 + p.second % 10 > 9]
    return {"with_carry": len(replies), "carried": sum(", carry 1" in text for text in replies)}


def rows(path: Path, n: int = failures.ASKED) -> list[dict]:
    """A row of counts for each of ``SETTINGS``, then for each order of the samplers."""
    tokenizer, problems = load_tokenizer(), failures.exam("loops", n)
    found = {}
    for name, (sampling, budget) in SETTINGS.items():
        found["llama.cpp", name] = ask(path, problems, sampling, budget)
    for order, texts in compare_orders(path, problems).items():
        found["PyTorch", f"QwQ's card, repetition penalty {PENALTY}, {order}"] = texts
    return [
        {"model": path.name, "engine": engine, "settings": name}
        | failures.count("loops", tokenizer, problems, texts)
        | carries(problems, texts)
        | {"command": COMMAND}
        for (engine, name), texts in found.items()
    ]


def read_settings(folder: Path | None = None) -> list[dict]:
    """The committed rows, counts as numbers."""
    return runs.read_all([LOG], folder)


def main(arguments: Sequence[str] | None = None) -> None:
    command_line.refuse_arguments(__doc__, arguments)
    torch.set_num_threads(1)
    measured = rows(nano_folder() / "looper.gguf")
    write_log(runs.log_path(LOG), measured)
    for row in measured:
        print(row["engine"], row["settings"], row["failed"], row["right"], row["tokens"])


if __name__ == "__main__":
    command_line.start(main)
