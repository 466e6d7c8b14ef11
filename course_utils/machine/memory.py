"""The memory and disk that this process may still take; containers' limits count."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil

from course_utils.errors import MachineError
from course_utils.machine import control_groups


def total_memory_bytes() -> int:
    """The memory this process could have at most: the machine's, or its container's limit."""
    return _smaller(psutil.virtual_memory().total, control_groups.memory_limit())


def available_memory_bytes() -> int:
    """The memory a new model could take now without swapping or being killed.

    Memory that the system uses to cache files counts as available.
    """
    return _smaller(psutil.virtual_memory().available, control_groups.memory_left())


def free_disk_bytes(path: Path | str) -> int:
    """The bytes that can still be written where ``path`` lies; it need not exist yet.

    Raises MachineError where the disk cannot be asked.
    """
    place = Path(path).expanduser().resolve()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        return shutil.disk_usage(place).free
    except OSError as error:
        raise MachineError(
            f"The free disk space at {place} cannot be read ({error.strerror}).",
            "Choose a folder that you may read.",
        ) from error


def _smaller(of_machine: int, of_container: int | None) -> int:
    return of_machine if of_container is None else min(of_machine, of_container)
