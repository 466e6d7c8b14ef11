"""What has this computer got for a model: cores, memory, memory bandwidth, disk?

A container or a class server often gives a process less than the whole computer, so every figure
here is what *this process* may use.  Memory bandwidth is the figure that decides how fast a large
model writes: each new token reads (nearly) every weight once.
"""

from __future__ import annotations

import functools
import math
import os
import platform
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from course_utils import control_groups
from course_utils.errors import MachineError
from course_utils.paths import repository_root

MIB = 1024**2
# A virtual machine is told the size of its own share of the cache, while the processor below it
# may have hundreds of MiB: a smaller buffer would partly be read from there.
LEAST_BUFFER_BYTES = 1024 * MIB


@dataclass(frozen=True)
class Machine:
    """The figures of one computer; ``this_machine()`` takes those of the one you sit at.

    Build one by hand to ask "what if": ``Machine(total_memory_bytes=8 * 1024**3, ...)``.
    Memory and disk are in bytes, bandwidth in bytes per second; ``cores`` counts the CPU cores
    that the process may use.  ``unpacking_bytes_per_second``: 4-bit weights that all cores
    together unpack, where it was measured (``course_utils.engines.rehearsal``).
    """

    cores: int
    total_memory_bytes: int
    available_memory_bytes: int
    memory_bandwidth_bytes_per_second: float
    free_disk_bytes: int
    cpu_name: str = "unknown processor"
    unpacking_bytes_per_second: float | None = None


def this_machine(folder: Path | None = None) -> Machine:
    """The figures of this computer, now. The first call takes a second to measure bandwidth.

    ``folder`` is where files would be stored, for the free disk space; the course's by default.
    """
    return Machine(
        cores=usable_cores(),
        total_memory_bytes=total_memory_bytes(),
        available_memory_bytes=available_memory_bytes(),
        memory_bandwidth_bytes_per_second=memory_bandwidth_bytes_per_second(),
        free_disk_bytes=free_disk_bytes(folder or repository_root()),
        cpu_name=cpu_name(),
    )


def usable_cores() -> int:
    """The number of CPU cores this process may really use, at least 1.

    That is the smaller of the cores it may be scheduled on (its affinity) and a container's CPU
    quota, rounded down: threads beyond the quota are put to sleep in the middle of a matrix
    product, and the others wait for them.
    """
    limit = control_groups.cpu_limit()
    cores = _cores_in_affinity()
    return cores if limit is None else max(1, min(cores, math.floor(limit)))


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


def memory_bandwidth_bytes_per_second(seconds: float = 1.0) -> float:
    """How many bytes of memory this process can read per second with all its cores.

    Takes about ``seconds`` the first time and nothing after; how it is measured is told at
    ``measure_memory_bandwidth``.
    """
    return _bandwidth_of_this_process(seconds)


@functools.cache
def _bandwidth_of_this_process(seconds: float) -> float:
    return measure_memory_bandwidth(seconds)


def measure_memory_bandwidth(seconds: float = 1.0, threads: int | None = None) -> float:
    """Measure the read bandwidth of main memory, in bytes per second.

    ``threads`` threads (one per usable core by default) each read their share of a buffer much
    larger than any processor's cache, folding it with a bitwise "or", which is far faster than
    memory.  Returns the median over passes, so that a short disturbance does not count, while a
    machine that is busy all the time shows the bandwidth that is left.

    Raises MachineError where there is not even memory for the buffer.
    """
    import numpy as np

    threads = threads or usable_cores()
    try:
        # Ones, not zeros: untouched zero pages all stand for one page, which stays in the cache.
        buffer = np.ones(_buffer_bytes() // 8, dtype=np.uint64)
    except MemoryError as error:
        raise MachineError(
            "There is too little free memory to measure how fast it is.",
            "Close other programs or notebooks and try again.",
        ) from error
    shares = np.array_split(buffer, threads)
    rates = []
    # numpy lets go of Python's global lock while it folds, so the threads really run together.
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(np.bitwise_or.reduce, shares))
        deadline = time.perf_counter() + seconds
        while not rates or time.perf_counter() < deadline:
            start = time.perf_counter()
            list(pool.map(np.bitwise_or.reduce, shares))
            rates.append(buffer.nbytes / (time.perf_counter() - start))
    return median(rates)


def cpu_name() -> str:
    """The processor's name as its maker writes it, or its architecture where that is not known."""
    readers = {"linux": _cpu_name_linux, "darwin": _cpu_name_macos, "win32": _cpu_name_windows}
    try:
        name = readers[sys.platform]() if sys.platform in readers else ""
    except (OSError, subprocess.SubprocessError):
        name = ""
    return name or platform.processor() or platform.machine() or "unknown processor"


def _cores_in_affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    try:
        return len(psutil.Process().cpu_affinity()) or 1
    except (AttributeError, psutil.Error):
        # macOS has no affinity.
        return os.cpu_count() or 1


def _smaller(of_machine: int, of_container: int | None) -> int:
    return of_machine if of_container is None else min(of_machine, of_container)


def _buffer_bytes() -> int:
    """1 GiB, or four times a larger cache; at most a quarter of what is free."""
    wanted = max(LEAST_BUFFER_BYTES, 4 * _last_level_cache_bytes())
    return max(8 * MIB, min(wanted, available_memory_bytes() // 4))


def _last_level_cache_bytes() -> int:
    units = {"K": 1024, "M": MIB}
    sizes = []
    for file in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        try:
            text = file.read_text().strip()
            sizes.append(int(text[:-1]) * units[text[-1]])
        except (OSError, ValueError, KeyError, IndexError):
            continue
    return max(sizes, default=0)


def _cpu_name_linux() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model"):
            return value.strip()
    return ""


def _cpu_name_macos() -> str:
    answer = subprocess.run(
        ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"],
        capture_output=True,
        text=True,
        timeout=5,
        check=False,
    )
    return answer.stdout.strip()


def _cpu_name_windows() -> str:
    import winreg

    key = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as processor:
        return str(winreg.QueryValueEx(processor, "ProcessorNameString")[0]).strip()
