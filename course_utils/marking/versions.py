"""A learner's and a teacher's notebook, both made from the one that is in ``notebooks/``.

The teacher's has each solution in its cell, and below it a cell that gives the marks; nbgrader
calls it the source.  nbgrader makes the learner's from it: without solutions and hidden cases.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from course_utils.errors import OptionError
from course_utils.marking.verdicts import POINTS
from course_utils.paths import repository_root
from course_utils.teaching.exercises.declaration import Exercise, exercises_of

CHECKED = re.compile(r"""(?<![\w.])check\(\s*["']([^"']+)["']""")
_FOLDED = re.compile(r"<!-- exercise (\S+): hints and solution -->")
_SOLUTION_FOLD = re.compile(r"\n*<details>\n<summary>Solution</summary>.*?</details>", re.DOTALL)
MARKED = "# This cell gives the marks for {}; leave it as it is."
NBGRADER_SCHEMA = 3


def course_notebook(number: str) -> Path:
    """The file of notebook ``"03"``. Raises OptionError where there is none."""
    found = sorted((repository_root() / "notebooks").glob(f"{number}_*.ipynb"))
    if not found:
        there = sorted(p.name[:2] for p in (repository_root() / "notebooks").glob("??_*.ipynb"))
        raise OptionError(f"There is no notebook {number!r}.", f"There are: {', '.join(there)}.")
    return found[0]


def teacher_version(number: str, seed: int) -> NotebookNode:
    """The notebook with solutions and marking cells, in nbgrader's format; outputs are left out.

    seed: of the hidden cases.
    """
    notebook = nbformat.read(course_notebook(number), as_version=4)
    declared = {exercise.id: exercise for exercise in exercises_of(number)}
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "markdown" and (folded := _FOLDED.search(cell.source)):
            cell.source = _SOLUTION_FOLD.sub("", cell.source)
            if cell.source == folded[0]:
                cells.pop()
        if cell.cell_type != "code":
            continue
        cell.outputs, cell.execution_count = [], None
        asked = [name for name in CHECKED.findall(cell.source) if name in declared]
        if asked:
            exercise = declared[asked[0]]
            cell.source = f"{cell.source}\n{solution_region(exercise)}"
            as_answer(cell, exercise)
            cells.append(marking_cell(exercise, seed))
    notebook.cells = cells
    notebook.metadata.pop("widgets", None)
    return notebook


def solution_region(exercise: Exercise) -> str:
    """The solution between the marks at which nbgrader cuts it out."""
    return (
        f"### BEGIN SOLUTION\n{exercise.setup}\n{exercise.solution.strip()}\n"
        f"{exercise.call('check')}\n### END SOLUTION"
    )


def as_answer(cell: NotebookNode, exercise: Exercise) -> None:
    """Tell nbgrader that this cell holds the learner's answer."""
    cell.metadata["nbgrader"] = _about(answer_id(exercise), grade=False)


def marking_cell(exercise: Exercise, seed: int | None = None) -> NotebookNode:
    """The cell below an answer: the visible cases and, for the teacher, the hidden ones."""
    call = f'mark("{exercise.id}", globals()'
    lines = [MARKED.format(exercise.id), "from course_utils.marking import mark", "", f"{call})"]
    if seed is not None:
        lines += ["### BEGIN HIDDEN TESTS", f"{call}, seed={seed})", "### END HIDDEN TESTS"]
    cell = new_code_cell("\n".join(lines))
    cell.metadata["nbgrader"] = _about(mark_id(exercise), grade=True)
    return cell


def mark_id(exercise: Exercise) -> str:
    """What nbgrader calls the marking cell of this exercise; it allows no dots."""
    return f"mark-{exercise.id.replace('.', '-')}"


def answer_id(exercise: Exercise) -> str:
    """What nbgrader calls the cell with the answer."""
    return f"answer-{exercise.id.replace('.', '-')}"


def _about(name: str, grade: bool) -> dict:
    about = {
        "grade": grade,
        "grade_id": name,
        "locked": grade,
        "schema_version": NBGRADER_SCHEMA,
        "solution": not grade,
        "task": False,
        "cell_type": "code",
    }
    return about | ({"points": POINTS} if grade else {})
