"""What came out of the chains? The committed tables, and the numbers that figures are drawn from.

``chains.csv`` has a row for each exam: arm, size, seed, reading, computing, prompt, temperature and
length, with counts; ``chosen`` marks the exam of the weights that did best on validation chains of
one to four turns.  Beside it: every step of reward (``chains-rl``), the twelve prompts on
validation chains (``chains-prompts``), and many replies to each chain (``chains-passk``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from course_utils.logs import read_log, write_log
from course_utils.nano.experiments.runs import log_path

ARMS = ("pretrained", "rl", "sft", "rft")
TABLES = {
    "chains": ARMS,
    "chains-rl": ("steps",),
    "chains-prompts": ("prompts",),
    "chains-passk": ("many",),
}
"""The committed tables, and the files of single runs that they are put together from."""

SHORT = (1, 2, 3, 4)
"""Turns of the chains that the arms trained on."""

UNIT = 512 * 32 * 128
"""Tokens in a unit of reading: steps, rows in a step, and tokens in a row."""


def read(table: str = "chains") -> list[dict]:
    """All rows of a table, numbers as numbers."""
    return read_log(log_path(table))


def key(row: dict) -> tuple:
    """Which run a row belongs to."""
    return tuple(row[name] for name in ("arm", "size", "seed", "reading_tokens") if name in row)


def collect(folder: Path, tables: Mapping[str, Sequence[str]] = TABLES) -> None:
    """Add the rows of new runs, which lie in ``folder``, to the committed tables."""
    for table, kinds in tables.items():
        rows = read(table)
        before = {key(row) for row in rows}
        for kind in kinds:
            for path in sorted(folder.glob(f"{kind}-*.csv")):
                rows += [row for row in read_log(path) if key(row) not in before]
        if rows:
            write_log(log_path(table), rows)


def share(rows: Sequence[dict], lengths: Collection[int] = SHORT) -> float:
    """Share of sound replies among all to chains of these lengths."""
    mine = [row for row in rows if row["length"] in lengths]
    return sum(row["sound"] for row in mine) / max(1, sum(row["asked"] for row in mine))


def best(rows: Sequence[dict], *, temperature: int = 1, prompt: str | None = "bare") -> dict:
    """The exam of each run by its ``key``: its chosen weights, at one temperature.

    ``prompt`` None gives the best of the twelve for a base model; other arms are asked barely.
    """
    found: dict[tuple, list[dict]] = {}
    for row in rows:
        asked = row["prompt"] == prompt if prompt else row["prompt"] != "bare"
        if row["chosen"] and row["temperature"] == temperature and asked:
            found.setdefault(key(row), []).append(row)
    return found


@dataclass(frozen=True)
class Threshold:
    """One base model before reward, and what it became: shares over chains of 1 to 4 turns.

    ``before``, ``prompted`` and ``after``: sound answers of the base asked barely, of the base
    with the best of twelve prompts, and of the reinforced model.
    """

    size: str
    seed: int
    reading_tokens: int
    before: float
    prompted: float
    after: float


def thresholds(rows: Sequence[dict]) -> list[Threshold]:
    """A point for each base model that was reinforced."""
    bare, prompted, points = best(rows), best(rows, prompt=None), []
    for (arm, size, seed, tokens), after in bare.items():
        if arm == "rl":
            shares = (
                share(exam)
                for exam in (
                    bare["pretrained", size, seed, tokens],
                    prompted["pretrained", size, seed, tokens],
                    after,
                )
            )
            points.append(Threshold(size, seed, tokens, *shares))
    return points


def habit(log: Sequence[dict], steps: int = 5) -> dict[tuple[str, int, int], tuple[float, float]]:
    """The share of completions with a thought, over the first and the last steps of each run of
    reward, by size, seed and reading; ``log`` has the rows of ``chains-rl``."""
    runs: dict[tuple[str, int, int], list[float]] = {}
    for row in log:
        run = row["size"], row["seed"], row["reading_tokens"]
        runs.setdefault(run, []).append(row["worked"])
    return {run: (mean(worked[:steps]), mean(worked[-steps:])) for run, worked in runs.items()}
