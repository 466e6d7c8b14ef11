"""Does this file fit into memory, and should llama.cpp repack its weights? Decided before loading.

By default llama.cpp copies some of a quantised model's weights into a layout that its matrix
kernels read faster ("repacking").  The file's own pages can be shared by all processes and given
back by the system; the copy is private to one.  For QwQ-32B in Q4_K_M it is 13.9 GiB more.
"""

from __future__ import annotations

from dataclasses import replace

from course_utils.architectures import Architecture
from course_utils.capacity import (
    REPACKED_TYPES,
    RepackChoice,
    choose_repacking,
    memory_need,
    refuse_if_swapping,
)
from course_utils.engines.gguf_header import GgufHeader
from course_utils.errors import CourseError
from course_utils.machine import available_memory_bytes


def plan_loading(
    header: GgufHeader,
    *,
    name: str,
    context: int,
    kv_type: str,
    batch: int,
    repack: bool | None,
    kernels: int,
    force: bool,
) -> RepackChoice:
    """Count the memory, and choose whether to repack if ``repack`` leaves it open.

    Raises MachineError where memory cannot hold the model, unless ``force``.
    """
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
    free = available_memory_bytes()
    if repack is None:
        choice = choose_repacking(need, copy, free, kernels=kernels)
    else:
        choice = RepackChoice(repack, "You chose it.")
    if choice.repack:
        need = replace(need, repacked=copy)
    refuse_if_swapping(need, name=name, available_bytes=free, force=force)
    return choice
