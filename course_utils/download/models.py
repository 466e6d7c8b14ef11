"""The files of the catalogue's models: where they are, and how they get here.

A file of the right name is not yet the model: it counts once its checksum was found right.  Where
no checksum is known on this machine, length and header must fit, and the file is used as "not
verified", which is said.
"""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

from course_utils.download import store
from course_utils.download.fetch import ProgressOption, display, download
from course_utils.download.hub import RetryPolicy
from course_utils.errors import ModelFileError, OptionError
from course_utils.machine import available_memory_bytes
from course_utils.model_files.catalogue import Model, ModelFile, find_file, find_model, shipped_file
from course_utils.model_files.found import find_copies
from course_utils.units import readable_size

# How far a length may be from the predicted one; published files are within half of it.
LENGTH_TOLERANCE = 2e-4


@dataclass(frozen=True)
class FoundFile:
    """A model's file on this machine; ``doubt`` says why it is not verified, "" where it is."""

    path: Path
    doubt: str = ""

    @property
    def verified(self) -> bool:
        return not self.doubt


def download_model(
    name: str,
    *,
    progress: ProgressOption = None,
    replace: bool = False,
    retry: RetryPolicy | None = None,
) -> Path:
    """Bring a model of the catalogue here, by its short name; returns the GGUF file's path.

    ``name`` is ``"qwq-32b"``, or ``"qwq-32b:Q5_K_M"`` for a certain file; a model that comes with
    the course is at hand.  The options, and what is raised, are those of ``download``; OptionError
    also for a name that the catalogue does not have.
    """
    model = find_model(name)
    if model.path is not None and ":" not in str(name):
        return shipped_file(model)
    file = find_file(name)
    if file.unpinned:
        _, note = display(progress)
        note(f"{file.name} is the newest of its name: {file.unpinned}")
    return download(
        file.repository,
        file.name,
        revision=file.revision,
        sha256=file.sha256,
        destination=file.local_path,
        progress=progress,
        replace=replace,
        retry=retry,
    )


def model_path(name: str) -> Path:
    """Where the GGUF file of this name lies on this machine; warns if it is not verified.

    Raises OptionError for an unknown name, and ModelFileError when the file is not here yet, or
    when what lies in its place is another one.
    """
    found = find_model_file(name)
    if not found.verified:
        warnings.warn(f"{found.path.name} is not verified: {found.doubt}", stacklevel=2)
    return found.path


def find_model_file(name: str) -> FoundFile:
    """The file of a model, and whether its checksum was ever found right. Raises as above.

    Reads the whole file the first time, where a checksum is known, and remembers the outcome.
    """
    model = find_model(name)
    if model.path is not None and ":" not in str(name):
        return FoundFile(shipped_file(model))
    try:
        file = find_file(name)
    except OptionError:
        # Not offered for download; another program may have brought it all the same.
        if copy := _copy_of_another_program(name, None):
            return copy
        raise
    wanted = store.checked(file.repository, file.name, file.revision, file.sha256, file.local_path)
    bar, note = display(None)
    try:
        found = store.verified_before(wanted) or store.find_without_hub(wanted, note, bar)
        if found is not None:
            return FoundFile(found)
        is_here = file.local_path.is_file()
        fault = _misfit(model, file) if is_here else ""
    except OSError as error:
        raise ModelFileError(
            f"models/downloads/{file.name} cannot be read ({error.strerror or error}).",
            "Check its permissions and its disk.",
        ) from None
    if not is_here and (copy := _copy_of_another_program(name, file.quantisation)):
        return copy
    name = str(name).strip().lower()
    if not is_here:
        raise ModelFileError(
            f"{model.title} ({file.quantisation}, {file.size_bytes / 1e9:.1f} GB) is not on this "
            "machine.",
            f'See with rehearse("{name}") how fast it would run here, '
            f'then fetch it with download_model("{name}"); notebook 06 shows both.',
        )
    if fault:
        raise ModelFileError(
            f"models/downloads/{file.name} is not the file that the catalogue means: {fault}.",
            f'Rename or delete it and call download_model("{name}"); to run this very file, open '
            "it by its path.",
        )
    return FoundFile(
        file.local_path,
        "no checksum of it is known on this machine; its length and header fit. "
        f'download_model("{name}") asks the hub for the checksum and verifies it.',
    )


def _copy_of_another_program(name: str, recommended: str | None) -> FoundFile | None:
    """A file of this model that Ollama, LM Studio or llama.cpp keeps; None if there is none.

    Where the name leaves the quantisation open, one that memory can hold is preferred, and among
    those the recommended one, then the largest.
    """
    copies = find_copies(name)
    if not copies:
        return None
    free = available_memory_bytes()
    best = max(
        copies,
        key=lambda copy: (
            copy.size_bytes < free,
            copy.quantisation == recommended,
            copy.size_bytes if copy.size_bytes < free else -copy.size_bytes,
        ),
    )
    return FoundFile(
        best.path,
        f"it is the {best.quantisation} file that {best.keeper} keeps; its name and its header "
        "fit, and its checksum was not compared.",
    )


def _misfit(model: Model, file: ModelFile) -> str:
    """What shows that a file, which was not found right, is not the model's; "" if nothing does."""
    if file.sha256:
        return "its SHA-256 is another"
    size = file.local_path.stat().st_size
    allowed = 0 if file.exact else LENGTH_TOLERANCE * file.size_bytes
    if abs(size - file.size_bytes) > allowed:
        about = "" if file.exact else "about "
        return f"it is {readable_size(size)} long, not {about}{readable_size(file.size_bytes)}"
    with file.local_path.open("rb") as opened:
        start = opened.read(16)
    # Letters, version, number of tensors: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
    magic, _version, tensors = struct.unpack("<4sIQ", start.ljust(16, b"\0"))
    if magic != b"GGUF":
        return "it does not begin like a GGUF file"
    expected = len(model.architecture.tensors())
    return "" if tensors == expected else f"it holds {tensors} tensors, not {expected}"
