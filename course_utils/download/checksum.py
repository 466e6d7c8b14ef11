"""Are these bytes the published ones? The two checksums that a model hub states, computed.

Large files (every GGUF) are published with their SHA-256.  Small text files are kept in git, and
their ETag is git's own name for the contents: the SHA-1 of ``blob <size>\\0`` and the bytes
(https://git-scm.com/book/en/v2/Git-Internals-Git-Objects).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import OptionError

SHA256 = "sha256"
GIT_SHA1 = "git-sha1"
READ_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Checksum:
    """A stated checksum: ``algorithm`` is ``"sha256"`` or ``"git-sha1"``; digits are lower case."""

    algorithm: str
    hexadecimal: str

    @classmethod
    def from_etag(cls, etag: str | None) -> Checksum | None:
        """The checksum that a hub's ETag is, or None where the ETag is something else."""
        if etag and re.fullmatch(r"[0-9a-f]{64}", etag):
            return cls(SHA256, etag)
        if etag and re.fullmatch(r"[0-9a-f]{40}", etag):
            return cls(GIT_SHA1, etag)
        return None

    @classmethod
    def from_sha256(cls, text: str) -> Checksum:
        """Check and wrap a SHA-256 given by the caller. Raises OptionError if it is not one."""
        digits = text.strip().lower().removeprefix("sha256:") if isinstance(text, str) else ""
        if not re.fullmatch(r"[0-9a-f]{64}", digits):
            raise OptionError(
                f"{text!r} is not a SHA-256 checksum.",
                "Give its 64 hexadecimal digits, or leave sha256 out to use the hub's own.",
            )
        return cls(SHA256, digits)

    def hasher(self, size: int):
        """A fresh ``hashlib`` object for a file of ``size`` bytes."""
        if self.algorithm == SHA256:
            return hashlib.sha256()
        return hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)

    def matches(self, path: Path, advance: Callable[[int], None] = lambda count: None) -> bool:
        """Whether the file at ``path`` has this checksum; ``advance`` is told of bytes read."""
        hasher = self.hasher(path.stat().st_size)
        with path.open("rb") as file:
            while chunk := file.read(READ_BYTES):
                hasher.update(chunk)
                advance(len(chunk))
        return hasher.hexdigest() == self.hexadecimal

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hexadecimal}"

    @classmethod
    def parse(cls, text: str) -> Checksum:
        """The reverse of ``str``."""
        algorithm, _, hexadecimal = text.partition(":")
        return cls(algorithm, hexadecimal)
