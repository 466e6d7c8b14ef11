"""Files from the hub on this machine: where they lie, whether whole, and who may write one now.

Nothing counts as the file unless its checksum was right.  It may lie at its place with a receipt,
at its place without one (somebody copied it there), or in the cache of huggingface_hub.
The lock of ``model.gguf.lock`` says who is downloading.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from course_utils.download.hub import Checksum, RemoteFile
from course_utils.download.transfer import (
    PartNote,
    forget_part,
    part_path,
    read_receipt,
    write_receipt,
)
from course_utils.errors import DownloadError, OptionError
from course_utils.hashing import GIT_SHA1, SHA256, hash_file
from course_utils.paths import downloads_folder
from course_utils.units import GIB, readable_size

DOWNLOADS = downloads_folder()
# A disk that is filled to the last byte makes a system unwell.
SPARE_BYTES = GIB

_ALLOWED_COMPONENT = re.compile(r'[^<>:"/\\|?*\x00-\x1f\x7f]{1,200}')
# Windows opens a device instead of a file under these names, whatever the ending.
_DEVICES = {"con", "prn", "aux", "nul"} | {f"{d}{n}" for d in ("com", "lpt") for n in range(10)}


@dataclass(frozen=True)
class Wanted:
    """What the caller asked for, checked; ``sha256`` is what the contents must have, if known."""

    repository: str
    filename: str
    revision: str
    sha256: str | None
    destination: Path

    @property
    def name(self) -> str:
        return self.filename.split("/")[-1]


def check_names(repository: str, filename: str, revision: str) -> None:
    """Raise OptionError unless the three can be asked of a hub and stored on any system.

    A file from a hub gets no name here that leads out of the download folder, and none that Linux,
    macOS or Windows would store under another name.
    """
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(repository)
        well_formed = isinstance(repository, str) and repository.count("/") == 1
    except HFValidationError:
        well_formed = False
    if not well_formed:
        raise OptionError(
            f"{repository!r} is not the name of a repository.",
            "Write it as on the hub: owner/name, for example 'Qwen/QwQ-32B-GGUF'.",
        )
    if not isinstance(filename, str) or not all(map(_storable, filename.split("/"))):
        raise OptionError(
            f"{filename!r} cannot be the name of a file on every system.",
            "Give the file's path inside its repository, with '/' between folders and no '..'.",
        )
    if not isinstance(revision, str) or not revision.strip() or not revision.isprintable():
        raise OptionError(
            f"{revision!r} is not a revision.",
            "Give a branch, a tag or a commit of the repository, for example 'main'.",
        )


def checked(
    repository: str,
    filename: str,
    revision: str,
    sha256: str | None,
    destination: Path | str | None,
) -> Wanted:
    """Check what a caller asks for. Raises OptionError where it cannot be meant."""
    check_names(repository, filename, revision)
    if sha256 is not None:
        sha256 = _checked_digits(sha256)
    path = default_destination(filename)
    if destination is not None:
        if not isinstance(destination, str | os.PathLike) or "\0" in str(destination):
            raise OptionError(
                f"{destination!r} is not a place for a file.",
                "Give destination= the path of a file or of an existing folder.",
            )
        path = Path(destination).expanduser().absolute()
        # Unlike Path.is_dir, this is False for a name that no disk takes, which is met later.
        path = path / filename.split("/")[-1] if os.path.isdir(path) else path
    return Wanted(repository, filename, revision, sha256, path)


def default_destination(filename: str) -> Path:
    """Where a download goes unless told otherwise: ``models/downloads/filename``."""
    return DOWNLOADS.joinpath(*filename.split("/"))


def verified_before(wanted: Wanted) -> Path | None:
    """The destination, if its receipt says that it is what is wanted; reads no more than that."""
    receipt = read_receipt(wanted.destination) if wanted.destination.is_file() else None
    if receipt is None or not receipt.holds_for(wanted.destination):
        return None
    if wanted.sha256 is not None:
        is_wanted = receipt.checksum == f"{SHA256}:{wanted.sha256}"
    else:
        is_wanted = (
            receipt.is_about(wanted.repository, wanted.filename)
            and receipt.revision == wanted.revision
        )
    return wanted.destination if is_wanted else None


def lock(wanted: Wanted, note: Callable[[str], None], bar: Callable):
    """The acquired lock of the destination; while somebody else has it, show how far they are.

    The caller releases it.  The system releases the lock of a process that dies.
    """
    from filelock import FileLock, Timeout

    wanted.destination.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(_beside(wanted.destination, ".lock"))
    with contextlib.suppress(Timeout):
        return held.acquire(timeout=0).lock
    note(f"Another notebook is downloading {wanted.name}; this one waits for it.")
    with contextlib.ExitStack() as stack:
        shown = None
        while not held.is_locked:
            if shown is None and (theirs := PartNote.read(part_path(wanted.destination))):
                shown = stack.enter_context(bar(desc=wanted.name, total=theirs.size))
            if shown is not None:
                shown.update(kept_bytes(wanted) - shown.n)
            with contextlib.suppress(Timeout):
                held.acquire(timeout=1.0)
    return held


def kept_bytes(wanted: Wanted) -> int:
    """The bytes of an unfinished download that lie beside the destination."""
    try:
        return part_path(wanted.destination).stat().st_size
    except OSError:
        return 0


def prepare(
    wanted: Wanted, remote: RemoteFile, replace: bool, note: Callable[[str], None], bar: Callable
) -> Path | None:
    """A file on this machine that is the one described; None if it has to be transferred.

    Then there is room for it on the disk, and no stranger's file in its place.  Raises
    DownloadError otherwise, or when the hub has another file than the one pinned.
    """
    _check_published(wanted, remote)
    if not replace and (found := _find_copy(wanted, remote, note, bar)):
        return found
    kept = kept_bytes(wanted)
    missing = remote.size - min(kept, remote.size)
    needed = missing + min(SPARE_BYTES, remote.size // 20)
    free = shutil.disk_usage(wanted.destination.parent).free
    if missing and free < needed:
        raise DownloadError(
            f"{wanted.name} needs {readable_size(needed)} more on the disk (with a little to "
            f"spare), and {readable_size(free)} are free in {wanted.destination.parent}.",
            "Make room, or pass destination= with a folder on a larger disk.",
        )
    known = PartNote.read(part_path(wanted.destination)) if kept else None
    if known is not None and not known.belongs_to(remote):
        note(f"{wanted.name} is another version than the part kept: starting over.")
    return None


def find_without_hub(wanted: Wanted, note: Callable[[str], None], bar: Callable) -> Path | None:
    """A copy that can be verified without asking the hub, or None."""
    pinned = Checksum(SHA256, wanted.sha256) if wanted.sha256 else None
    if wanted.destination.exists():
        known, receipt = pinned, read_receipt(wanted.destination)
        if known is None and receipt and receipt.is_about(wanted.repository, wanted.filename):
            # Touched or moved since; the checksum of then says whether it is still whole.
            is_wanted = receipt.revision == wanted.revision
            known = Checksum(*receipt.checksum.partition(":")[::2]) if is_wanted else None
        return wanted.destination if known and adopt(wanted, known, bar) else None
    cached = _cached_copy(wanted)
    if cached is None:
        return None
    # In the cache of huggingface_hub, the name of the stored file is its checksum.
    kind = {64: SHA256, 40: GIT_SHA1}.get(len(cached.name))
    known = pinned or (Checksum(kind, cached.name) if kind else None)
    return wanted.destination if known and _reuse(wanted, cached, known, note, bar) else None


def adopt(wanted: Wanted, checksum: Checksum, bar: Callable) -> bool:
    """Whether the file at the destination has the checksum; noted, if so, for the next time."""
    if not wanted.destination.is_file() or not _matches(wanted.destination, checksum, bar):
        return False
    with contextlib.suppress(OSError):  # in a folder that a class shares, nobody may write
        _keep_receipt(wanted, checksum)
    return True


def _check_published(wanted: Wanted, remote: RemoteFile) -> None:
    """Raise DownloadError if the hub has another file than the caller pinned."""
    if wanted.sha256 is None or remote.checksum == (SHA256, wanted.sha256):
        return
    if remote.checksum.algorithm != SHA256:
        raise DownloadError(
            f"The hub states no SHA-256 for {wanted.filename}, which is kept in git.",
            "Leave sha256 out: the hub's git checksum is verified instead.",
        )
    raise DownloadError(
        f"The hub now has another {wanted.filename} than the one asked for: its SHA-256 is "
        f"{remote.checksum.hexadecimal}, not {wanted.sha256}.",
        "Give the revision (commit) that has the expected file, or the new checksum if you trust "
        "the change.",
    )


def _find_copy(
    wanted: Wanted, remote: RemoteFile, note: Callable[[str], None], bar: Callable
) -> Path | None:
    """A file on this machine that is the one described, also if nobody noted that yet."""
    path, checksum = wanted.destination, remote.checksum
    if path.exists():
        receipt = read_receipt(path)
        if path.stat().st_size == remote.size and adopt(wanted, checksum, bar):
            return path
        is_older_version = (
            receipt is not None
            and receipt.is_about(wanted.repository, wanted.filename)
            and receipt.checksum != ":".join(checksum)
            and receipt.holds_for(path)
        )
        if not is_older_version:
            raise DownloadError(
                f"{path} exists, and is not the file that the hub describes "
                "(another length or checksum).",
                "Rename or delete it, or call download(..., replace=True) to overwrite it.",
            )
    cached = _cached_copy(wanted)
    if cached is None or cached.stat().st_size != remote.size:
        return None
    return path if _reuse(wanted, cached, checksum, note, bar) else None


def _reuse(
    wanted: Wanted, cached: Path, checksum: Checksum, note: Callable[[str], None], bar: Callable
) -> bool:
    """Bring a verified file from the cache to the destination; False if it is damaged."""
    if not cached.is_file() or not _matches(cached, checksum, bar):
        note(f"{wanted.name} in the cache of huggingface_hub is damaged; not used.")
        return False
    fresh = _beside(wanted.destination, ".new")
    fresh.unlink(missing_ok=True)
    # A hard link stays valid when the cache is emptied; across disks it must be a symbolic one.
    for bring in (os.link, os.symlink, shutil.copyfile):
        try:
            bring(cached, fresh)
            break
        except OSError:
            if bring is shutil.copyfile:
                fresh.unlink(missing_ok=True)
                raise
    if bring is shutil.copyfile and not _matches(fresh, checksum, bar):
        fresh.unlink()
        return False
    os.replace(fresh, wanted.destination)
    # os.replace leaves the new name in place where both are already the same file.
    fresh.unlink(missing_ok=True)
    forget_part(wanted.destination)
    _keep_receipt(wanted, checksum)
    return True


def _cached_copy(wanted: Wanted) -> Path | None:
    """The file in the cache of huggingface_hub, unverified, or None."""
    from huggingface_hub import constants, try_to_load_from_cache

    cached = try_to_load_from_cache(
        wanted.repository,
        wanted.filename,
        cache_dir=os.environ.get("HF_HUB_CACHE") or constants.HF_HUB_CACHE,
        revision=wanted.revision,
    )
    return Path(cached).resolve() if isinstance(cached, str) else None


def _matches(path: Path, checksum: Checksum, bar: Callable) -> bool:
    with bar(desc=f"Checking {path.name}", total=path.stat().st_size) as checking:
        return hash_file(path, checksum.algorithm, checking.update) == checksum.hexadecimal


def _keep_receipt(wanted: Wanted, checksum: Checksum) -> None:
    names = (wanted.repository, wanted.filename, wanted.revision)
    write_receipt(wanted.destination, *names, checksum)


def _checked_digits(sha256: str) -> str:
    digits = sha256.strip().lower().removeprefix("sha256:") if isinstance(sha256, str) else ""
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise OptionError(
            f"{sha256!r} is not a SHA-256 checksum.",
            "Give its 64 hexadecimal digits, or leave sha256 out to use the hub's own.",
        )
    return digits


def _storable(component: str) -> bool:
    return (
        _ALLOWED_COMPONENT.fullmatch(component) is not None
        and not component.endswith((".", " "))
        and component.split(".")[0].lower() not in _DEVICES
    )


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)
