"""Bytes in words: in decimal units for disks and downloads, in binary ones for memory."""

from __future__ import annotations

MIB = 1024**2
GIB = 1024**3


def readable_size(count: int) -> str:
    """Bytes in the decimal units that hubs and disks use: ``19.85 GB``."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count} bytes"


def readable_memory(count: float) -> str:
    """Bytes in the binary units that memory is sold in: ``19.1 GiB``, ``52 MiB``."""
    return f"{count / GIB:.1f} GiB" if count >= GIB / 10 else f"{count / MIB:.0f} MiB"
