"""How does a model learn to predict the next token? Pretraining, with its loss on record.

Every batch follows from the seed and the step number alone, so a run that was stopped goes on
from its saved state exactly as if it never had been.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.errors import TrainingError
from course_utils.logs import write_log
from course_utils.nano import checks, corpus
from course_utils.nano.model import Block, Shape, Transformer, initialise


@dataclass(frozen=True)
class Settings:
    """What a pretraining run depends on.

    Each of ``steps`` steps reads ``tokens_per_step`` tokens in rows of ``row_length``; the last
    ``long_share`` of the steps reads rows as long as the model's context, so that all positions
    have been trained.  ``bfloat16`` does matrix products in 16 bits: on a CPU with AVX512-BF16
    or AMX it is 1.6 to 1.7 times as fast, on others it is slower.
    """

    steps: int = 600
    tokens_per_step: int = 8192
    row_length: int = 256
    long_share: float = 0.1
    learning_rate: float = 2e-3
    warmup_steps: int = 40
    weight_decay: float = 0.1
    seed: int = 1
    bfloat16: bool = False
    evaluate_every: int = 25

    def __post_init__(self):
        # A step's tokens are read in one piece, so that they set the memory.
        checks.whole("tokens_per_step", self.tokens_per_step, 1, 2**22)
        checks.whole("row_length", self.row_length, 1, 2**17)
        checks.whole("evaluate_every", self.evaluate_every, 1)
        for name in ("steps", "warmup_steps", "seed"):
            checks.whole(name, getattr(self, name), 0)
        checks.number("long_share", self.long_share, 0, 1)
        checks.number("learning_rate", self.learning_rate, 0, 1)
        checks.number("weight_decay", self.weight_decay, 0)
        checks.choice("bfloat16", self.bfloat16, (True, False))


def rows_of_documents(
    tokenizer: Tokenizer, random: Random, rows: int, length: int, document: Callable[[Random], str]
) -> Tensor:
    """(rows, length) of token numbers: each row starts with a document and is packed full."""
    packed = []
    for _ in range(rows):
        row: list[int] = []
        while len(row) < length:
            row += tokenizer.encode(document(random)).ids
        packed.append(row[:length])
    return torch.tensor(packed)


def training_flops_per_token(shape: Shape, row_length: int) -> int:
    """Forward and backward: three times the forward pass, at the middle of a row.

    Source: Hoffmann et al. 2022 (arXiv 2203.15556), appendix F.
    """
    return 3 * shape.architecture.flops_per_token(row_length // 2)


def next_token_loss(model: Transformer, rows: Tensor) -> Tensor:
    """Mean cross-entropy, in nats per token, of predicting each token from those before it."""
    rows = rows.to(model.device)
    logits = model(rows[:, :-1])
    return F.cross_entropy(logits.float().flatten(0, 1), rows[:, 1:].flatten())


def learning_rate(settings: Settings, step: int) -> float:
    """Linear warm-up, then a cosine down to a twentieth."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return settings.learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


def new_model(shape: Shape, seed: int) -> Transformer:
    """A model with random weights, the same for the same seed."""
    torch.manual_seed(seed)
    if shape.biases:
        return Transformer(shape)
    # The committed runs drew a qwen2 of this size first, kept its two outer matrices, and then
    # drew the blocks: done in this order, their seeds give their weights again.
    model = Transformer(replace(shape, biases=True, head_norms=False, experts=0))
    model.shape = shape
    model.blk = nn.ModuleList([Block(shape) for _ in range(shape.layers)])
    initialise(model.blk, shape)
    return model


@torch.no_grad()
def held_out_loss(model: Transformer, rows: Tensor) -> dict[str, float]:
    """Loss on ``rows``, in nats per token, and perplexity."""
    loss = next_token_loss(model, rows).item()
    return {"held_out_loss": round(loss, 4), "held_out_perplexity": round(math.exp(loss), 3)}


