"""How does a model learn to predict the next token? Pretraining, with its loss on record.

Every batch follows from the seed and the step number alone, so a run that was stopped goes on
from its saved state exactly as if it never had been.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from course_utils.nano import corpus
from course_utils.nano.model import Shape, Transformer


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
    return Transformer(shape)


def pretrain(
    model: Transformer,
    tokenizer: Tokenizer,
    settings: Settings,
    *,
    document: Callable[[Random], str] = corpus.document,
    state_file: Path | None = None,
    log_file: Path | None = None,
) -> Iterator[dict]:
    """Train ``model`` in place, yielding one record per step: step, tokens, seconds and loss.

    Every ``evaluate_every`` steps the record has the loss on held-out documents too, is added
    to ``log_file``, and the state is saved.  With a ``state_file`` of the same settings, the run
    goes on from there.  ``seconds`` leaves out the time a run was stopped.
    """
    # Weight decay holds matrices small; gains and biases are left alone.
    decayed = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others}],
        weight_decay=0.0,
        betas=(0.9, 0.95),
        fused=model.device.type == "cpu" or None,  # elsewhere PyTorch knows what is fastest
    )
    step, log, seconds_before = 0, [], 0.0
    if state_file and state_file.exists():
        state = torch.load(state_file, map_location="cpu")
        if state["settings"] == repr(settings):  # a run with other settings starts anew
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            step, log = state["step"], state["log"]
            seconds_before = log[-1]["seconds"]
    started = time.perf_counter()
    unseen = rows_of_documents(
        tokenizer, Random(f"held out {settings.seed}"), 64, settings.row_length + 1, document
    )
    while step < settings.steps:
        length = settings.row_length
        if step >= (1 - settings.long_share) * settings.steps:
            length = model.shape.context
        rows = max(1, settings.tokens_per_step // length)
        batch = rows_of_documents(
            tokenizer, Random(f"{settings.seed} {step}"), rows, length + 1, document
        )
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, step)
        sixteen_bits = settings.bfloat16 and torch.autocast(model.device.type, torch.bfloat16)
        with sixteen_bits or nullcontext():
            loss = next_token_loss(model, batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        record = {
            "step": step,
            "tokens": step * settings.tokens_per_step,
            "seconds": round(seconds_before + time.perf_counter() - started, 1),
            "train_loss": round(loss.item(), 4),
        }
        if step % settings.evaluate_every == 0 or step == settings.steps:
            with torch.no_grad():
                held_out = next_token_loss(model, unseen).item()
            record["held_out_loss"] = round(held_out, 4)
            record["held_out_perplexity"] = round(math.exp(held_out), 3)
            log.append(record)
            if state_file:
                save_state(
                    state_file,
                    settings=repr(settings),
                    model=model.state_dict(),
                    optimizer=optimizer.state_dict(),
                    step=step,
                    log=log,
                )
            if log_file:
                write_log(log_file, log)
        yield record


def save_state(path: Path, **state) -> None:
    """Save all at once: a run killed while saving still finds the previous state."""
    partial = path.with_name(path.name + ".part")
    torch.save(state, partial)
    partial.replace(path)


def write_log(path: Path, records: list[dict]) -> None:
    """Write records with equal keys as CSV, one line each."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
