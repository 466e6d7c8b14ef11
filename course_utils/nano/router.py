"""Do experts specialise? Which kind of token goes to which expert, measured against chance.

A picture of routing always shows some pattern.  Two controls say whether it means anything: the
same choices with the kinds of the tokens shuffled (how much would chance alone show?), and the
same router before any training (how much comes from a token always being the same token?).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from course_utils.nano.model import Transformer
from course_utils.nano.moe import without_expert

KINDS = ("digit", "English", "Chinese", "punctuation", "mark")
"""The kinds of token that the nano models read; a mark belongs to the chat format."""


def kind_of(data: bytes) -> str:
    """The kind of a token, from its bytes; one of ``KINDS``.

    A token that joins letters and a full stop counts as letters; spaces and line breaks, and the
    signs of arithmetic, count as punctuation.  Bytes that are part of a character can only be
    Chinese here.
    """
    if data.startswith(b"<|") or data in (b"<think>", b"</think>", b""):
        return "mark"
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return "Chinese"
    if any("\u4e00" <= character <= "\u9fff" for character in text):
        return "Chinese"
    if any(character.isascii() and character.isalpha() for character in text):
        return "English"
    return "digit" if any(character.isdigit() for character in text) else "punctuation"


def expert_by_kind(experts: np.ndarray, kinds: Sequence[str], number: int) -> np.ndarray:
    """(kinds, experts): of a kind's choices, the share that falls on each expert.

    ``experts``: (tokens, used), one layer's choices; ``number``: of experts in the layer.  Rows in
    the order of ``KINDS``; the row of a kind that does not occur is 0.
    """
    counts = _counts(experts, _numbers(kinds), number)
    return counts / np.maximum(counts.sum(1, keepdims=True), 1)


@dataclass(frozen=True)
class Specialisation:
    """How much one layer's choice of an expert says about the kind of the token, in bits.

    ``measured``: mutual information; ``shuffled``: the same after shuffling the kinds, the mean
    of many shuffles, and ``shuffled_top`` the largest of them; ``possible``: the kinds' entropy,
    which no measurement can exceed.
    """

    measured: float
    shuffled: float
    shuffled_top: float
    possible: float

    @property
    def beyond_chance(self) -> bool:
        """Is there more than in any of the shuffles?"""
        return self.measured > self.shuffled_top

    @property
    def share(self) -> float:
        """What is left of ``measured`` without chance, as a share of ``possible``."""
        return (self.measured - self.shuffled) / self.possible


def specialisation(
    experts: np.ndarray,
    kinds: Sequence[str],
    number: int,
    *,
    ids: Sequence[int] | None = None,
    shuffles: int = 100,
    seed: int = 0,
) -> Specialisation:
    """Measure one layer's choices, (tokens, used), against ``shuffles`` shuffles of the kinds.

    A kind is a set of token numbers, and a router sends most tokens of one number the same way,
    learned or not.  With the tokens' ``ids`` a shuffle therefore hands the kinds out to the
    different numbers, and every token of a number gets the same; without, to each token by itself.

    A finite sample always shows some mutual information: about (kinds - 1)(experts - 1) over
    twice the sample's size, in nats (Miller 1955, "Note on the bias of information estimates").
    The shuffles measure just that.
    """
    numbers = _numbers(kinds)
    draw = np.random.default_rng(seed)
    units = np.arange(len(numbers)) if ids is None else np.unique(ids, return_inverse=True)[1]
    kind_of_unit = np.zeros(units.max() + 1, dtype=int)
    kind_of_unit[units] = numbers
    chance = [
        mutual_information(_counts(experts, draw.permutation(kind_of_unit)[units], number))
        for _ in range(shuffles)
    ]
    shares = np.bincount(numbers, minlength=len(KINDS)) / len(numbers)
    entropy = -sum(share * np.log2(share) for share in shares if share)
    measured = mutual_information(_counts(experts, numbers, number))
    return Specialisation(measured, float(np.mean(chance)), max(chance), float(entropy))


def mutual_information(counts: np.ndarray) -> float:
    """Bits that the column tells about the row, from a table of counts (rows, columns)."""
    joint = counts / counts.sum()
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    seen = joint > 0
    return float((joint[seen] * np.log2(joint[seen] / independent[seen])).sum())


@torch.no_grad()
def loss_by_kind(
    model: Transformer, texts: Sequence[Sequence[int]], kinds: Sequence[Sequence[str]]
) -> dict[str, float]:
    """Mean loss (nats per token) on the tokens to predict, by their kind, and over ``all``.

    ``texts``: token numbers; ``kinds``: the kind of each of these tokens.
    """
    losses: dict[str, list[float]] = {kind: [] for kind in KINDS}
    padded = model.batch(texts)
    logits = model(padded[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), padded[:, 1:].flatten(), reduction="none")
    for row, names in zip(loss.view(len(texts), -1).tolist(), kinds, strict=True):
        for value, kind in zip(row, names[1:], strict=False):
            losses[kind].append(value)
    everything = [value for values in losses.values() for value in values]
    return {kind: float(np.mean(values)) for kind, values in losses.items() if values} | {
        "all": float(np.mean(everything))
    }


def ablate_each_expert(
    model: Transformer, texts: Sequence[Sequence[int]], kinds: Sequence[Sequence[str]]
) -> list[dict[str, float]]:
    """What each expert is worth: one row per layer and expert, the loss without it minus with it.

    The rows hold ``layer``, ``expert``, and the rise for each kind and ``all``, nats per token.
    """
    whole = loss_by_kind(model, texts, kinds)
    rows = []
    for layer in range(model.shape.layers):
        for expert in range(model.shape.experts):
            with without_expert(model, layer, expert):
                without = loss_by_kind(model, texts, kinds)
            rise = {kind: without[kind] - whole[kind] for kind in whole}
            rows.append({"layer": layer, "expert": expert} | rise)
    return rows


def _numbers(kinds: Sequence[str]) -> np.ndarray:
    return np.array([KINDS.index(kind) for kind in kinds])


def _counts(experts: np.ndarray, kinds: np.ndarray, number: int) -> np.ndarray:
    """(kinds, experts) how often; each token counts once for each of its experts."""
    table = np.zeros((len(KINDS), number))
    np.add.at(table, (np.repeat(kinds, experts.shape[1]), experts.flatten()), 1)
    return table