def pretrain(
    model: Transformer,
    tokenizer: Tokenizer,
    settings: Settings,
    *,
    document: Callable[[Random], str] = corpus.document,
    balance: float = 0.0,
    held_out: Tensor | None = None,
    evaluate: Callable[[Transformer, Tensor], dict] = held_out_loss,
    from_the_start: bool = False,
    state_file: Path | None = None,
    log_file: Path | None = None,
) -> Iterator[dict]:
    """Train ``model`` in place, yielding one record per step: step, tokens, seconds and loss.

    Every ``evaluate_every`` steps, and with ``from_the_start`` before the first, the record has
    what ``evaluate(model, held_out)`` gives too, is added to ``log_file``, and the state is saved.
    ``held_out``: rows of documents that no step reads, drawn from the seed unless given.  With a
    ``state_file`` of the same settings, the run goes on from there.  ``seconds`` are those spent
    on training, not on evaluating or while a run was stopped.

    ``balance`` weighs a second term of the loss, which evens out the load of a mixture's experts;
    a mixture's records have it as ``balance_loss``.  Raises TrainingError, before the weights
    change, where the loss is no longer a number.
    """
    # Weight decay holds matrices small; gains and biases are left alone.
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others}],
        weight_decay=0.0,
        betas=(0.9, 0.95),
        fused=model.device.type == "cpu" or None,  # elsewhere PyTorch knows what is fastest
    )
    same_run = repr((settings, model.shape, balance))  # a run with other settings starts anew
    step, log, seconds = 0, [], 0.0
    if state_file and state_file.exists():
        state = torch.load(state_file, map_location="cpu")
        if state["settings"] == same_run:
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            step, log = state["step"], state["log"]
            seconds = log[-1]["seconds"]
    if held_out is None:
        unseen = Random(f"held out {settings.seed}")
        held_out = rows_of_documents(tokenizer, unseen, 64, settings.row_length + 1, document)
    flops = training_flops_per_token(model.shape, settings.row_length)
    losses: dict[str, float | str] = {"train_loss": ""} | (
        {"balance_loss": ""} if model.shape.experts else {}
    )

    def record() -> dict:
        tokens = step * settings.tokens_per_step
        made = {"step": step, "tokens": tokens, "flops": tokens * flops}
        made |= {"seconds": round(seconds, 1)} | losses
        if step % settings.evaluate_every == 0 or step == settings.steps:
            made |= evaluate(model, held_out)
            log.append(made)
            if state_file:
                states = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
                save_state(state_file, settings=same_run, step=step, log=log, **states)
            if log_file:
                write_log(log_file, log)
        return made

    if from_the_start and step == 0:
        yield record()
    while step < settings.steps:
        started = time.perf_counter()
        length = settings.row_length
        if step >= (1 - settings.long_share) * settings.steps:
            length = model.shape.context
        rows = max(1, settings.tokens_per_step // length)
        batch = rows_of_documents(
            tokenizer, Random(f"{settings.seed} {step}"), rows, length + 1, document
        )
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, step)
        losses = _train_step(model, optimizer, batch, settings, balance)
        step += 1
        seconds += time.perf_counter() - started
        yield record()


def _train_step(
    model: Transformer,
    optimizer: torch.optim.Optimizer,
    batch: Tensor,
    settings: Settings,
    balance: float,
) -> dict[str, float]:
    """One step of the optimiser on ``batch`` (rows, length + 1); gives the loss and its terms."""
    sixteen_bits = settings.bfloat16 and torch.autocast(model.device.type, torch.bfloat16)
    with sixteen_bits or nullcontext():
        loss = total = next_token_loss(model, batch)
        losses = {"train_loss": round(loss.item(), 4)}
        if model.shape.experts:
            uneven = model.balance_loss()
            losses["balance_loss"] = round(uneven.item(), 4)
            total = loss + balance * uneven
    if not math.isfinite(total.item()):
        raise TrainingError(
            f"The loss is {total.item()}, which is not a number to learn from; the model keeps "
            "its weights.",
            f"Begin again with a learning rate below {settings.learning_rate:g}.",
        )
    optimizer.zero_grad()
    total.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return losses


def save_state(path: Path, **state) -> None:
    """Save all at once: a run killed while saving still finds the previous state."""
    partial = path.with_name(path.name + ".part")
    torch.save(state, partial)
    partial.replace(path)
