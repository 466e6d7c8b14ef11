"""The processor cores that this process may use, and the processor's name."""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
from pathlib import Path

import psutil

from course_utils.machine import control_groups


def usable_cores() -> int:
    """The number of CPU cores this process may really use, at least 1.

    That is the smaller of the cores it may be scheduled on (its affinity) and a container's CPU
    quota, rounded down: threads beyond the quota are put to sleep in the middle of a matrix
    product, and the others wait for them.
    """
    limit = control_groups.cpu_limit()
    cores = _cores_in_affinity()
    return cores if limit is None else max(1, min(cores, math.floor(limit)))


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
