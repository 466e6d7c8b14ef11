"""``make grade-all``: every notebook of a right, a wrong, a broken and an endless learner.

Notebook by notebook, in ``runs/grade-all``: a run that was stopped goes on where it was.  It ends
with a table of what the four got, and with 1 where that is not what they should get.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from course_utils import command_line
from course_utils.installation.teaching import teaching_python
from course_utils.marking.verdicts import POINTS
from course_utils.paths import repository_root
from course_utils.teaching.exercises.attempt import is_function
from course_utils.teaching.exercises.declaration import Exercise, exercises_of
from tests.marking import submissions

NUMBERS = [f"{number:02}" for number in range(100) if exercises_of(f"{number:02}")]


def main() -> int:
    command_line.refuse_arguments(__doc__)
    folder = repository_root() / "runs" / "grade-all"
    for number in NUMBERS:
        if len(_marks(folder, number)) == len(submissions.KINDS):
            continue
        started = time.monotonic()
        _run("release", folder, number)
        for released in (folder / "release").glob(f"{number}_*/*.ipynb"):
            submissions.hand_in(released, folder / "in" / number)
        _run("grade", folder, folder / "in" / number, number)
        print(f"{number}: {time.monotonic() - started:.0f} seconds", flush=True)
    print(
        "\n| notebook | exercises | right | wrong | broken | endless |\n|---|---|---|---|---|---|"
    )
    for number in NUMBERS:
        marks, declared = _marks(folder, number), exercises_of(number)
        got = [f"{sum(float(r['points']) for r in marks[kind]):g}" for kind in submissions.KINDS]
        print(f"| {number} | {len(declared)} | {' | '.join(got)} |")
    off = [line for number in NUMBERS for line in _surprises(_marks(folder, number), number)]
    print("\n".join(["", *off]) if off else "\nAll of them got what they should get.")
    shutil.rmtree(folder)
    return 1 if off else 0


def _run(step: str, *arguments: object) -> None:
    command = [str(teaching_python()), "-m", "course_utils.marking", step]
    subprocess.run([*command, *map(str, arguments)], check=True)


def _marks(folder: Path, number: str) -> dict[str, list[dict[str, str]]]:
    """The rows of a notebook by kind of learner; only kinds with a row for each exercise."""
    marks: dict[str, list[dict[str, str]]] = {}
    if (folder / "marks.csv").exists():
        with (folder / "marks.csv").open(encoding="utf-8", newline="") as table:
            for row in csv.DictReader(table):
                if row["notebook"] == number:
                    marks.setdefault(row["learner"], []).append(row)
    return {kind: rows for kind, rows in marks.items() if len(rows) == len(exercises_of(number))}


def _surprises(marks: dict[str, list[dict[str, str]]], number: str) -> Iterator[str]:
    """A line for each mark that is not what this kind of learner should get."""
    declared = {exercise.id: exercise for exercise in exercises_of(number)}
    for kind, rows in marks.items():
        for row in rows:
            points, mistake = float(row["points"]), row["mistake"]
            if not _expected(kind, declared[row["exercise"]], points, mistake):
                yield f"{row['exercise']}, {kind}: {points:g} points, {mistake}: {row['words']}"
    broken = {row["mistake"] for row in marks["broken"]}
    if not {"syntax-error", "crashed", "no-answer"} <= broken:
        yield f"{number}, broken: only {', '.join(sorted(broken))}"


def _expected(kind: str, exercise: Exercise, points: float, mistake: str) -> bool:
    asks_for_a_function = is_function(exercise.answer_of(exercise.solution)[0])
    if kind == "right" or (kind == "endless" and not asks_for_a_function):
        return points == POINTS and not mistake
    if kind == "endless":
        return points == 0 and mistake == "endless"
    named = mistake not in ("", "error", "not-graded")
    return points == 0 and named and (kind == "broken" or mistake != "not-answered")


if __name__ == "__main__":
    sys.exit(main())
