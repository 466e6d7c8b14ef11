"""How much of this computer may this process use, when a container limits it?

Docker, Kubernetes and JupyterHub give a process a share of a machine through Linux's control
groups (cgroups), while most libraries still report the whole machine.  A model that takes the
whole machine for its own starts too many threads, or is killed for its memory.

Both versions of the interface are read: version 1 (one folder per resource) and version 2 (one
folder for all).  Source: the kernel's documentation, admin-guide/cgroup-v1 and
admin-guide/cgroup-v2.rst.  Every function takes ``root``, the folder that holds ``proc``, so that
tests can lay out a machine of their own.
"""

from __future__ import annotations

from pathlib import Path

SYSTEM_ROOT = Path("/")


def cpu_limit(root: Path = SYSTEM_ROOT) -> float | None:
    """How many CPUs' worth of time the process may use, or None where nothing limits it.

    A limit on an outer group holds for all groups inside it, so the smallest one counts.
    """
    limits = []
    for folder in _folders("cpu", root):
        quota, period = _cpu_quota(folder)
        if quota is not None and quota > 0 and period:
            limits.append(quota / period)
    return min(limits, default=None)


def memory_limit(root: Path = SYSTEM_ROOT) -> int | None:
    """The most bytes of memory the process and its group may hold, or None without a limit.

    Version 1 writes "no limit" as a number near 2**63; compare with the machine's own memory.
    """
    limits = [_memory_limit(folder) for folder in _folders("memory", root)]
    return min((limit for limit in limits if limit is not None), default=None)


def memory_left(root: Path = SYSTEM_ROOT) -> int | None:
    """The bytes that may still be taken before a limit is met, or None without a limit.

    Files that the kernel keeps in memory count as used in a group, but are given up when
    something else needs the room; they are counted as left.
    """
    left = []
    for folder in _folders("memory", root):
        limit, used = _memory_limit(folder), _memory_used(folder)
        if limit is not None and used is not None:
            left.append(max(0, limit - used))
    return min(left, default=None)


def _folders(controller: str, root: Path) -> list[Path]:
    """The folders that may limit ``controller`` for this process, innermost first."""
    folders = []
    for mount, group_root, names in _mounts(root):
        for numbers, group in _memberships(root):
            version_2 = not names and not numbers
            if not (version_2 or (controller in names and controller in numbers)):
                continue
            try:
                inside = Path(group).relative_to(group_root)
            except ValueError:
                # Inside a container the mount shows only the container's own group.
                inside = Path()
            folder = root / mount.relative_to("/") / inside
            outermost = root / mount.relative_to("/")
            folders.append(folder)
            while folder != outermost:
                folder = folder.parent
                folders.append(folder)
    return folders


def _mounts(root: Path) -> list[tuple[Path, str, set[str]]]:
    """Each mounted hierarchy: where, which group is its top, and its version 1 controllers."""
    mounts = []
    for line in _read(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3 or kind[0] not in ("cgroup", "cgroup2"):
            continue
        names = set(kind[2].split(",")) if kind[0] == "cgroup" else set()
        mounts.append((Path(fields[4]), fields[3], names))
    return mounts


def _memberships(root: Path) -> list[tuple[set[str], str]]:
    """The groups this process is in: (version 1 controllers, or none for version 2; path)."""
    groups = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        fields = line.split(":", 2)
        if len(fields) == 3:
            groups.append(({name for name in fields[1].split(",") if name}, fields[2]))
    return groups


def _cpu_quota(folder: Path) -> tuple[float | None, float | None]:
    quota, _, period = _read(folder / "cpu.max").partition(" ")
    if quota:
        return _number(quota), _number(period)
    return _number(_read(folder / "cpu.cfs_quota_us")), _number(_read(folder / "cpu.cfs_period_us"))


def _memory_limit(folder: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        value = _number(_read(folder / name))
        if value is not None:
            return int(value)
    return None


def _memory_used(folder: Path) -> int | None:
    for name in ("memory.current", "memory.usage_in_bytes"):
        used = _number(_read(folder / name))
        if used is not None:
            return max(0, int(used) - _file_cache(folder))
    return None


def _file_cache(folder: Path) -> int:
    entries = dict(
        line.split()
        for line in _read(folder / "memory.stat").splitlines()
        if len(line.split()) == 2
    )
    # Version 1 has "total_" figures that include the groups inside this one; version 2 always does.
    prefix = "total_" if "total_inactive_file" in entries else ""
    return sum(
        int(_number(entries.get(f"{prefix}{state}_file", "0")) or 0)
        for state in ("inactive", "active")
    )


def _number(text: str) -> float | None:
    """The number in ``text``, or None for an absent file or the word "max"."""
    try:
        return float(text)
    except ValueError:
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
