"""What lies on the disk while a file arrives, and what tells later that it arrived whole?

Three files beside ``model.gguf``, so that a half file never bears the name of a whole one:

* ``model.gguf.part``: the bytes so far;
* ``model.gguf.part.json``: which file they belong to, and how many of them survive a power cut;
* ``model.gguf.verified.json``: written after the checksum was found right, so that a 20 GB file is
  not read again at every start.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from .checksum import READ_BYTES, Checksum
from .hub import RemoteFile

MIB = 1024 * 1024
SYNC_EVERY_BYTES = 64 * MIB
SYNC_EVERY_SECONDS = 30.0


@dataclass(frozen=True)
class Receipt:
    """A note that a file was read and had ``checksum``, when last changed at ``modified_ns``."""

    repository: str
    filename: str
    revision: str
    checksum: str
    size: int
    modified_ns: int

    @classmethod
    def write(
        cls, path: Path, repository: str, filename: str, revision: str, checksum: Checksum
    ) -> None:
        """Note that the file at ``path`` has just been verified."""
        found = path.stat()
        receipt = cls(
            repository, filename, revision, str(checksum), found.st_size, found.st_mtime_ns
        )
        write_atomically(_beside(path, ".verified.json"), asdict(receipt))

    @classmethod
    def read(cls, path: Path) -> Receipt | None:
        """The receipt of the file at ``path``, or None if there is none that can be read."""
        return _read_json(_beside(path, ".verified.json"), cls)

    def holds_for(self, path: Path) -> bool:
        """Whether the file is still there, and as it was when it was verified."""
        try:
            found = path.stat()
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns) == (self.size, self.modified_ns)


@dataclass(frozen=True)
class PartNote:
    """What is known about a part file: whose bytes they are, and how many are surely on disk."""

    etag: str
    checksum: str
    size: int
    durable_bytes: int
    boot_time: float

    def belongs_to(self, remote: RemoteFile) -> bool:
        stated = (remote.etag, str(remote.checksum), remote.size)
        return (self.etag, self.checksum, self.size) == stated


class PartFile:
    """The bytes of one file as they arrive; a context manager that leaves them safe on disk.

    ``length`` counts the bytes that are here.  The caller holds the lock on ``destination``.
    """

    def __init__(self, destination: Path, remote: RemoteFile):
        self.destination = destination
        self.remote = remote
        self.path = _beside(destination, ".part")
        self.had_other_file = False
        destination.parent.mkdir(parents=True, exist_ok=True)
        self.length = self._usable_length()
        self._file = self.path.open("r+b" if self.path.exists() else "w+b", buffering=0)
        self._file.truncate(self.length)
        self._file.seek(self.length)
        self._synced_bytes, self._synced_at = -1, 0.0
        self.sync()

    def __enter__(self) -> PartFile:
        return self

    def __exit__(self, *_exception) -> None:
        if not self._file.closed:
            try:
                self.sync()
            finally:
                self._file.close()

    def read_back(self) -> Iterator[bytes]:
        """Yield the bytes that are already here, for the checksum; leaves the end in place."""
        self._file.seek(0)
        missing = self.length
        while missing and (chunk := self._file.read(min(READ_BYTES, missing))):
            missing -= len(chunk)
            yield chunk
        self._file.seek(self.length)

    def append(self, chunk: bytes) -> None:
        """Write ``chunk`` at the end; from time to time make sure that it is on the disk."""
        rest = memoryview(chunk)
        while rest:
            written = self._file.write(rest)
            self.length += written
            rest = rest[written:]
        if (
            self.length - self._synced_bytes >= SYNC_EVERY_BYTES
            or time.monotonic() - self._synced_at >= SYNC_EVERY_SECONDS
        ):
            self.sync()

    def sync(self) -> None:
        """Force what is here onto the disk, then note how much that is."""
        if self._synced_bytes != self.length:
            if self.length:
                os.fsync(self._file.fileno())
            note = PartNote(
                etag=self.remote.etag,
                checksum=str(self.remote.checksum),
                size=self.remote.size,
                durable_bytes=self.length,
                boot_time=_boot_time(),
            )
            write_atomically(_note_path(self.destination), asdict(note), durable=self.length > 0)
        self._synced_bytes, self._synced_at = self.length, time.monotonic()

    def discard(self) -> None:
        """Forget the bytes: they are not the file's."""
        self._file.truncate(0)
        self._file.seek(0)
        self.length = 0
        self.sync()

    def finish(self) -> None:
        """Give the file, whose checksum was found right, its name. Atomic: all or nothing."""
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self.path, self.destination)
        _sync_folder(self.destination.parent)
        remote = self.remote
        Receipt.write(
            self.destination, remote.repository, remote.filename, remote.revision, remote.checksum
        )
        _note_path(self.destination).unlink(missing_ok=True)

    def _usable_length(self) -> int:
        """How many bytes of an earlier attempt can be built upon."""
        if not self.path.exists():
            return 0
        length = self.path.stat().st_size
        note = _read_json(_note_path(self.destination), PartNote)
        if note is None or not note.belongs_to(self.remote) or length > self.remote.size:
            self.had_other_file = length > 0
            return 0
        if abs(note.boot_time - _boot_time()) > 2.0:
            # A process that is killed loses nothing that it wrote; a machine that goes down loses
            # what had not reached the disk, and may leave zeros of the right length in its place.
            return min(length, note.durable_bytes)
        return length


def part_length(destination: Path) -> int:
    """The bytes of an unfinished download that lie beside ``destination``."""
    path = _beside(destination, ".part")
    return path.stat().st_size if path.exists() else 0


def stated_size(destination: Path) -> int | None:
    """The size that an unfinished download of ``destination`` will have, if that is known."""
    note = _read_json(_note_path(destination), PartNote)
    return None if note is None else note.size


def place_link(source: Path, destination: Path) -> bool:
    """Give the whole file ``source`` a second name, which costs no space; False if impossible.

    A hard link stays valid when the cache is emptied; across disks it must be a symbolic one.
    """
    fresh = _beside(destination, ".new")
    fresh.unlink(missing_ok=True)
    for link in (os.link, os.symlink):
        try:
            link(source, fresh)
        except OSError:
            continue
        os.replace(fresh, destination)
        # os.replace leaves the new name in place where both are already the same file.
        fresh.unlink(missing_ok=True)
        _beside(destination, ".part").unlink(missing_ok=True)
        _note_path(destination).unlink(missing_ok=True)
        return True
    return False


def lock_path(destination: Path) -> Path:
    """The file whose lock says who is downloading ``destination``."""
    return _beside(destination, ".lock")


def write_atomically(path: Path, content: dict, durable: bool = False) -> None:
    """Replace the JSON file ``path`` so that a crash leaves the old or the new one, never half.

    ``durable`` makes sure that it also survives a power cut at once, which takes a while.
    """
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(fresh, path)


def _read_json(path: Path, kind: type):
    """The dataclass ``kind`` stored at ``path``, or None if it is absent or damaged."""
    try:
        content = kind(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    numbers = {"size", "modified_ns", "durable_bytes", "boot_time"}
    sound = all(
        isinstance(value, (int, float) if name in numbers else str)
        for name, value in asdict(content).items()
    )
    return content if sound else None


def _beside(destination: Path, ending: str) -> Path:
    return destination.with_name(destination.name + ending)


def _note_path(destination: Path) -> Path:
    return _beside(destination, ".part.json")


def _boot_time() -> float:
    import psutil

    return psutil.boot_time()


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut; only POSIX systems need, and allow, this."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
