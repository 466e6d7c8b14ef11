"""The KV cache: what the model has read, reused by the next prompt, kept over a restart.

A conversation is sent whole with every question, but what its common prefix with the last one left
in the cache is not computed again.

On disk the cache is llama.cpp's own file.  llama.cpp trusts the file it is given: one that is
damaged, or that belongs to another model, ends the process.  So a note beside it holds the file's
checksum and the model and settings it was made with, and nothing is handed to llama.cpp that does
not agree with its note.
"""

from __future__ import annotations

import json
import threading
from contextlib import nullcontext
from pathlib import Path

from course_utils.engines.checks import place_to_write, shown_path, why
from course_utils.engines.local.runtime import Batch, Context
from course_utils.errors import MachineError, ModelFileError, PromptError
from course_utils.hashing import hash_bytes, hash_file
from course_utils.progress import Progress
from course_utils.units import MIB

# The start of a GGUF holds its settings and vocabulary, which tell models apart.
_START_BYTES = MIB

# Tokens that are compared at once.
_STRETCH = 512


class KVCache:
    """The keys and values of one text in a context, and the tokens they belong to, in order."""

    def __init__(self, context: Context):
        self.context = context
        self.tokens: list[int] = []
        self._batch = Batch(context.batch)

    def read(self, tokens: list[int], stopping: threading.Event | None = None) -> int:
        """Make the cache hold exactly these tokens; the last one's logits can then be read.

        What it already holds of them is kept.  Gives the number of tokens that cost nothing.
        Raises PromptError where there are no tokens, ``Stopped`` when ``stopping`` is set.
        """
        if not tokens:
            raise PromptError("The prompt has no tokens.", "Give the model at least one.")
        kept = self.keep(min(_common_prefix(self.tokens, tokens), len(tokens) - 1))
        parts = range(kept, len(tokens), self.context.batch)
        # The bar moves from one batch to the next, so a prompt of one batch needs none.
        long = Progress("reading the prompt", len(tokens), " tokens") if len(parts) > 1 else None
        with long or nullcontext():
            for start in parts:
                part = tokens[start : start + self.context.batch]
                self._compute(part, len(tokens) - 1, stopping)
                if long:
                    long.reach(len(self.tokens))
        return kept

    def keep(self, count: int) -> int:
        """Forget all but the first ``count`` tokens; gives how many are left.

        None are, if the model's state is recurrent: it cannot forget a part.
        """
        if not self.context.keep_first(count):
            self.context.clear()
            count = 0
        del self.tokens[count:]
        return len(self.tokens)

    def append(self, token: int, stopping: threading.Event | None = None) -> None:
        """Compute one more token after those that the cache holds."""
        self.context.decode_token(token, stopping)
        self.tokens.append(token)

    def extend(self, tokens: list[int], stopping: threading.Event | None = None) -> None:
        """Compute more tokens, at most one batch, with the logits after each, in its own row."""
        self._compute(tokens, len(self.tokens), stopping)

    def _compute(self, part: list[int], wanted: int, stopping: threading.Event | None) -> None:
        """One batch, with logits from the position ``wanted`` on."""
        self._batch.clear()
        for position, token in enumerate(part, len(self.tokens)):
            self._batch.add(token, position, logits=position >= wanted)
        self.context.decode(self._batch, stopping)
        self.tokens.extend(part)

    def clear(self) -> None:
        """Forget everything."""
        self.tokens.clear()
        self.context.clear()

    def close(self) -> None:
        """Free the memory."""
        self._batch.close()
        self.context.close()

    def save(self, path: Path, fit: dict) -> int:
        """Write the cache and its note; gives its tokens. Raises MachineError if it cannot."""
        path, note = place_to_write(path), place_to_write(_note(path))
        self.context.save(path, self.tokens)
        told = {"fits": fit, "tokens": len(self.tokens), "sha256": hash_file(path)}
        try:
            note.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise MachineError(
                f"The note beside the KV cache could not be written: {why(error)}.",
                "Make room on the disk, and save again.",
            ) from None
        return len(self.tokens)

    def load(self, path: Path, fit: dict) -> int:
        """Read a cache; gives its tokens. Raises ModelFileError unless all agrees.

        The cache is then empty.
        """
        self.clear()
        _refuse_unless_it_fits(path, fit)
        self.tokens = self.context.load(path)
        return len(self.tokens)


def fits(source: Path, context_size: int, settings: dict) -> dict:
    """What a cache depends on: the model file, the context's size, the types it is kept in.

    Raises ModelFileError where the model file is gone.
    """
    try:
        with source.open("rb") as file:
            start = hash_bytes(file.read(_START_BYTES))
        size = source.stat().st_size
    except OSError:
        raise ModelFileError(
            f"The model's file {shown_path(source)} is no longer there.",
            "A KV cache can be told to fit it only where it is; put it back.",
        ) from None
    return {
        "model": {"name": shown_path(source.name), "bytes": size, "start": start},
        "context": context_size,
        "kv_type": settings["kv_type"],
        "flash_attention": settings["flash_attention"],
        "stretch of positions": settings["yarn"],
    }


def _refuse_unless_it_fits(path: Path, fit: dict) -> None:
    name = shown_path(path.name)
    remedy = "Go on without it: what it holds is computed again with the next prompt."
    try:
        note = json.loads(_note(path).read_text(encoding="utf-8"))
        whole = note["sha256"] == hash_file(path)
        made_with = dict(note["fits"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ModelFileError(f"{name} is not a KV cache saved by this course.", remedy) from None
    if not whole:
        raise ModelFileError(f"The KV cache {name} is damaged or incomplete.", remedy)
    different = [part for part in fit if made_with.get(part) != fit[part]]
    if different:
        raise ModelFileError(
            f"The KV cache {name} was saved with another {different[0]}.",
            f"Open the model as it was then, or go on without the cache. {remedy}",
        )


def _common_prefix(a: list[int], b: list[int]) -> int:
    """How many tokens two texts share from the start."""
    same = 0
    # Whole stretches are compared far faster than token by token.
    while (part := a[same : same + _STRETCH]) and part == b[same : same + _STRETCH]:
        same += len(part)
    for one, other in zip(part, b[same : same + _STRETCH], strict=False):
        if one != other:
            break
        same += 1
    return same


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".json")
