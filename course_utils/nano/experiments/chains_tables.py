"""What came out of the chains? The committed tables, and the numbers that figures are drawn from.

``chains.csv`` has a row for each exam: arm, size, seed, reading, computing, prompt, temperature and
length, with counts; ``chosen`` marks the exam of the weights that did best on validation chains of
one to four turns.  Beside it: every step of reward (``chains-rl``), the twelve prompts on
validation chains (``chains-prompts``), and many replies to each chain (``chains-passk``).
``chains-first`` has runs that were made again later (see ``chains.PLAN``).
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

DRAWN = 512
"""Completions in a step of reward: 32 problems, 16 to each (``chains_rl.Settings``)."""


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


def share(rows: Sequence[dict], lengths: Collection[int] = SHORT, what: str = "sound") -> float:
    """Share of sound replies (or ``worked`` ones) among all to chains of these lengths."""
    mine = [row for row in rows if row["length"] in lengths]
    return sum(row[what] for row in mine) / max(1, sum(row["asked"] for row in mine))


def best(rows: Sequence[dict], *, temperature: int = 1, prompt: str | None = "bare") -> dict:
    """The exam of each run by its ``key``: its chosen weights, at one temperature.

    ``prompt`` None gives the best of the twelve for a base model; other arms are asked plainly.
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

    ``before``, ``prompted`` and ``after``: sound answers of the base asked plainly, of the base
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


@dataclass(frozen=True)
class Practice:
    """What one run of reward drew: ``drawn`` completions, and among them the ``right`` ones, the
    ``worked`` ones (with a thought) and the ``sound`` ones; the share with a thought over its
    ``first`` and its ``last`` steps."""

    drawn: int
    right: int
    worked: int
    sound: int
    first: float
    last: float


def practice(
    log: Sequence[dict], steps: int = 5, drawn: int = DRAWN
) -> dict[tuple[str, int, int], Practice]:
    """What each run of reward drew, by size, seed and reading; ``log``: rows of ``chains-rl``.

    ``steps``: how many the first and the last are; ``drawn``: completions in a step.
    """
    counted = ("reward", "worked", "sound")
    runs: dict[tuple[str, int, int], list[dict]] = {}
    for row in log:
        runs.setdefault((row["size"], row["seed"], row["reading_tokens"]), []).append(row)
    return {
        run: Practice(
            drawn * len(rows),
            *(round(drawn * sum(row[name] for row in rows)) for name in counted),
            *(mean(row["worked"] for row in some) for some in (rows[:steps], rows[-steps:])),
        )
        for run, rows in runs.items()
    }


def chosen_step(rows: Sequence[dict], size: str, seed: int, reading_tokens: int) -> int:
    """After how many steps of reward the weights were taken that the exams are of."""
    return next(
        row["step"]
        for row in rows
        if row["chosen"] and key(row) == ("rl", size, seed, reading_tokens)
    )
