"""Loading: whether a file fits into memory, and whether llama.cpp should repack its weights.

By default llama.cpp copies some of a quantised model's weights into a layout that its matrix
kernels read faster ("repacking").  The file's own pages can be shared by all processes and given
back by the system; the copy is private to one.  For QwQ-32B in Q4_K_M it is 13.9 GiB more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from course_utils.errors import CourseError, MachineError
from course_utils.machine import available_memory_bytes, graphics_card
from course_utils.model_files.architectures import Architecture
from course_utils.model_files.gguf_header import GgufHeader
from course_utils.model_files.memory import (
    BATCH,
    REPACKED_TYPES,
    RESERVE_BYTES,
    MemoryNeed,
    RepackChoice,
    choose_repacking,
    memory_need,
    refuse_if_swapping,
)
from course_utils.model_files.offloading import layers_that_fit, on_card
from course_utils.model_files.quantisation import quantisation_name
from course_utils.units import GIB, MIB

# What takes less than this is not worth a look at the machine's memory.
LITTLE_BYTES = 256 * MIB

MOST_LAYERS = 10_000
"""More than any model has: llama.cpp takes all of them."""


class Loading(NamedTuple):
    """What a file takes in memory, and whether its weights are repacked.

    ``need`` includes the ``copy_bytes`` of the repacked copy only where ``repack`` is true; it is
    what main memory holds, without the ``gpu_layers`` that lie on a graphics card.
    """

    need: MemoryNeed
    copy_bytes: int
    repack: bool
    reason: str
    gpu_layers: int = 0


def decide_loading(
    header: GgufHeader,
    *,
    context: int,
    available_bytes: int,
    kv_type: str = "f16",
    batch: int = BATCH,
    flash_attention: bool = True,
    repack: bool | None = None,
    kernels: int = 1,
    repacking_crashes: str | None = None,
) -> Loading:
    """Count what a file takes, and choose whether to repack if ``repack`` leaves it open.

    context in tokens; available_bytes: the memory that is free; repacking_crashes: why repacking
    would end the process (see ``runtime``).  The engine asks this before it loads; ask it yourself
    to learn what it would do on another machine.

    Raises MachineError where repacking is asked for that would end the process.
    """
    if repack and repacking_crashes:
        raise MachineError(
            f"Repacking would end this kernel: {repacking_crashes}.",
            "Leave repack=True out; the file's own weights work.",
        )
    architecture = architecture_of(header)
    # The input embedding is only looked up, never multiplied, and stays as it is.
    copy = sum(
        tensor.bytes
        for tensor in header.tensors
        if tensor.type in REPACKED_TYPES and tensor.name != "token_embd.weight"
    )
    need = memory_need(
        file_bytes=header.file_bytes,
        architecture=architecture,
        context=context,
        kv_type=kv_type,
        batch=batch,
    )
    if not flash_attention:
        need = replace(need, compute=need.compute + _score_bytes(architecture, context, batch))
    if repack is None:
        choice = choose_repacking(
            need, copy, available_bytes, kernels=kernels, crashes=repacking_crashes
        )
    else:
        choice = RepackChoice(repack, "You chose it.")
    if choice.repack:
        need = replace(need, repacked=copy)
    return Loading(need, copy, choice.repack, choice.reason)


def architecture_of(header: GgufHeader) -> Architecture | None:
    """The model's shape; None for a family that the course cannot count."""
    try:
        return Architecture.from_metadata(header.metadata, header.shapes)
    except CourseError:
        return None


def plan_loading(
    header: GgufHeader,
    *,
    name: str,
    force: bool,
    gpu_layers: int | str | None = None,
    in_use: int = 0,
    **settings,
) -> Loading:
    """``decide_loading`` for this machine as it is now, with the same settings.

    gpu_layers: see ``LocalOptions``; a small model stays on the processor unless it is given.
    in_use: bytes of files that are mapped and needed all the time, though the system counts their
        memory as free.
    Raises MachineError where memory cannot hold the model, unless ``force``, and OptionError for
    layers on a card that is not there, or that cannot hold them.
    """
    free = available_memory_bytes() - in_use
    loading = decide_loading(header, available_bytes=free, **settings)
    loading = _with_layers_on_card(loading, header, gpu_layers)
    # The program is there already, so that a small model never fails for its sake.
    little = loading.need.total - loading.need.program <= LITTLE_BYTES
    refuse_if_swapping(loading.need, name=name, available_bytes=free, force=force or little)
    return loading


def _with_layers_on_card(
    loading: Loading, header: GgufHeader, gpu_layers: int | str | None
) -> Loading:
    if gpu_layers is None:
        gpu_layers = 0 if loading.need.total <= LITTLE_BYTES else "auto"
    if gpu_layers == 0:
        return loading
    card = graphics_card()
    architecture = architecture_of(header)
    try:
        quantisation = quantisation_name(header.quantisation)
    except CourseError:
        architecture = None
    if architecture is None:
        # A family or a type that the course cannot count: llama.cpp is left to refuse.
        if gpu_layers == "auto" or card is None:
            return loading
        return loading._replace(gpu_layers=MOST_LAYERS if gpu_layers == "all" else gpu_layers)
    layers = layers_that_fit(architecture, quantisation, loading.need, card, gpu_layers)
    if layers and not card.shares_memory:
        taken = on_card(architecture, quantisation, loading.need, layers)
        loading = loading._replace(need=taken.left_in(loading.need))
    return loading._replace(gpu_layers=layers)


def context_bytes(
    architecture: Architecture | None,
    *,
    context: int,
    kv_type: str,
    batch: int = BATCH,
    flash_attention: bool = True,
) -> int:
    """What another context over a model that is loaded takes: KV cache and compute buffers.

    0 for a family that the course cannot count.
    """
    need = memory_need(
        file_bytes=0, architecture=architecture, context=context, kv_type=kv_type, batch=batch
    )
    scores = 0 if flash_attention else _score_bytes(architecture, context, batch)
    return need.cache + need.compute + scores


def _score_bytes(architecture: Architecture | None, context: int, batch: int) -> int:
    """One layer's attention scores, which only flash attention does without: 32 bits each."""
    if architecture is None:
        return 0
    return 4 * architecture.attention.heads * min(batch, context) * context


def room_for(count_bytes: int) -> bool:
    """Whether so many bytes are free now, with the reserve that a plan leaves."""
    return count_bytes <= LITTLE_BYTES or count_bytes + RESERVE_BYTES <= available_memory_bytes()


def refuse_unless_room(count_bytes: int, what: str, remedy: str) -> None:
    """Stop before memory is taken that is not there. Raises MachineError, with ``remedy``."""
    if not room_for(count_bytes):
        raise MachineError(
            f"{what} takes {count_bytes / GIB:.1f} GiB of memory beside the model, and "
            f"{available_memory_bytes() / GIB:.1f} GiB are free.",
            remedy,
        )
