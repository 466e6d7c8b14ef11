"""How do bytes, wherever they come from, become a file that is surely the published one?"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator

from ..errors import DownloadError
from ..machine import free_disk_bytes
from .display import Display, readable_size
from .hub import RemoteFile
from .request import Request
from .storage import PartFile, part_length

# A disk that is filled to the last byte makes a system unwell.
SPARE_BYTES = 1024**3


def store(
    remote: RemoteFile,
    request: Request,
    display: Display,
    read_from: Callable[[int], Generator[bytes, None, None]],
) -> bool:
    """Store what ``read_from(offset)`` yields, verify all; False, keeping nothing, if damaged."""
    check_disk(request, remote)
    with PartFile(request.destination, remote) as part:
        if part.had_other_file:
            display.note(f"{request.name} is another version than the part kept: starting over.")
        hasher = remote.checksum.hasher(remote.size)
        if part.length:
            display.begin(f"Checking the part of {request.name}", part.length)
            for chunk in part.read_back():
                hasher.update(chunk)
                display.advance(len(chunk))
        display.begin(request.name, remote.size, part.length)
        with contextlib.closing(read_from(part.length)) as chunks:
            for chunk in chunks:
                part.append(chunk)
                hasher.update(chunk)
                display.advance(len(chunk))
        if hasher.hexdigest() != remote.checksum.hexadecimal:
            part.discard()
            return False
        part.finish()
        return True


def check_disk(request: Request, remote: RemoteFile) -> None:
    missing = remote.size - min(part_length(request.destination), remote.size)
    needed = missing + min(SPARE_BYTES, remote.size // 20)
    free = free_disk_bytes(request.destination.parent)
    if missing and free < needed:
        raise DownloadError(
            f"{request.name} needs {readable_size(needed)} more on the disk (with a little to "
            f"spare), and {readable_size(free)} are free in {request.destination.parent}.",
            "Make room, or pass destination= with a folder on a larger disk.",
        )
