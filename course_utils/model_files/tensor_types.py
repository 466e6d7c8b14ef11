"""The storage types of a GGUF file's numbers that llama.cpp reads, or no longer reads.

Numbers and sizes: llama.cpp's ``ggml.h`` and ``ggml-common.h``; of ik_llama.cpp's own types, its
``ggml.h`` (https://github.com/ikawrakow/ik_llama.cpp).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from gguf.constants import GGML_QUANT_SIZES

from course_utils.errors import ModelFileError


class Storage(NamedTuple):
    """A storage type: its name, how many weights make a block, and a block's bytes."""

    name: str
    block: int
    bytes: int


STORAGES: dict[int, Storage] = {
    # llama.cpp has it; the gguf package, in version 0.19, has not.
    42: Storage("Q2_0", 64, 2 + 64 // 4),
    **{int(kind): Storage(kind.name, *sizes) for kind, sizes in GGML_QUANT_SIZES.items()},
}

_COMMON = "Take the model in a common type, such as Q4_K_M or Q8_0"
_REMOVED = {
    **dict.fromkeys((4, 5), ("Q4_2 or Q4_3", f"{_COMMON}.")),
    **dict.fromkeys(
        (31, 32, 33),
        (
            "Q4_0_4_4, Q4_0_4_8 or Q4_0_8_8",
            "Take the model's Q4_0 file: llama.cpp now arranges it for the processor when it loads "
            "it.",
        ),
    ),
    **dict.fromkeys((37, 38), ("IQ4_NL_4_8 or IQ4_NL_8_8", "Take the model's IQ4_NL file.")),
}
# Two projects gave this number to types of their own.
_TERNARY = 36
_IK_LLAMA = range(97, 400)


def unreadable(path: Path, tensor: str, kind: int) -> ModelFileError:
    """The error for a tensor in a type that this llama.cpp does not read: which, and what then."""
    where = f"{path} stores the tensor {tensor!r} "
    if kind in _REMOVED:
        name, remedy = _REMOVED[kind]
        return ModelFileError(f"{where}as {name}, which llama.cpp no longer reads.", remedy)
    if kind == _TERNARY:
        return ModelFileError(
            f"{where}in a type that llama.cpp does not read: I2_S of BitNet's own program, or "
            "IQ4_NL_4_4, which was removed.",
            "Take the model as TQ1_0 or TQ2_0 (BitNet), or as IQ4_NL.",
        )
    if kind in _IK_LLAMA:
        return ModelFileError(
            f"{where}in a type of ik_llama.cpp (number {kind}), which llama.cpp does not read.",
            f"{_COMMON}; or run this file with ik_llama.cpp's server, and open its address.",
        )
    return ModelFileError(
        f"{where}in the type number {kind}, which is unknown here: newer than this course, of "
        "another program, or wrong.",
        f"{_COMMON}. If the file is new, update llama-cpp-python; if not, download it again.",
    )
