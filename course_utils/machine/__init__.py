"""What has this computer got for a model: cores, memory, memory bandwidth, disk?

A container or a class server often gives a process less than the whole computer, so every figure
here is what *this process* may use.  Memory bandwidth is the figure that decides how fast a large
model writes: each new token reads (nearly) every weight once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from course_utils.machine.bandwidth import (
    measure_memory_bandwidth,
    memory_bandwidth_bytes_per_second,
    was_measured_on_a_busy_machine,
)
from course_utils.machine.cards import GraphicsCard, graphics_card
from course_utils.machine.cores import cpu_name, usable_cores
from course_utils.machine.memory import (
    available_memory_bytes,
    free_disk_bytes,
    total_memory_bytes,
)
from course_utils.paths import repository_root
from course_utils.units import GIB

__all__ = [
    "GraphicsCard",
    "Machine",
    "available_memory_bytes",
    "cpu_name",
    "free_disk_bytes",
    "graphics_card",
    "measure_memory_bandwidth",
    "memory_bandwidth_bytes_per_second",
    "this_machine",
    "total_memory_bytes",
    "typical_laptop",
    "usable_cores",
]


@dataclass(frozen=True)
class Machine:
    """The figures of one computer; ``this_machine()`` takes those of the one you sit at.

    Build one by hand to ask "what if": ``Machine(total_memory_bytes=8 * 1024**3, ...)``.
    Memory and disk are in bytes, bandwidth in bytes per second; ``cores`` counts the CPU cores
    that the process may use.  ``card``: the graphics card that llama.cpp can use, None where there
    is none.  ``busy``: other programs took part of the bandwidth while it was measured.

    ``unpacking_bytes_per_second`` (4-bit weights that all cores together unpack), ``overlap`` (of
    that with fetching them) and ``seconds_per_expert_layer`` (that threads wait in a layer of a
    mixture) are None until they are measured (``course_utils.engines.decoding_rates``); what they
    mean exactly is told in ``course_utils.model_files.speed``.
    """

    cores: int
    total_memory_bytes: int
    available_memory_bytes: int
    memory_bandwidth_bytes_per_second: float
    free_disk_bytes: int
    cpu_name: str = "unknown processor"
    unpacking_bytes_per_second: float | None = None
    card: GraphicsCard | None = None
    overlap: float | None = None
    seconds_per_expert_layer: float | None = None
    busy: bool = False


def typical_laptop(memory_gib: float = 32) -> Machine:
    """The course's example of a laptop, wherever it needs one: 8 cores and 40 GB per second.

    That is about what a program reads from two channels of DDR4-3200, sold as 51 GB per second.
    Other programs take 3 GiB of the memory.
    """
    total = int(memory_gib * GIB)
    return Machine(
        cores=8,
        total_memory_bytes=total,
        available_memory_bytes=max(0, total - 3 * GIB),
        memory_bandwidth_bytes_per_second=40e9,
        free_disk_bytes=100 * 10**9,
        cpu_name="a typical laptop",
    )


def this_machine(folder: Path | None = None) -> Machine:
    """The figures of this computer, now. The first call takes a second to measure bandwidth.

    ``folder`` is where files would be stored, for the free disk space; the course's by default.
    """
    bandwidth = memory_bandwidth_bytes_per_second()
    return Machine(
        cores=usable_cores(),
        total_memory_bytes=total_memory_bytes(),
        available_memory_bytes=available_memory_bytes(),
        memory_bandwidth_bytes_per_second=bandwidth,
        free_disk_bytes=free_disk_bytes(folder or repository_root()),
        cpu_name=cpu_name(),
        card=graphics_card(bandwidth),
        busy=was_measured_on_a_busy_machine(),
    )
