"""One file, fetched whole: where it is looked for, and what happens to what arrives.

The order is always: a verified copy on this machine, then the hub; one download at a time per
file; the checksum last; and only then the file's name.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from course_utils.download import hub, store, transfer
from course_utils.download.hub import RemoteFile, RetryPolicy
from course_utils.errors import DownloadError, OptionError
from course_utils.units import readable_size

logger = logging.getLogger("course_utils.download")

ProgressOption = Callable[[int, int], None] | bool | None
# How often a new description is asked for before the hub counts as contradictory.
MOST_RESTARTS = 3


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
    bar, note = display(progress)
    wanted = store.checked(repository, filename, revision, sha256, destination)
    try:
        # Neither a lock nor a network is needed for what is known to be whole.
        if not replace and (found := store.verified_before(wanted)):
            return found
        held = store.lock(wanted, note, bar)
        try:
            if not replace and (found := store.verified_before(wanted)):
                return found
            if hub.is_offline():
                found = None if replace else store.find_without_hub(wanted, note, bar)
                if found is None:
                    raise _offline(f"{filename} of {repository} is not known to be here whole")
                return found
            return _fetch(wanted, replace, retry or RetryPolicy(), note, bar)
        finally:
            held.release()
    except KeyboardInterrupt:
        raise DownloadError(
            f"You stopped the download of {wanted.name}.",
            _how_to_go_on(wanted) or "Nothing had arrived; the same call begins it again.",
        ) from None
    except OSError as error:
        raise _disk_error(error, wanted) from None


def describe_remote(
    repository: str, filename: str, *, revision: str = "main", retry: RetryPolicy | None = None
) -> RemoteFile:
    """What the hub says about a file: size in bytes, checksum, commit. Downloads nothing.

    Raises DownloadError if the hub refuses, cannot be reached, or HF_HUB_OFFLINE is set.
    """
    store.check_names(repository, filename, revision)
    if hub.is_offline():
        raise _offline(f"Only the hub knows the size and checksum of {filename}")
    patience = hub.Patience(retry or RetryPolicy(), logger.info)
    client, remote = hub.find(repository, filename, revision, patience)
    client.close()
    return remote


def _fetch(
    wanted: store.Wanted,
    replace: bool,
    retry: RetryPolicy,
    note: Callable[[str], None],
    bar: Callable,
) -> Path:
    """Ask the hub for what the file should be; find such a file here or transfer it."""
    patience = hub.Patience(retry, note)
    damaged_before = False
    try:
        for _ in range(MOST_RESTARTS):
            client, remote = hub.find(wanted.repository, wanted.filename, wanted.revision, patience)
            with contextlib.closing(client):
                if found := store.prepare(wanted, remote, replace, note, bar):
                    return found
                try:
                    if transfer.receive(client, remote, wanted.destination, patience, bar):
                        return wanted.destination
                except transfer.RemoteChanged:
                    note(f"{wanted.name} changed on the hub during the download.")
                    continue
            if damaged_before:
                raise DownloadError(
                    f"{wanted.name} arrived twice with a wrong checksum, so it was not kept.",
                    "Something on the way, or this machine's memory or disk, damages data; "
                    "try another network or disk.",
                )
            damaged_before = True
            note(f"{wanted.name} arrived damaged (wrong checksum); it is fetched again.")
    except DownloadError as error:
        remedy = f"{error.remedy} {_how_to_go_on(wanted)}".rstrip()
        raise DownloadError(error.problem, remedy) from None
    raise _contradiction(wanted)


# ---- what the learner sees ------------------------------------------------------------------


def display(progress: ProgressOption) -> tuple[Callable, Callable[[str], None]]:
    """What makes a progress bar, as tqdm does, and what says something beside it.

    With a bar (None or True) both show in the notebook or the terminal; where the output is a file
    there is no bar.  Otherwise what is said goes to the log.
    """
    from tqdm.auto import tqdm

    if progress is None or progress is True:
        bar = functools.partial(tqdm, unit="B", unit_scale=True, disable=None)
        return bar, _write
    if progress is False:
        return functools.partial(tqdm, disable=True), logger.info
    if callable(progress):
        return functools.partial(_Told, progress), logger.info
    raise OptionError(
        f"progress={progress!r} cannot show progress.",
        "Leave it out for a bar, give False for silence, or a function of (done, total).",
    )


def _write(text: str) -> None:
    from tqdm.auto import tqdm

    logger.info(text)
    tqdm.write(text)


class _Told:
    """A progress bar, as far as a download needs one, that tells a function of (done, total)."""

    def __init__(self, tell: Callable[[int, int], None], desc: str, total: int, initial: int = 0):
        self._tell, self._total, self.n = tell, total, initial
        tell(initial, total)

    def __enter__(self) -> _Told:
        return self

    def __exit__(self, *_exception) -> None:
        pass

    def update(self, count: int) -> None:
        self.n += count
        self._tell(self.n, self._total)


def _offline(problem: str) -> DownloadError:
    return DownloadError(
        f"{problem}, and HF_HUB_OFFLINE forbids the network.",
        "Unset HF_HUB_OFFLINE to use the hub, or copy the file to this machine and pass its "
        "path as destination and its sha256 to download().",
    )


def _how_to_go_on(wanted: store.Wanted) -> str:
    kept = store.kept_bytes(wanted)
    return f"{readable_size(kept)} are kept; the same call goes on from there." if kept else ""


def _contradiction(wanted: store.Wanted) -> DownloadError:
    return DownloadError(
        f"The hub's answers about {wanted.name} contradict each other: the file it sends is not "
        "the one it describes.",
        "Try again later, or check HF_ENDPOINT and the proxy variables. "
        f"{_how_to_go_on(wanted)}".rstrip(),
    )


def _disk_error(error: OSError, wanted: store.Wanted) -> DownloadError:
    """A problem with writing or reading a file, in plain words."""
    folder = wanted.destination.parent
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        free = shutil.disk_usage(folder).free
        problem = f"The disk is full: {readable_size(free)} are free in {folder}."
        remedy = "Make room, then run the same again."
    elif error.errno == errno.EFBIG:
        problem = f"The disk that holds {folder} cannot store files of this size."
        remedy = "FAT32 disks end at 4 GiB; pass destination= with a folder on another disk."
    else:
        reason = error.strerror or type(error).__name__
        problem = f"{wanted.name} cannot be stored in {folder}: {reason}."
        remedy = "Check the folder's permissions, or pass destination= with another one."
    return DownloadError(problem, f"{remedy} {_how_to_go_on(wanted)}".rstrip())
