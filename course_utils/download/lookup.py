"""What can be learnt of a file on the hub without downloading it?"""

from __future__ import annotations

from pathlib import Path

from ..errors import OptionError
from .copies import verified_before
from .display import readable_size
from .hub import RemoteFile, describe, is_offline, open_client
from .patience import Patience, RetryPolicy
from .problems import contradiction, offline_error
from .request import check_names, checked_request
from .stream import MOST_RESTARTS, RemoteChanged, read_remote

MOST_RANGE_BYTES = 256 * 1024**2


def find_downloaded(
    repository: str, filename: str, *, revision: str = "main", sha256: str | None = None
) -> Path | None:
    """The verified copy of a file that ``download`` brought here or found here, or None.

    Asks neither the hub nor reads the file: only its size and time of change are compared.
    """
    return verified_before(checked_request(repository, filename, revision, sha256, None))


def describe_remote(
    repository: str, filename: str, *, revision: str = "main", retry: RetryPolicy | None = None
) -> RemoteFile:
    """What the hub says about a file: size in bytes, checksum, commit. Downloads nothing.

    Raises DownloadError if the hub refuses, cannot be reached, or HF_HUB_OFFLINE is set.
    """
    check_names(repository, filename, revision)
    if is_offline():
        raise offline_error(f"Only the hub knows the size and checksum of {filename}")
    retry = retry or RetryPolicy()
    with open_client(retry.timeout_seconds) as client:
        return describe(client, repository, filename, revision, quiet_patience(retry))


def read_range(
    repository: str,
    filename: str,
    start: int,
    length: int,
    *,
    revision: str = "main",
    retry: RetryPolicy | None = None,
) -> bytes:
    """Read ``length`` bytes of a file on the hub from offset ``start``, without the rest.

    Returns fewer bytes where the file ends before.  Reads the file on this machine if it was
    downloaded before.  What comes over the network is not verified: the checksum is that of the
    whole file.  Raises DownloadError if the hub refuses, cannot be reached, or HF_HUB_OFFLINE is
    set, and OptionError for a range that is none or is longer than 256 MiB.
    """
    request = checked_request(repository, filename, revision, None, None)
    for value in (start, length):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise OptionError(
                f"A range starts at {start!r} and is {length!r} bytes long: that cannot be.",
                "Give both as whole numbers of bytes, from 0 upwards.",
            )
    if length > MOST_RANGE_BYTES:
        raise OptionError(
            f"{readable_size(length)} are too much to read into memory at once.",
            "Use download() for a whole file.",
        )
    if found := verified_before(request):
        with found.open("rb") as file:
            file.seek(start)
            return file.read(length)
    if is_offline():
        raise offline_error(f"{filename} of {repository} is not on this machine")
    retry = retry or RetryPolicy()
    patience = quiet_patience(retry)
    with open_client(retry.timeout_seconds) as client:
        for _ in range(MOST_RESTARTS):
            remote = describe(client, repository, filename, revision, patience)
            stop = min(start + length, remote.size)
            try:
                return b"".join(read_remote(client, remote, start, stop, patience))
            except RemoteChanged:
                continue
    raise contradiction(request)


def quiet_patience(retry: RetryPolicy) -> Patience:
    return Patience(retry, lambda text: None)
