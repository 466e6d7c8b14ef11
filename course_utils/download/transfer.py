"""The transfer of bytes, in order, when the line drops, stalls or lies, and the kernel dies.

What arrived is kept beside the destination, and the missing rest is asked for with a Range request
as often as needed.  No answer is believed that does not fit: a wrong range, another length, another
version of the file.  The checksum is computed on the way, and the file gets its name last.  Beside
``model.gguf`` lie

* ``model.gguf.part``: the bytes so far;
* ``model.gguf.part.json``: whose bytes they are, and how many of them survive a power cut;
* ``model.gguf.verified.json``: the receipt, written after the checksum was found right, so that a
  20 GB file is not read again at every start.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from course_utils import network
from course_utils.download.hub import (
    Checksum,
    Interrupted,
    Patience,
    RemoteFile,
    check_status,
    explained,
)
from course_utils.hashing import READ_BYTES, hasher
from course_utils.units import MIB

SYNC_EVERY_BYTES = 64 * MIB
SYNC_EVERY_SECONDS = 30.0


class RemoteChanged(Exception):
    """The server now has another file, or another length, than it described."""


def receive(
    client: httpx.Client, remote: RemoteFile, destination: Path, patience: Patience, bar: Callable
) -> bool:
    """Bring the file to ``destination``; False, keeping nothing, if it has a wrong checksum.

    What lies in its part from an earlier attempt is used if the note says that it belongs to
    ``remote``.  ``bar`` makes a progress bar as tqdm does.  The caller sees to it that nobody else
    writes to the part.  Raises RemoteChanged if the server's file is no longer the one described,
    OSError, or DownloadError when the hub refuses or ``patience`` ends; what arrived is kept then.
    """
    part = part_path(destination)
    digest = hasher(remote.checksum.algorithm, remote.size)
    with _PartFile(part, remote) as kept:
        if kept.length:
            with bar(desc=f"Checking the part of {part.stem}", total=kept.length) as checking:
                for chunk in kept.read_back():
                    digest.update(chunk)
                    checking.update(len(chunk))
        with bar(desc=part.stem, total=remote.size, initial=kept.length) as arriving:
            for chunk in read_remote(client, remote, kept.length, remote.size, patience):
                kept.append(chunk)
                digest.update(chunk)
                arriving.update(len(chunk))
        if digest.hexdigest() != remote.checksum.hexadecimal:
            kept.discard()
            return False
    # Atomic: all or nothing.
    os.replace(part, destination)
    _sync_folder(destination.parent)
    write_receipt(destination, remote.repository, remote.filename, remote.revision, remote.checksum)
    forget_part(destination)
    return True


def read_remote(
    client: httpx.Client, remote: RemoteFile, start: int, stop: int, patience: Patience
) -> Generator[bytes, None, None]:
    """Yield the bytes ``start`` to ``stop`` (exclusive) of a remote file, in order.

    Reconnects by itself.  Raises as ``receive`` does.
    """
    # A connection that brings less than this is no progress: a server that yields one byte per
    # connection would otherwise hold a 20 GB download for ever.
    worthwhile = max(1, min(MIB, (stop - start) // 1000))
    position = start
    while position < stop:
        asked_at = position
        try:
            for chunk in _read_once(client, remote, position, stop):
                position += len(chunk)
                yield chunk
            if position < stop:
                raise Interrupted("the server sent less than it announced")
        except Interrupted as interruption:
            if position - asked_at >= worthwhile:
                patience.renew()
            patience.after(interruption)


def _read_once(
    client: httpx.Client, remote: RemoteFile, position: int, stop: int
) -> Generator[bytes, None, None]:
    """One request: yield what it brings of the bytes ``position`` to ``stop``, and no more."""
    headers = {"Range": f"bytes={position}-{stop - 1}"}
    try:
        with client.stream("GET", remote.url, headers=headers, follow_redirects=True) as response:
            to_skip = position - _first_byte(response, remote, position)
            missing = stop - position
            for received in response.iter_raw():
                chunk = received[to_skip : to_skip + missing]
                to_skip = max(0, to_skip - len(received))
                missing -= len(chunk)
                if chunk:
                    yield chunk
                if missing == 0:
                    # A server that announced too much would be silent from here until the timeout.
                    return
    except network.NETWORK_ERRORS as error:
        raise explained(error) from None


def _first_byte(response: httpx.Response, remote: RemoteFile, position: int) -> int:
    """The offset in the file at which the body begins; raises if the answer does not fit."""
    if response.status_code < 400 and _is_another_version(response, remote):
        raise RemoteChanged
    if response.status_code == 416:
        total = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
        if total and int(total[1]) != remote.size:
            raise RemoteChanged
        raise Interrupted("the server refuses to go on from the middle (HTTP 416)")
    if response.status_code >= 400:
        check_status(response, remote.repository, remote.filename, remote.revision)
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise Interrupted("the answer came compressed, so its bytes cannot be counted")
    if response.status_code == 206:
        given = re.fullmatch(
            r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip()
        )
        if given is None or int(given[1]) != position:
            raise Interrupted("the server sent another part of the file than was asked for")
        if given[2] != "*" and int(given[2]) != remote.size:
            raise RemoteChanged
        return position
    if response.status_code == 200:
        # The whole file instead of the rest: what is here already is passed over.
        length = response.headers.get("Content-Length")
        if length is not None and length != str(remote.size):
            raise Interrupted("the answer has another length than the file; a login page, perhaps")
        return 0
    raise Interrupted(f"the server gave an unexpected answer (HTTP {response.status_code})")


def _is_another_version(response: httpx.Response, remote: RemoteFile) -> bool:
    """Whether the hub, on the way or at the end of the redirects, states another ETag."""
    hops = [*response.history, response]
    stated = [hop.headers.get("X-Linked-Etag") for hop in hops]
    if response.url.netloc == httpx.URL(remote.url).netloc:
        stated.append(response.headers.get("ETag"))
    first = next(filter(None, stated), None)
    return first is not None and remote.etag not in first


@dataclass(frozen=True)
class Receipt:
    """A note that a file was read and had ``checksum``, and how to tell that it is still the same.

    ``modified_ns`` and ``inode`` are those of the file at that time.
    """

    repository: str
    filename: str
    revision: str
    checksum: str
    size: int
    modified_ns: int
    inode: int

    def holds_for(self, path: Path) -> bool:
        """Whether the file is still there, and as it was when it was verified."""
        try:
            found = path.stat()
        except OSError:
            return False
        state = (found.st_size, found.st_mtime_ns, found.st_ino)
        return state == (self.size, self.modified_ns, self.inode)

    def is_about(self, repository: str, filename: str) -> bool:
        return (self.repository, self.filename) == (repository, filename)


@dataclass(frozen=True)
class PartNote:
    """What is known about a part file: whose bytes they are, and how many are surely on disk."""

    etag: str
    size: int
    durable_bytes: int
    boot_time: float

    @classmethod
    def read(cls, part: Path) -> PartNote | None:
        """The note that lies beside ``part``, or None if there is none that can be read."""
        return _read_record(_beside(part, ".json"), cls)

    def belongs_to(self, remote: RemoteFile) -> bool:
        return (self.etag, self.size) == (remote.etag, remote.size)


class _PartFile:
    """The bytes of one file as they arrive; a context manager that leaves them safe on disk.

    ``length`` counts the bytes that are here.
    """

    def __init__(self, path: Path, remote: RemoteFile):
        self.path, self.remote = path, remote
        self.length = _usable_length(path, remote)
        self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        self._file.truncate(self.length)
        self._file.seek(self.length)
        self._synced_bytes, self._synced_at = -1, 0.0
        self.sync()

    def __enter__(self) -> _PartFile:
        return self

    def __exit__(self, *_exception) -> None:
        try:
            self.sync()
        finally:
            self._file.close()

    def read_back(self) -> Iterator[bytes]:
        """Yield the bytes that are already here, for the checksum; leaves the end in place."""
        self._file.seek(0)
        while chunk := self._file.read(READ_BYTES):
            yield chunk

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
                size=self.remote.size,
                durable_bytes=self.length,
                boot_time=_boot_time(),
            )
            _write_record(_beside(self.path, ".json"), note, durable=self.length > 0)
        self._synced_bytes, self._synced_at = self.length, time.monotonic()

    def discard(self) -> None:
        """Forget the bytes: they are not the file's."""
        self._file.truncate(0)
        self._file.seek(0)
        self.length = 0
        self.sync()


