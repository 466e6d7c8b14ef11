"""How are measured figures kept? As CSV in models/, each row with its machine and command.

Notebook 06 shows these files, so that a figure always stands beside the machine it was measured on
and the command that measures it anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from course_utils.logs import write_log
from course_utils.machine import Machine
from course_utils.paths import models_folder, repository_root
from course_utils.units import GIB


def about(machine: Machine) -> dict[str, object]:
    """The columns that say where a row was measured."""
    return {
        "cpu": machine.cpu_name,
        "cores": machine.cores,
        "memory_gib": round(machine.total_memory_bytes / GIB, 1),
        "bandwidth_gb_per_second": round(machine.memory_bandwidth_bytes_per_second / 1e9, 2),
    }


def write_report(
    name: str, rows: Sequence[Mapping], machine: Machine, *, folder: Path | None = None
) -> Path:
    """Write ``models/NAME.csv`` with the machine in front of each row and the command behind.

    A row that was measured at a bandwidth of its own says so in ``bandwidth_gb_per_second``.
    """
    path = (folder or models_folder()) / f"{name.replace('-', '_')}.csv"
    command = {"command": f"python -m tests.benchmarks {name}"}
    write_log(path, [about(machine) | dict(row) | command for row in rows])
    return path


def show_place(path: Path) -> None:
    print(f"written to {path.relative_to(repository_root())}")
