"""How does a router learn to share the work out? Pretraining with a load-balancing loss.

The same steps as ``course_utils.nano.pretrain``, for mixtures of experts and for the dense models
beside them: the loss gains a term that grows as the router's load becomes uneven, and the log says
how even it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor

from course_utils.nano import corpus
from course_utils.nano.model import Transformer
from course_utils.nano.pretrain import Settings, next_token_loss, pretrain, rows_of_documents

BALANCE = 0.01
"""The balancing loss's weight, as in Switch Transformer (arXiv 2101.03961, section 2.2)."""

HELD_OUT_ROWS = 96


def held_out_rows(
    tokenizer: Tokenizer, length: int, document: Callable[[Random], str] = corpus.document
) -> Tensor:
    """(rows, length + 1): documents that no run trains on, the same for every run."""
    return rows_of_documents(
        tokenizer, Random("mixture held out"), HELD_OUT_ROWS, length + 1, document
    )


@torch.no_grad()
def measure(model: Transformer, rows: Tensor) -> dict[str, float]:
    """Loss on ``rows`` (nats per token), and each expert's load as ``load_LAYER_EXPERT``."""
    record = {"held_out_loss": round(next_token_loss(model, rows).item(), 4)}
    for layer, choice in enumerate(model.choices()):
        for expert, share in enumerate(choice.load().tolist()):
            record[f"load_{layer}_{expert}"] = round(share, 4)
    return record


def train(
    model: Transformer,
    tokenizer: Tokenizer,
    settings: Settings,
    *,
    balance: float = BALANCE,
    document: Callable[[Random], str] = corpus.document,
    evaluate: Callable[[Transformer, Tensor], dict] = measure,
    state_file: Path | None = None,
    log_file: Path | None = None,
) -> Iterator[dict]:
    """``pretrain`` with the load-balancing loss and this module's measures, from step 0 on.

    ``balance`` weighs the load-balancing loss; 0 leaves the router to itself.
    """
    yield from pretrain(
        model,
        tokenizer,
        settings,
        document=document,
        balance=balance,
        held_out=held_out_rows(tokenizer, settings.row_length, document),
        evaluate=evaluate,
        from_the_start=True,
        state_file=state_file,
        log_file=log_file,
    )
