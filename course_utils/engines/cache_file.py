"""How does a KV cache survive a kernel restart? As llama.cpp's file, and a note on what it fits.

llama.cpp trusts the file it is given: one that is damaged, or that belongs to another model, ends
the process.  So a note beside it holds the file's checksum and the model and settings it was made
with, and nothing is handed to llama.cpp that does not agree with its note.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from course_utils.engines.runtime import Context
from course_utils.errors import ModelFileError

# The start of a GGUF holds its settings and vocabulary, which tell models apart.
_START_BYTES = 1 << 20


def fits(source: Path, context_size: int, settings: dict) -> dict:
    """What a cache depends on: the model file, the context's size, the types it is kept in."""
    with source.open("rb") as file:
        start = hashlib.sha256(file.read(_START_BYTES)).hexdigest()
    return {
        "model": {"name": source.name, "bytes": source.stat().st_size, "start": start},
        "context": context_size,
        "kv_type": settings["kv_type"],
        "flash_attention": settings["flash_attention"],
    }


def save(context: Context, path: Path, tokens: list[int], fit: dict) -> None:
    """Write the cache and its note. Raises MachineError if the disk refuses."""
    context.save(path, tokens)
    note = {"fits": fit, "tokens": len(tokens), "sha256": _sha256(path)}
    _note(path).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")


def load(context: Context, path: Path, fit: dict) -> list[int]:
    """Read a cache; gives the tokens it holds. Raises ModelFileError unless all agrees."""
    remedy = "Go on without it: what it holds is computed again with the next prompt."
    try:
        note = json.loads(_note(path).read_text(encoding="utf-8"))
        whole = note["sha256"] == _sha256(path)
    except (OSError, ValueError, KeyError, TypeError):
        raise ModelFileError(
            f"{path.name} is not a KV cache saved by this course.", remedy
        ) from None
    if not whole:
        raise ModelFileError(f"The KV cache {path.name} is damaged or incomplete.", remedy)
    different = [part for part in fit if note.get("fits", {}).get(part) != fit[part]]
    if different:
        raise ModelFileError(
            f"The KV cache {path.name} was saved with another {different[0]}.",
            f"Open the model as it was then, or go on without the cache. {remedy}",
        )
    return context.load(path)


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
