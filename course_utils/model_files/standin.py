"""Stand-ins: files of a model's shape, by which a machine tries 20 GB without downloading them.

A stand-in is a GGUF file with a model's exact tensor shapes and quantisation types, in which
(nearly) all weights are zero and lie in a hole of a sparse file: 19.85 GB long for QwQ-32B, a few
MB on disk, written in about a second.  llama.cpp loads and computes it like the real one, in the
true memory and at the true speed, since both depend on shapes alone.

Where the shape has room for it, a stand-in carries QwQ-32B's true vocabulary and a template of its
format: a prompt has as many tokens as QwQ counts, and what it writes are QwQ's tokens, in an order
without sense.

In a mixture of experts the speed also depends on *which* experts are read.  There the routers,
some embedding rows and the same rows of the output get random values, so that different tokens
go to different experts, and sampling with a small top-k stays among the rows that have values.

``standin_header`` writes what stands before the weights; ``course_utils.engines.rehearsal`` runs
such files.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import string
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from course_utils.errors import MachineError
from course_utils.machine import free_disk_bytes
from course_utils.model_files.architectures import Architecture, Tensor
from course_utils.model_files.catalogue import find_model
from course_utils.model_files.quantisation import (
    block_bytes,
    padded,
    quantisation_name,
    stored_bytes,
    tensor_type,
    weight_bytes,
)
from course_utils.model_files.standin_header import QWEN_TOKENS, write_header
from course_utils.paths import models_folder
from course_utils.units import MIB

LIVE_ROWS = 1024
"""How many tokens of a mixture's stand-in have random embeddings: ids 0 to 1023."""

# Where a block of each type keeps its 16-bit scale, and the offset by which values are shifted,
# as (byte, value) pairs (source: the block structs of llama.cpp's ggml-common.h).  The offsets
# make random blocks average to about zero.
_SCALES = {
    "Q2_K": ((80, 1.0), (82, 1.5)),
    "Q3_K": ((108, 1.0),),
    "Q4_0": ((0, 1.0),),
    "Q4_K": ((0, 1.0), (2, 7.5)),
    "Q5_0": ((0, 1.0),),
    "Q5_1": ((0, 1.0), (2, -15.5)),
    "Q5_K": ((0, 1.0), (2, 15.5)),
    "Q6_K": ((208, 1.0),),
    "Q8_0": ((0, 1.0),),
    **dict.fromkeys(("IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS"), ((0, 1.0),)),
}

# Each is one token below ``LIVE_ROWS`` with the blank before it, and no merge joins two of them.
_WORDS = (
    *(" the", " of", " and", " to", " in", " is", " it", " that", " for", " on", " with", " as"),
    *(" was", " are", " be", " this", " have", " from", " or", " by", " not", " but", " at"),
)

# File systems that live in memory: reading a hole there takes memory that cannot be given back,
# and running out of it ends the process.
_IN_MEMORY = ("tmpfs", "ramfs", "devtmpfs")


@dataclass(frozen=True)
class Standin:
    """A stand-in file. ``architecture`` is what it holds, ``full`` the whole model's shape.

    ``file_bytes`` is its length, header included; ``disk_bytes`` what it takes on disk.
    """

    path: Path
    name: str
    quantisation: str
    architecture: Architecture
    full: Architecture
    file_bytes: int
    disk_bytes: int

    @property
    def complete(self) -> bool:
        """Whether it has all of the model's layers."""
        return self.architecture.layers == self.full.layers


def standins_folder() -> Path:
    """``models/standins/``: where stand-ins lie while they are in use; never in git."""
    return models_folder() / "standins"


@contextlib.contextmanager
def standin(
    name: str,
    quantisation: str | None = None,
    *,
    layers: int | None = None,
    folder: Path | None = None,
) -> Iterator[Standin]:
    """A stand-in of a catalogue's model, removed again at the end, whatever happens inside.

    ``quantisation``: by default the one the catalogue recommends.  ``layers``: write only the first
    so many layers.  Raises OptionError for an unknown name, MachineError where the disk
    has no room.  What a killed process left behind is removed first.
    """
    model = find_model(name)
    full = model.architecture
    shown = full if layers is None else full.with_layers(min(layers, full.layers))
    with standin_of(
        shown,
        quantisation or model.quantisation,
        name=model.name,
        title=model.title,
        full=full,
        folder=folder,
    ) as file:
        yield file


@contextlib.contextmanager
def standin_of(
    architecture: Architecture,
    quantisation: str,
    *,
    name: str = "a-shape",
    title: str = "a model",
    full: Architecture | None = None,
    folder: Path | None = None,
) -> Iterator[Standin]:
    """A stand-in of any shape, removed again at the end like that of a catalogue's model.

    ``name``: what its file's name begins with.  Raises OptionError for an unknown quantisation,
    MachineError where the disk has no room.
    """
    quantisation = quantisation_name(quantisation)
    folder = folder or standins_folder()
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    shape = f"{architecture.layers}-layers-{architecture.feed_forward}-wide"
    path = folder / f"{name}-{quantisation}-{shape}{_suffix(os.getpid())}"
    try:
        yield write_standin(path, architecture, quantisation, title=title, full=full)
    finally:
        path.unlink(missing_ok=True)


