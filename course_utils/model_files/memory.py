"""How much memory does a loaded model take, and is a repacked copy of its weights worth more?

Counted from tensor shapes, quantisation rules and the KV cache's formula, before anything is
loaded.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

from course_utils.errors import MachineError
from course_utils.machine import available_memory_bytes
from course_utils.model_files.architectures import Architecture
from course_utils.model_files.quantisation import tensor_bytes, tensor_type
from course_utils.units import MIB, readable_memory

BATCH = 64
"""Prompt tokens per step, the engine's default for models of this size."""

CONTEXT_STEP = 256
"""llama.cpp makes every context a multiple of this many tokens."""

PROGRAM_BYTES = 200 * MIB
"""Python, its packages and llama.cpp's library, in a notebook's kernel."""

VOCABULARY_BYTES_PER_ENTRY = 130
"""What llama.cpp keeps in memory per entry of the vocabulary (measured: 19 MiB for 152,064)."""

RESERVE_BYTES = 512 * MIB
"""Memory that a plan leaves free, so that the browser and the system still breathe."""


def room_for_a_model(available_bytes: float) -> float:
    """How much of the free memory a model may take: all but the reserve."""
    return available_bytes - RESERVE_BYTES


REPACKED_TYPES = ("Q4_0", "Q4_K")
"""Types that llama.cpp copies into a layout of its own on x86 processors when it repacks."""


@dataclass(frozen=True)
class MemoryNeed:
    """The memory a loaded model takes, in bytes, by what takes it.

    ``weights`` is the whole file, which stays mapped.  ``repacked`` is llama.cpp's private second
    copy of some weights, 0 unless the engine repacks.
    """

    weights: int
    cache: int
    compute: int
    program: int
    repacked: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.compute + self.program + self.repacked

    def parts(self) -> dict[str, int]:
        """Bytes by label, for a stacked bar; what takes nothing is left out."""
        labelled = {
            "weights": self.weights,
            "repacked copy": self.repacked,
            "KV cache": self.cache,
            "compute buffers": self.compute,
            "program": self.program,
        }
        return {label: count for label, count in labelled.items() if count}


def memory_need(
    *,
    file_bytes: int,
    architecture: Architecture | None,
    context: int,
    kv_type: str = "f16",
    batch: int = BATCH,
    repacked: int = 0,
) -> MemoryNeed:
    """The memory that a file of this length and shape takes once it is loaded.

    Without an ``architecture`` only the weights can be counted.  The compute buffers hold, for
    each prompt token of a step, the logits and two vectors of the residual stream in 32 bits;
    llama.cpp reports the same for the shapes of this course's catalogue.
    """
    if architecture is None:
        return MemoryNeed(file_bytes, 0, 0, PROGRAM_BYTES, repacked)
    tokens = -(-context // CONTEXT_STEP) * CONTEXT_STEP
    vocabulary = architecture.vocabulary
    return MemoryNeed(
        weights=file_bytes,
        cache=round(architecture.cache_bytes_per_token(kv_type) * tokens),
        compute=4 * min(batch, context) * (vocabulary + 2 * architecture.hidden),
        program=PROGRAM_BYTES + VOCABULARY_BYTES_PER_ENTRY * vocabulary,
        repacked=repacked,
    )


def tokens_beside(free_bytes: int, weight_bytes: int, cache_bytes_per_token: int) -> int:
    """How many tokens of KV cache fit beside the weights; 0 where the weights alone do not."""
    return max(0, int((free_bytes - weight_bytes) // cache_bytes_per_token))


@functools.cache
def repacked_bytes(architecture: Architecture, quantisation: str) -> int:
    """Bytes of the private copy that llama.cpp makes of the matrices when it repacks on x86.

    The input embedding is only looked up, never multiplied, and stays as it is.
    """
    return sum(
        tensor_bytes(tensor, architecture, quantisation)
        for tensor in architecture.tensors()
        if tensor.part != "input embedding"
        and tensor_type(tensor, architecture, quantisation) in REPACKED_TYPES
    )


class RepackChoice(NamedTuple):
    """Whether to let llama.cpp repack a model's weights, and the reason in a sentence."""

    repack: bool
    reason: str


def choose_repacking(
    need: MemoryNeed,
    copy_bytes: int,
    available_bytes: int,
    *,
    kernels: int = 1,
    crashes: str | None = None,
) -> RepackChoice:
    """Whether a private, repacked copy of the weights is worth its memory.

    ``need`` is the model without the copy, ``copy_bytes`` the copy (``repacked_bytes``).
    ``kernels``: how many notebooks will have the file open.  They share the mapped file, while
    each makes a copy of its own.  ``crashes``: why decoding with the copy would end the process on
    this machine, or None.
    """
    if copy_bytes == 0:
        return RepackChoice(False, "Nothing in this file is of a type that llama.cpp repacks.")
    if kernels > 1:
        return RepackChoice(
            False,
            f"{kernels} notebooks share one mapped file, while each would make a copy of "
            f"{readable_memory(copy_bytes)} of its own.",
        )
    if need.total + copy_bytes > room_for_a_model(available_bytes):
        return RepackChoice(
            False,
            f"A copy of {readable_memory(copy_bytes)} does not fit beside the "
            f"{readable_memory(need.total)} of the model itself.",
        )
    if crashes:
        return RepackChoice(False, f"Repacking would end the kernel here: {crashes}.")
    return RepackChoice(
        True,
        f"There is room for a copy of {readable_memory(copy_bytes)}, which decodes somewhat "
        "faster.",
    )


def refuse_if_swapping(
    need: MemoryNeed,
    *,
    name: str = "this model",
    available_bytes: int | None = None,
    force: bool = False,
) -> None:
    """Stop before a load that memory cannot hold. Raises MachineError; ``force`` lets it pass.

    ``available_bytes`` is what is free now, asked of the machine by default.  A model that does
    not fit does not fail: it is read from disk again for every token, minutes for each, and
    takes the memory of everything else along.
    """
    free = available_memory_bytes() if available_bytes is None else available_bytes
    if force or need.total <= free:
        return
    raise MachineError(
        f"{name} needs {readable_memory(need.total)} of memory, and {readable_memory(free)} are "
        "free.",
        "Ask plan() for a model, context or cache that fits, or close other programs; "
        "force=True loads it all the same, and for every token it is then read from disk.",
    )
