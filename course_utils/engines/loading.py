"""Does this file fit into memory, and should llama.cpp repack its weights? Decided before loading.

By default llama.cpp copies some of a quantised model's weights into a layout that its matrix
kernels read faster ("repacking").  The file's own pages can be shared by all processes and given
back by the system; the copy is private to one.  For QwQ-32B in Q4_K_M it is 13.9 GiB more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from course_utils.architectures import Architecture
from course_utils.capacity import (
    BATCH,
    REPACKED_TYPES,
    MemoryNeed,
    RepackChoice,
    choose_repacking,
    memory_need,
    refuse_if_swapping,
)
from course_utils.engines.gguf_header import GgufHeader
from course_utils.errors import CourseError, MachineError
from course_utils.machine import available_memory_bytes


class Loading(NamedTuple):
    """What a file takes in memory, and whether its weights are repacked.

    ``need`` includes the ``copy_bytes`` of the repacked copy only where ``repack`` is true.
    """

    need: MemoryNeed
    copy_bytes: int
    repack: bool
    reason: str


def decide_loading(
    header: GgufHeader,
    *,
    context: int,
    available_bytes: int,
    kv_type: str = "f16",
    batch: int = BATCH,
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
    try:
        architecture = Architecture.from_metadata(header.metadata, header.shapes)
    except CourseError:
        # A family that the course cannot count: only the file's own length is known.
        architecture = None
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
    if repack is None:
        choice = choose_repacking(
            need, copy, available_bytes, kernels=kernels, crashes=repacking_crashes
        )
    else:
        choice = RepackChoice(repack, "You chose it.")
    if choice.repack:
        need = replace(need, repacked=copy)
    return Loading(need, copy, choice.repack, choice.reason)


def plan_loading(header: GgufHeader, *, name: str, force: bool, **settings) -> Loading:
    """``decide_loading`` for this machine as it is now, with the same settings.

    Raises MachineError where memory cannot hold the model, unless ``force``.
    """
    free = available_memory_bytes()
    loading = decide_loading(header, available_bytes=free, **settings)
    refuse_if_swapping(loading.need, name=name, available_bytes=free, force=force)
    return loading
