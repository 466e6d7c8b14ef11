"""What exactly is asked for, and may it be? Names come from outside, so they are checked first.

A file from a hub gets no name here that leads out of the download folder, and none that Linux,
macOS or Windows would store under another name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import OptionError
from ..paths import downloads_folder
from .checksum import Checksum

_ALLOWED_COMPONENT = re.compile(r'[^<>:"/\\|?*\x00-\x1f\x7f]{1,200}')
# Windows opens a device instead of a file under these names, whatever the ending.
_DEVICES = {"con", "prn", "aux", "nul"} | {f"{d}{n}" for d in ("com", "lpt") for n in range(10)}


@dataclass(frozen=True)
class Request:
    """What the caller asked for, checked."""

    repository: str
    filename: str
    revision: str
    expected: Checksum | None
    destination: Path

    @property
    def name(self) -> str:
        return self.filename.split("/")[-1]


def checked_request(
    repository: str,
    filename: str,
    revision: str,
    sha256: str | None,
    destination: Path | str | None,
) -> Request:
    check_names(repository, filename, revision)
    return Request(
        repository=repository,
        filename=filename,
        revision=revision,
        expected=None if sha256 is None else Checksum.from_sha256(sha256),
        destination=destination_path(destination, filename),
    )


def check_names(repository: str, filename: str, revision: str) -> None:
    """Raise OptionError unless the three can be asked of a hub and stored on any system."""
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(repository)
        well_formed = isinstance(repository, str) and repository.count("/") == 1
    except HFValidationError:
        well_formed = False
    if not well_formed:
        raise OptionError(
            f"{repository!r} is not the name of a repository.",
            "Write it as on the hub: owner/name, for example 'Qwen/QwQ-32B-GGUF'.",
        )
    if not isinstance(filename, str) or not all(map(_storable, filename.split("/"))):
        raise OptionError(
            f"{filename!r} cannot be the name of a file on every system.",
            "Give the file's path inside its repository, with '/' between folders and no '..'.",
        )
    if not isinstance(revision, str) or not revision.strip() or not revision.isprintable():
        raise OptionError(
            f"{revision!r} is not a revision.",
            "Give a branch, a tag or a commit of the repository, for example 'main'.",
        )


def default_destination(filename: str) -> Path:
    """Where a download goes unless told otherwise: ``models/downloads/filename``."""
    return downloads_folder().joinpath(*filename.split("/"))


def destination_path(destination: Path | str | None, filename: str) -> Path:
    """The file to write; a ``destination`` that is a folder takes the file's own name."""
    if destination is None:
        return default_destination(filename)
    path = Path(destination).expanduser().absolute()
    return path / filename.split("/")[-1] if path.is_dir() else path


def _storable(component: str) -> bool:
    return (
        _ALLOWED_COMPONENT.fullmatch(component) is not None
        and not component.endswith((".", " "))
        and component.split(".")[0].lower() not in _DEVICES
    )
