"""Checksums: the one place that computes them, of files that are larger than memory too.

Large files (every GGUF) are published with their SHA-256.  Small text files are kept in git, and
git names contents by the SHA-1 of ``blob <size>\\0`` and the bytes
(https://git-scm.com/book/en/v2/Git-Internals-Git-Objects).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from course_utils.units import MIB

SHA256 = "sha256"
GIT_SHA1 = "git-sha1"
READ_BYTES = 4 * MIB


def hasher(algorithm: str, size: int):
    """A fresh ``hashlib`` object for ``size`` bytes; ``algorithm`` is SHA256 or GIT_SHA1."""
    if algorithm == SHA256:
        return hashlib.sha256()
    return hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)


def hash_bytes(data: bytes) -> str:
    """The SHA-256 of these bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def hash_file(
    path: Path, algorithm: str = SHA256, advance: Callable[[int], object] = lambda count: None
) -> str:
    """The checksum of a file in hexadecimal digits; ``advance`` is told of the bytes read.

    Reads 4 MiB at a time, so that a file may be larger than the memory.
    """
    digest = hasher(algorithm, path.stat().st_size)
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
            advance(len(chunk))
    return digest.hexdigest()
