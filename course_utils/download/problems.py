"""How does a download say what went wrong, what to do, and what is kept?"""

from __future__ import annotations

import errno
import shutil

from ..errors import DownloadError
from .display import readable_size
from .request import Request
from .storage import part_length


def offline_error(problem: str) -> DownloadError:
    return DownloadError(
        f"{problem}, and HF_HUB_OFFLINE forbids the network.",
        "Unset HF_HUB_OFFLINE to use the hub, or copy the file to this machine and pass its "
        "path as destination and its sha256 to download().",
    )


def how_to_go_on(request: Request) -> str:
    kept = part_length(request.destination)
    if not kept:
        return ""
    return f"{readable_size(kept)} are kept; the same call goes on from there."


def contradiction(request: Request) -> DownloadError:
    return DownloadError(
        f"The hub's answers about {request.name} contradict each other: the file it sends is not "
        "the one it describes.",
        "Try again later, or check HF_ENDPOINT and the proxy variables. "
        f"{how_to_go_on(request)}".rstrip(),
    )


def disk_error(error: OSError, request: Request) -> DownloadError:
    """A problem with writing or reading a file, in plain words."""
    folder = request.destination.parent
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        free = shutil.disk_usage(folder).free
        problem = f"The disk is full: {readable_size(free)} are free in {folder}."
        remedy = "Make room, then run the same again."
    elif error.errno == errno.EFBIG:
        problem = f"The disk that holds {folder} cannot store files of this size."
        remedy = "FAT32 disks end at 4 GiB; pass destination= with a folder on another disk."
    else:
        reason = error.strerror or type(error).__name__
        problem = f"{request.name} cannot be stored in {folder}: {reason}."
        remedy = "Check the folder's permissions, or pass destination= with another one."
    return DownloadError(problem, f"{remedy} {how_to_go_on(request)}".rstrip())