def write_standin(
    path: Path,
    architecture: Architecture,
    quantisation: str,
    *,
    title: str = "a model",
    full: Architecture | None = None,
) -> Standin:
    """Write a stand-in of this shape and quantisation to ``path``.

    Raises MachineError when the disk cannot hold it, which matters only without sparse files.
    """
    quantisation = quantisation_name(quantisation)
    weights = weight_bytes(architecture, quantisation)
    if not sparse_files_work(path.parent) and free_disk_bytes(path.parent) < 1.1 * weights:
        raise MachineError(
            f"The disk has no room for {weights / 1e9:.1f} GB, "
            "and its file system does not leave holes in files out.",
            "Rehearse fewer layers, or put the course on another disk.",
        )
    try:
        write_header(path, architecture, quantisation, title)
        start = padded(path.stat().st_size)
        with path.open("r+b") as file:
            file.truncate(start + weights)
            if architecture.experts is not None:
                _write_live_tensors(file, start, architecture, quantisation)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    facts = path.stat()
    return Standin(
        path=path,
        name=title,
        quantisation=quantisation,
        architecture=architecture,
        full=full or architecture,
        file_bytes=facts.st_size,
        disk_bytes=getattr(facts, "st_blocks", facts.st_size // 512) * 512,
    )


def nonsense(tokens: int, vocabulary: int, *, seed: int = 0) -> str:
    """A text of so many tokens of a stand-in whose vocabulary has this size, words or letters.

    All of them have embeddings, and they vary, so that in a mixture they reach many experts.
    """
    pieces = _WORDS if vocabulary >= QWEN_TOKENS else string.ascii_lowercase
    return "".join(random.Random(seed).choices(pieces, k=tokens))


def sparse_files_work(folder: Path) -> bool:
    """Whether a hole in a file of this folder takes no space, on disk or in memory."""
    if _file_system(folder) in _IN_MEMORY:
        return False
    hole = 16 * MIB
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.truncate(hole)
        file.flush()
        # Windows does not tell the blocks of a file, and fills holes unless asked otherwise.
        return getattr(os.fstat(file.fileno()), "st_blocks", hole) * 512 < hole // 2


def standins_take_no_space() -> bool:
    """Whether a stand-in in its usual folder takes none; the folder is made if need be."""
    folder = standins_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return sparse_files_work(folder)


def _file_system(folder: Path) -> str:
    """The type of the file system that this folder lies on, "" where it is not told."""
    place = str(folder.resolve())
    mounts = [
        mount
        for mount in psutil.disk_partitions(all=True)
        if place == mount.mountpoint or place.startswith(mount.mountpoint.rstrip("/") + "/")
    ]
    return max(mounts, key=lambda mount: len(mount.mountpoint)).fstype if mounts else ""


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove the stand-ins of processes of this computer that no longer run."""
    removed = []
    for path in folder.glob(f"*-{socket.gethostname()}-*.gguf"):
        process = path.stem.rpartition("-")[2]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            path.unlink(missing_ok=True)
            removed.append(path)
    return removed


def _suffix(process: int) -> str:
    return f"-{socket.gethostname()}-{process}.gguf"


# ---- weights that are not zero -----------------------------------------------------------------


def _write_live_tensors(file, start: int, architecture: Architecture, quantisation: str) -> None:
    """Give a mixture's routers something to choose by: see the module's docstring."""
    generator = np.random.default_rng(0)
    position = start
    for tensor in architecture.tensors():
        kind = tensor_type(tensor, architecture, quantisation)
        data = _live_bytes(tensor, kind, generator)
        if data is not None:
            file.seek(position)
            file.write(data)
        position += padded(stored_bytes(tensor.shape, kind))


def _live_bytes(tensor: Tensor, kind: str, random: np.random.Generator) -> bytes | None:
    """The bytes at the front of this tensor that are not zero, or None."""
    if tensor.part in ("input embedding", "output"):
        rows = min(LIVE_ROWS, tensor.shape[0])
        return _random_weights((rows, tensor.shape[1]), kind, random)
    if tensor.name.endswith(("ffn_norm.weight", "output_norm.weight")):
        return np.ones(tensor.shape, np.float32).tobytes()
    if tensor.name.endswith("ffn_gate_inp.weight"):
        return random.standard_normal(tensor.shape, np.float32).tobytes()
    return None


def _random_weights(shape: tuple[int, int], kind: str, random: np.random.Generator) -> bytes:
    """Random weights of any size, stored in this type; the next norm makes their size equal."""
    if kind in ("F32", "F16", "BF16"):
        values = random.standard_normal(shape, np.float32)
        if kind == "BF16":  # the upper half of a 32-bit float
            return (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()
        return values.astype(np.float32 if kind == "F32" else np.float16).tobytes()
    blocks = np.frombuffer(random.bytes(stored_bytes(shape, kind)), np.uint8)
    blocks = blocks.reshape(-1, block_bytes(kind)).copy()
    for place, value in _SCALES[kind]:
        blocks[:, place : place + 2] = np.frombuffer(np.float16(value).tobytes(), np.uint8)
    return blocks.tobytes()
