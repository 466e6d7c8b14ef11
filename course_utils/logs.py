"""Logs and results as CSV files: one way to write them, one to read them, for the whole course."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from pathlib import Path


def write_log(path: Path, records: Sequence[dict]) -> None:
    """Write records with equal keys as CSV, one line each."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)


def read_log(path: Path, *, text: Collection[str] = ()) -> list[dict[str, str | int | float]]:
    """The rows of a CSV file, numbers as numbers except in the columns ``text``.

    Lines that start with ``#`` are comments; an empty cell is "".  No rows where there is no file.
    """
    if not path.exists():
        return []
    return [
        {key: value if key in text else number(value) for key, value in row.items()}
        for row in read_table(path)[1]
    ]


def read_table(path: Path) -> tuple[list[str], list[dict]]:
    """The columns of a CSV file, and its rows as texts, without lines that start with ``#``.

    A row that is too long has its rest under None, one that is too short has None for it.  Raises
    OSError where the file cannot be read.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(line for line in file if not line.startswith("#"))
        return list(reader.fieldnames or []), list(reader)


def number(text: str | None) -> str | int | float:
    """A cell as a whole number, else as a number, else as it is; a missing one is ""."""
    for kind in (int, float):
        try:
            return kind(text)
        except (TypeError, ValueError):
            continue
    return text or ""
