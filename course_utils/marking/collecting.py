"""What was handed in becomes what nbgrader can grade: whole, torn, of an older version, or nothing.

``SUBMISSIONS`` holds a folder for each learner, as learning platforms unpack them.  A notebook is
recognised by the number that its name begins with, and an answer by what its cell checks, so it
matters neither which version of the notebook a learner worked in nor what an editor did to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from course_utils.errors import OptionError
from course_utils.marking.slicing import names_given
from course_utils.marking.versions import (
    CHECKED,
    MARKED,
    as_answer,
    course_cells,
    marking_cell,
)
from course_utils.teaching.exercises.declaration import Exercise, exercises_of

MISSING = "# An answer to {} is missing from what was handed in."
LARGEST_BYTES = 50 * 2**20
_MARKING = re.compile("^" + re.escape(MARKED).replace(r"\{\}", r"\S+"))


@dataclass(frozen=True)
class Submission:
    """A learner's file of one notebook; ``file`` is None where nothing came.

    learner: the name of the learner's folder. remark: what was odd about it, for the teacher.
    """

    learner: str
    number: str
    file: Path | None
    remark: str = ""


def find_submissions(folder: Path, number: str) -> list[Submission]:
    """One submission of a notebook for each learner's folder. Raises OptionError for no learner."""
    learners = []
    if folder.is_dir():
        learners = sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] not in "._")
    if not learners:
        raise OptionError(
            f"{folder} holds no learner's folder.",
            "Give a folder that holds one folder for each learner, with their notebooks in it.",
        )
    return [_of(learner, number) for learner in learners]


def _of(learner: Path, number: str) -> Submission:
    named = re.compile(rf"(^|\D){number}[_ -].*\.ipynb$", re.IGNORECASE)
    found = [
        path
        for path in learner.rglob("*.ipynb")
        if named.search(path.name) and ".ipynb_checkpoints" not in path.parts and path.is_file()
    ]
    if not found:
        return Submission(learner.name, number, None, "nothing handed in")
    newest = max(found, key=lambda path: (path.stat().st_mtime, path.name))
    remark = f"the newest of {len(found)}: {newest.name}" if len(found) > 1 else ""
    return Submission(learner.name, number, newest, remark)


def gradable(submission: Submission) -> tuple[NotebookNode, str]:
    """The submission in nbgrader's format, and a remark on what was odd about it ("" for nothing).

    A file that cannot be read becomes a notebook of unanswered exercises; it is never left out.
    """
    exercises = exercises_of(submission.number)
    notebook, remark = new_notebook(), submission.remark
    if submission.file is not None:
        try:
            notebook = _read(submission.file)
        except Exception as error:  # Whatever a broken file makes a parser raise.
            remark = f"cannot be read: {type(error).__name__}"
    cells = [
        cell
        for cell in notebook.cells
        if not (cell.cell_type == "code" and _MARKING.match(cell.source))
    ]
    for cell in cells:
        cell.metadata.pop("nbgrader", None)
    ours = {cell.source.strip() for cell in course_cells(submission.number)}
    places = {exercise.id: _place(cells, exercise, ours) for exercise in exercises}
    result = []
    for cell in cells:
        result.append(cell)
        for exercise in exercises:
            if places[exercise.id] is cell:
                _answer_and_mark(result, cell, exercise)
    for exercise in exercises:
        if places[exercise.id] is None:
            cell = new_code_cell(MISSING.format(exercise.id))
            result.append(cell)
            _answer_and_mark(result, cell, exercise)
    notebook.cells = result
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook.metadata["kernelspec"]["language"] = "python"
    return nbformat.from_dict(notebook), remark


def _answer_and_mark(cells: list, cell: NotebookNode, exercise: Exercise) -> None:
    if "nbgrader" not in cell.metadata:
        as_answer(cell, exercise)
    cells.append(marking_cell(exercise))


def _read(file: Path) -> NotebookNode:
    if file.stat().st_size > LARGEST_BYTES:
        raise ValueError("too large")
    notebook = nbformat.read(file, as_version=4)
    cells = []
    for cell in notebook.cells:
        source = cell.get("source", "")
        source = "".join(source) if isinstance(source, list) else str(source)
        if cell.get("cell_type") == "code":
            cells.append(new_code_cell(source))
        elif cell.get("cell_type") == "markdown":
            cells.append(nbformat.v4.new_markdown_cell(source))
    return new_notebook(cells=cells)


def _place(cells: list[NotebookNode], exercise: Exercise, ours: set[str]) -> NotebookNode | None:
    """The last cell that checks the exercise, else the learner's last that defines its answer.

    ours: the course's own cells, in which the answer's name may stand for something else.
    """
    code = [cell for cell in cells if cell.cell_type == "code"]
    for cell in reversed(code):
        if exercise.id in CHECKED.findall(cell.source):
            return cell
    for cell in reversed(code):
        if cell.source.strip() not in ours and exercise.answer in names_given(cell.source):
            return cell
    return None