def part_path(destination: Path) -> Path:
    """Where the bytes lie until they are all here."""
    return _beside(destination, ".part")


def forget_part(destination: Path) -> None:
    """Remove what an unfinished download left: it has become the file, or is no longer wanted."""
    part_path(destination).unlink(missing_ok=True)
    _beside(part_path(destination), ".json").unlink(missing_ok=True)


def write_receipt(
    path: Path, repository: str, filename: str, revision: str, checksum: Checksum
) -> None:
    """Note that the file at ``path`` has just been read and had this checksum."""
    found = path.stat()
    state = (found.st_size, found.st_mtime_ns, found.st_ino)
    receipt = Receipt(repository, filename, revision, ":".join(checksum), *state)
    _write_record(_beside(path, ".verified.json"), receipt)


def read_receipt(path: Path) -> Receipt | None:
    """The receipt of the file at ``path``, or None if there is none that can be read."""
    return _read_record(_beside(path, ".verified.json"), Receipt)


def _usable_length(part: Path, remote: RemoteFile) -> int:
    """How many bytes of an earlier attempt can be built upon."""
    if not part.exists():
        return 0
    length = part.stat().st_size
    note = PartNote.read(part)
    if note is None or not note.belongs_to(remote) or length > remote.size:
        return 0
    if abs(note.boot_time - _boot_time()) > 2.0:
        # A process that is killed loses nothing that it wrote; a machine that goes down loses
        # what had not reached the disk, and may leave zeros of the right length in its place.
        return min(length, note.durable_bytes)
    return length


def _write_record(path: Path, record: object, durable: bool = False) -> None:
    """Replace the JSON file ``path`` so that a crash leaves the old or the new one, never half.

    ``record`` is a dataclass.  ``durable`` makes sure that it also survives a power cut at once.
    """
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(asdict(record), file, indent=1)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(fresh, path)


def _read_record(path: Path, kind: type):
    """The dataclass ``kind`` of texts and numbers stored at ``path``; None if absent or damaged."""
    try:
        record = kind(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    texts = {name for name, annotation in kind.__annotations__.items() if annotation == "str"}
    sound = all(
        isinstance(value, str if name in texts else int | float)
        for name, value in asdict(record).items()
    )
    return record if sound else None


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


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
