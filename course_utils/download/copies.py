"""Is the file on this machine already? Nothing counts as the file unless its checksum was right.

It may lie at its place with a receipt, at its place without one (somebody copied it there), or in
the cache of huggingface_hub.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

from ..errors import DownloadError
from .checksum import READ_BYTES, Checksum
from .display import Display
from .hub import RemoteFile
from .problems import offline_error
from .request import Request
from .storage import Receipt, place_link
from .store import store


def verified_before(request: Request) -> Path | None:
    receipt = Receipt.read(request.destination)
    if receipt is None:
        return None
    if request.expected is not None:
        is_asked_for = receipt.checksum == str(request.expected)
    else:
        is_asked_for = same_place(receipt, request) and receipt.revision == request.revision
    return request.destination if is_asked_for and receipt.holds_for(request.destination) else None


def same_place(receipt: Receipt, request: Request) -> bool:
    return (receipt.repository, receipt.filename) == (request.repository, request.filename)


def find_without_hub(request: Request, display: Display) -> Path:
    """A copy that can be verified without asking the hub; DownloadError if there is none."""
    path, expected = request.destination, request.expected
    if expected is not None and _adopt(request, path, expected, display):
        return path
    if cached := _cached_copy(request):
        # In the cache of huggingface_hub, the name of the stored file is its checksum.
        checksum = expected or Checksum.from_etag(cached.name)
        if checksum is not None and _reuse_cached(request, cached, checksum, display):
            return path
    raise offline_error(f"{request.filename} of {request.repository} is not on this machine")


def find_copy(request: Request, remote: RemoteFile, display: Display) -> Path | None:
    """A file on this machine that is the one described, also if nobody noted that yet."""
    path = request.destination
    if path.exists():
        receipt = Receipt.read(path)
        same_size = path.stat().st_size == remote.size
        if same_size and _adopt(request, path, remote.checksum, display):
            return path
        is_older_version = (
            receipt is not None
            and same_place(receipt, request)
            and receipt.checksum != str(remote.checksum)
            and receipt.holds_for(path)
        )
        if not is_older_version:
            raise DownloadError(
                f"{path} exists, and is not the file that the hub describes "
                "(another length or checksum).",
                "Rename or delete it, or call download(..., replace=True) to overwrite it.",
            )
    cached = _cached_copy(request)
    if cached is None or cached.stat().st_size != remote.size:
        return None
    return path if _reuse_cached(request, cached, remote.checksum, display) else None


def _adopt(request: Request, path: Path, checksum: Checksum, display: Display) -> bool:
    """Whether the file at the destination has the checksum; noted, if so, for the next time."""
    if not _is_sound(path, checksum, display):
        return False
    Receipt.write(path, request.repository, request.filename, request.revision, checksum)
    return True


def _reuse_cached(request: Request, cached: Path, checksum: Checksum, display: Display) -> bool:
    """Bring a verified file from the cache to the destination; False if it is damaged."""
    if not _is_sound(cached, checksum, display):
        display.note(f"{request.name} in the cache of huggingface_hub is damaged; not used.")
        return False
    if place_link(cached, request.destination):
        Receipt.write(
            request.destination, request.repository, request.filename, request.revision, checksum
        )
        return True
    as_remote = RemoteFile(
        repository=request.repository,
        filename=request.filename,
        revision=request.revision,
        url=cached.as_uri(),
        size=cached.stat().st_size,
        etag=checksum.hexadecimal,
        checksum=checksum,
        commit=None,
    )
    return store(as_remote, request, display, lambda start: _read_file(cached, start))


def _is_sound(path: Path, checksum: Checksum, display: Display) -> bool:
    if not path.is_file():
        return False
    display.begin(f"Checking {path.name}", path.stat().st_size)
    return checksum.matches(path, display.advance)


def _read_file(path: Path, start: int) -> Generator[bytes, None, None]:
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(READ_BYTES):
            yield chunk


def _cached_copy(request: Request) -> Path | None:
    """The file in the cache of huggingface_hub, unverified, or None."""
    from huggingface_hub import constants, try_to_load_from_cache

    cached = try_to_load_from_cache(
        request.repository,
        request.filename,
        cache_dir=os.environ.get("HF_HUB_CACHE") or constants.HF_HUB_CACHE,
        revision=request.revision,
    )
    return Path(cached).resolve() if isinstance(cached, str) else None
