"""How does a router learn to share the work out? Pretraining with a load-balancing loss.

The same steps as ``course_utils.nano.pretrain``, for mixtures and for the dense models beside
them: the loss gains a term that grows as the router's load becomes uneven, and the log says how
even it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor

from course_utils.nano import corpus
from course_utils.nano.moe import MixtureShape, MixtureTransformer
from course_utils.nano.pretrain import (
    Settings,
    learning_rate,
    next_token_loss,
    rows_of_documents,
    save_state,
    write_log,
)

BALANCE = 0.01
"""The balancing loss's weight, as in Switch Transformer (arXiv 2101.03961, section 2.2)."""

HELD_OUT_ROWS = 96


def new_mixture(shape: MixtureShape, seed: int) -> MixtureTransformer:
    """A model with random weights, the same for the same seed."""
    torch.manual_seed(seed)
    return MixtureTransformer(shape)


def training_flops_per_token(shape: MixtureShape, row_length: int) -> int:
    """Forward and backward: three times the forward pass, at the middle of a row.

    Source: Hoffmann et al. 2022 (arXiv 2203.15556), appendix F.
    """
    return 3 * shape.architecture.flops_per_token(row_length // 2)


def held_out_rows(
    tokenizer: Tokenizer, length: int, document: Callable[[Random], str] = corpus.document
) -> Tensor:
    """(rows, length + 1): documents that no run trains on, the same for every run."""
    return rows_of_documents(
        tokenizer, Random("mixture held out"), HELD_OUT_ROWS, length + 1, document
    )


@torch.no_grad()
def measure(model: MixtureTransformer, rows: Tensor) -> dict[str, float]:
    """Loss on ``rows`` (nats per token), and each expert's load as ``load_LAYER_EXPERT``."""
    record = {"held_out_loss": round(next_token_loss(model, rows).item(), 4)}
    for layer, choice in enumerate(model.choices()):
        for expert, share in enumerate(choice.load().tolist()):
            record[f"load_{layer}_{expert}"] = round(share, 4)
    return record


def train(
    model: MixtureTransformer,
    tokenizer: Tokenizer,
    settings: Settings,
    *,
    balance: float = BALANCE,
    document: Callable[[Random], str] = corpus.document,
    evaluate: Callable[[Tensor], dict] | None = None,
    state_file: Path | None = None,
    log_file: Path | None = None,
) -> Iterator[dict]:
    """Train ``model`` in place, yielding one record per step.

    ``balance`` weighs the load-balancing loss; 0 leaves the router to itself.  Every
    ``evaluate_every`` steps, and before the first, the record has what ``evaluate(held-out rows)``
    gives too (``measure`` unless told), is added to ``log_file``, and the state is saved; a run
    with a ``state_file`` of the same settings goes on from there.  ``seconds`` are those spent on
    training alone, not on evaluating or while a run was stopped.
    """
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others}],
        weight_decay=0.0,
        betas=(0.9, 0.95),
        fused=model.device.type == "cpu" or None,  # elsewhere PyTorch knows what is fastest
    )
    kind = repr((settings, model.shape, balance))
    step, log, seconds = 0, [], 0.0
    if state_file and state_file.exists():
        state = torch.load(state_file, map_location="cpu")
        if state["kind"] == kind:  # a run with other settings starts anew
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            step, log = state["step"], state["log"]
            seconds = log[-1]["seconds"]
    unseen = held_out_rows(tokenizer, settings.row_length, document)
    flops = training_flops_per_token(model.shape, settings.row_length)
    loss = balance_loss = None
    while step <= settings.steps:
        record = {
            "step": step,
            "tokens": step * settings.tokens_per_step,
            "flops": step * settings.tokens_per_step * flops,
            "seconds": round(seconds, 1),
            "train_loss": "" if loss is None else round(loss.item(), 4),
            "balance_loss": "" if balance_loss is None else round(balance_loss.item(), 4),
        }
        last = step == settings.steps
        measured = not log or log[-1]["step"] < step
        if measured and (step % settings.evaluate_every == 0 or last):
            record |= evaluate(unseen) if evaluate else measure(model, unseen)
            log.append(record)
            if state_file:
                save_state(
                    state_file,
                    kind=kind,
                    model=model.state_dict(),
                    optimizer=optimizer.state_dict(),
                    step=step,
                    log=log,
                )
            if log_file:
                write_log(log_file, log)
        yield record
        if last:
            return
        started = time.perf_counter()
        long = step >= (1 - settings.long_share) * settings.steps
        length = model.shape.context if long else settings.row_length
        rows = max(1, settings.tokens_per_step // length)
        random = Random(f"{settings.seed} {step}")
        batch = rows_of_documents(tokenizer, random, rows, length + 1, document)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, step)
        loss = next_token_loss(model, batch)
        balance_loss = model.balance_loss()
        optimizer.zero_grad()
        (loss + balance * balance_loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        seconds += time.perf_counter() - started
