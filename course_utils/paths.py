"""The places of the course's files, wherever a notebook is started from, and writing one whole."""

import os
from pathlib import Path


def repository_root() -> Path:
    """The folder that holds ``notebooks/``, ``course_utils/`` and ``models/``."""
    return Path(__file__).resolve().parent.parent


def models_folder() -> Path:
    """``models/``: the catalogue, the shipped nano models, and downloads."""
    return repository_root() / "models"


def nano_folder() -> Path:
    """``models/nano/``: the shipped GGUF files, their cards and training logs."""
    return models_folder() / "nano"


def downloads_folder() -> Path:
    """``models/downloads/``: what the learner downloaded; never in git."""
    return models_folder() / "downloads"


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all: an interrupted write does not cost what was there before.

    Raises OSError or ValueError, as ``Path.write_text`` does.
    """
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)
