"""Files of real models that nobody here wrote: vocabularies, tokenisations and chat templates.

The source distribution of llama-cpp-python, which the set-up compiles, carries llama.cpp's test
files.  They are fetched by pip once, in the pinned version, and kept in ``.cache/``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

from course_utils.paths import repository_root

SECONDS = 300


class OutOfReach(Exception):
    """The distribution cannot be fetched: no network, or no pip."""


@cache
def models_folder() -> Path:
    """llama.cpp's folder ``models/``: ``ggml-vocab-*.gguf`` and ``templates/*.jinja``.

    Raises OutOfReach.
    """
    pins = (repository_root() / "requirements.txt").read_text()
    version = re.search(r"^llama-cpp-python==([\w.]+)", pins, re.MULTILINE)[1]
    kept = repository_root() / ".cache" / f"llama-cpp-python-{version}"
    kept.parent.mkdir(exist_ok=True)
    with FileLock(f"{kept}.lock"):
        if not kept.exists():
            with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
                _unpack(_download(version, Path(folder)), Path(folder) / "unpacked")
                os.replace(Path(folder) / "unpacked", kept)
    return kept


def models_folder_or_skip() -> Path:
    """The same for a test: skipped with the reason where it is out of reach, but failed in CI."""
    try:
        return models_folder()
    except OutOfReach as reason:
        if os.environ.get("CI", "").lower() == "true":
            raise
        pytest.skip(str(reason))


def _download(version: str, folder: Path) -> Path:
    # Asks the package for its metadata as well, which takes pip some seconds; nothing is compiled.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
    package = ["--no-binary", "llama-cpp-python", f"llama-cpp-python=={version}"]
    try:
        done = subprocess.run(
            [*command, *package, "--dest", str(folder)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise OutOfReach(f"llama-cpp-python {version} has not arrived in {SECONDS} s") from None
    found = list(folder.glob("*.tar.gz"))
    if done.returncode or not found:
        last = done.stderr.strip().splitlines()[-1:] or ["pip gives no reason"]
        raise OutOfReach(f"llama-cpp-python {version} cannot be fetched: {last[0]}")
    return found[0]


def _unpack(archive: Path, folder: Path) -> None:
    """Take llama.cpp's folder ``models/`` out of the archive."""
    with tarfile.open(archive) as tar:
        for member in tar:
            inside = member.name.partition("/vendor/llama.cpp/models/")[2]
            if inside and member.isfile():
                member.name = inside
                tar.extract(member, folder, filter="data")
