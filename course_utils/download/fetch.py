"""How does one file come here whole: where is it looked for, and what happens to what arrives?

The order is always: a verified copy on this machine, then the hub; one download at a time per
file; the checksum last; and only then the file's name.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Generator, Iterator
from pathlib import Path

import httpx

from ..errors import DownloadError
from .copies import find_copy, find_without_hub, verified_before
from .display import Display, ProgressOption
from .hub import RemoteFile, describe, is_offline, open_client
from .patience import Patience, RetryPolicy
from .problems import contradiction, disk_error, how_to_go_on, offline_error
from .request import Request, checked_request
from .storage import lock_path, part_length, stated_size
from .store import store
from .stream import MOST_RESTARTS, RemoteChanged, read_remote


def download(
    repository: str,
    filename: str,
    *,
    revision: str = "main",
    sha256: str | None = None,
    destination: Path | str | None = None,
    progress: ProgressOption = None,
    replace: bool = False,
    retry: RetryPolicy | None = None,
) -> Path:
    """Bring one file from the hub to this machine, whole and verified; returns its path.

    ``repository`` and ``filename`` are as on the hub; ``sha256`` pins the contents (without it,
    the hub's own checksum is used).  ``destination`` is a file or an existing folder; by default
    the file goes to ``models/downloads/``.  A copy in huggingface_hub's cache is linked instead of
    fetched.  ``progress`` is None for a bar, False for none, or a function that is called with
    ``(done_bytes, total_bytes)``.  ``replace=True`` downloads again whatever is here.

    However it was stopped, the same call goes on where the last one ended.  A file that was
    verified before is returned without asking the hub.

    Raises OptionError for arguments that cannot be meant, and DownloadError for everything else
    that can go wrong: it says what to do, and whether a part is kept.
    """
    request = checked_request(repository, filename, revision, sha256, destination)
    retry = retry or RetryPolicy()
    with Display(progress) as display:
        try:
            # Neither a lock nor a network is needed for what is known to be whole.
            if not replace and (found := verified_before(request)):
                return found
            with _only_one_at_a_time(request, display):
                if not replace and (found := verified_before(request)):
                    return found
                if is_offline() and replace:
                    raise offline_error(f"{request.name} is on the hub")
                if is_offline():
                    return find_without_hub(request, display)
                return _fetch(request, replace, retry, display)
        except KeyboardInterrupt:
            raise DownloadError(
                f"You stopped the download of {request.name}.",
                how_to_go_on(request) or "Nothing had arrived; the same call begins it again.",
            ) from None
        except OSError as error:
            raise disk_error(error, request) from None


def download_model(
    name: str,
    *,
    progress: ProgressOption = None,
    replace: bool = False,
    retry: RetryPolicy | None = None,
) -> Path:
    """Bring a model of the catalogue here, by its short name; returns the GGUF file's path.

    ``name`` is ``"qwq-32b"``, or ``"qwq-32b:Q5_K_M"`` for a certain file; a model that comes with
    the course is at hand.  The options, and what is raised, are those of ``download``; OptionError
    also for a name that the catalogue does not have.
    """
    from ..catalogue import find_file, find_model, model_path

    if find_model(name).path is not None:
        return model_path(name)
    file = find_file(name)
    return download(
        file.repository,
        file.name,
        revision=file.revision,
        sha256=file.sha256,
        destination=file.local_path,
        progress=progress,
        replace=replace,
        retry=retry,
    )


@contextlib.contextmanager
def _only_one_at_a_time(request: Request, display: Display) -> Iterator[None]:
    """Hold the file's lock; while somebody else does, show how far they are.

    The system releases the lock of a process that dies.
    """
    from filelock import FileLock, Timeout

    request.destination.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(lock_path(request.destination))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        display.note(f"Another notebook is downloading {request.name}; this one waits for it.")
        while not lock.is_locked:
            if size := stated_size(request.destination):
                display.follow(request.name, size, part_length(request.destination))
            with contextlib.suppress(Timeout):
                lock.acquire(timeout=1.0)
    try:
        yield
    finally:
        lock.release()


def _fetch(request: Request, replace: bool, retry: RetryPolicy, display: Display) -> Path:
    """Ask the hub for what the file should be; find such a file here or transfer it."""
    patience = Patience(retry, display.note)
    damaged_before = False
    with open_client(retry.timeout_seconds) as client:
        for _ in range(MOST_RESTARTS):
            try:
                remote = describe(
                    client, request.repository, request.filename, request.revision, patience
                )
                _check_published(request, remote)
                if not replace and (found := find_copy(request, remote, display)):
                    return found
                transfer = functools.partial(_transfer, client, remote, patience)
                if store(remote, request, display, transfer):
                    return request.destination
            except RemoteChanged:
                display.note(f"{request.name} changed on the hub during the download.")
                continue
            except DownloadError as error:
                raise DownloadError(
                    error.problem, f"{error.remedy} {how_to_go_on(request)}".rstrip()
                ) from None
            if damaged_before:
                raise DownloadError(
                    f"{request.name} arrived twice with a wrong checksum, so it was not kept.",
                    "Something on the way, or this machine's memory or disk, damages data; "
                    "try another network or disk.",
                )
            damaged_before = True
            display.note(f"{request.name} arrived damaged (wrong checksum); it is fetched again.")
    raise contradiction(request)


def _transfer(
    client: httpx.Client, remote: RemoteFile, patience: Patience, start: int
) -> Generator[bytes, None, None]:
    return read_remote(client, remote, start, remote.size, patience)


def _check_published(request: Request, remote: RemoteFile) -> None:
    """Raise DownloadError if the hub has another file than the caller pinned."""
    if request.expected is None or remote.checksum == request.expected:
        return
    if remote.checksum.algorithm != request.expected.algorithm:
        raise DownloadError(
            f"The hub states no SHA-256 for {request.filename}, which is kept in git.",
            "Leave sha256 out: the hub's git checksum is verified instead.",
        )
    raise DownloadError(
        f"The hub now has another {request.filename} than the one asked for: its SHA-256 is "
        f"{remote.checksum.hexadecimal}, not {request.expected.hexadecimal}.",
        "Give the revision (commit) that has the expected file, or the new checksum if you trust "
        "the change.",
    )
