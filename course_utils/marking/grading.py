"""Release, collect, grade: nbgrader's three steps for the course, and the marks as a table.

A marking folder is an nbgrader course folder: ``source/`` (the teacher's versions), ``release/``
(the learners'), ``submitted/``, ``autograded/``, ``feedback/`` and ``gradebook.db``; beside them
``marks.csv`` and ``hidden-seed.txt``, which stays with the teacher.
"""

from __future__ import annotations

import csv
import hashlib
import logging
import os
import re
import secrets
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import nbformat
from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbgrader.api import MissingEntry
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    IgnorePattern,
    LimitOutput,
    SaveAutoGrades,
)
from sqlalchemy.exc import SAWarning
from traitlets.config import Config

from course_utils.errors import CourseError, OptionError
from course_utils.installation.teaching import jupyter_paths
from course_utils.marking.collecting import find_submissions, gradable
from course_utils.marking.executing import CRASHED, ENDLESS, PatientExecute
from course_utils.marking.verdicts import MIME, NO_ANSWER, POINTS
from course_utils.marking.versions import answer_id, course_notebook, mark_id, teacher_version
from course_utils.teaching.exercises.declaration import exercises_of

SECONDS_A_CELL = 60
_NAMES = {ENDLESS: "endless", CRASHED: "crashed", "SyntaxError": "syntax-error"}


class MarkingError(CourseError):
    """Marking stopped; everything that was handed in is still in its place."""


@dataclass(frozen=True)
class Mark:
    """A row of ``marks.csv``: what one learner's answer to one exercise is worth, and why.

    mistake: the short name of what is off, "" where the answer is right. remark: what was odd
    about the file.
    """

    learner: str
    notebook: str
    exercise: str
    points: float
    of: float
    mistake: str
    words: str
    remark: str = ""


def release(folder: Path, numbers: Sequence[str]) -> list[Path]:
    """Make the teacher's and the learner's version of these notebooks; gives the learners'."""
    api, made = _api(folder), []
    seed = _seed(folder)
    for number in numbers:
        name = course_notebook(number).stem
        source = folder / "source" / name / f"{name}.ipynb"
        source.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(teacher_version(number, seed), source)
        answer = api.generate_assignment(name, force=True)
        _must_succeed(answer, f"The learner's version of notebook {number} could not be made.")
        made.append(folder / "release" / name / f"{name}.ipynb")
    return made


def grade(
    folder: Path,
    submissions: Path,
    numbers: Sequence[str],
    seconds_a_cell: int = SECONDS_A_CELL,
    say: Callable[[str], object] = lambda line: None,
) -> list[Mark]:
    """Collect and grade these notebooks of all learners, and write ``marks.csv`` after each.

    Rows of other notebooks that the table already holds stay.  Raises OptionError where nothing
    is released or nobody handed anything in.
    """
    api, marks = _api(folder, seconds_a_cell), []
    for number in numbers:
        name = course_notebook(number).stem
        if not (folder / "release" / name).is_dir():
            raise OptionError(
                f"Notebook {number} is not released in {folder}.",
                f"Run: python -m course_utils.marking release {folder} {number}",
            )
        for submission in find_submissions(submissions, number):
            student = _student(submission.learner)
            notebook, remark = gradable(submission)
            target = folder / "submitted" / student / name / f"{name}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, target)
            answer = api.autograde(name, student, force=True, create=True)
            if not answer["success"]:
                remark = "; ".join(filter(None, [remark, "marking failed: mark it by hand"]))
            graded = folder / "autograded" / student / name / f"{name}.ipynb"
            found = _marks(api, graded, submission.learner, student, number, name, remark)
            marks += found
            say(_line(found))
            if answer["success"] and not api.generate_feedback(name, student)["success"]:
                say(f"{number}  {submission.learner}: no page of feedback could be made.")
        write_marks(folder / "marks.csv", marks)
    return marks


def write_marks(file: Path, marks: Sequence[Mark]) -> None:
    """Write the table; rows of learners and notebooks that are not in ``marks`` are kept."""
    rows = [{key: _safe(value) for key, value in asdict(mark).items()} for mark in marks]
    new = {(row["learner"], row["notebook"]) for row in rows}
    if file.exists():
        with file.open(encoding="utf-8", newline="") as old:
            rows += [
                row for row in csv.DictReader(old) if (row["learner"], row["notebook"]) not in new
            ]
    rows.sort(key=lambda row: (row["learner"], row["notebook"], row["exercise"]))
    part = file.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as table:
        writer = csv.DictWriter(table, [field.name for field in fields(Mark)])
        writer.writeheader()
        writer.writerows(rows)
    part.replace(file)


def _safe(value: object) -> object:
    """Spreadsheets run what begins like a formula, and a learner chose some of these texts."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def _marks(api, graded: Path, learner, student, number, name, remark) -> list[Mark]:
    cells = nbformat.read(graded, as_version=4).cells if graded.exists() else []
    by_id = {cell.metadata.nbgrader["grade_id"]: cell for cell in cells if _has_id(cell)}
    points = _points(api, name, student) if graded.exists() else {}
    marks = []
    for exercise in exercises_of(number):
        record = _record(by_id.get(mark_id(exercise)))
        mistake, words = record.get("mistake"), record.get("words", "")
        own = _error(by_id.get(answer_id(exercise)))
        got = points.get(mark_id(exercise), 0.0)
        if own and mistake in (None, NO_ANSWER) and got < POINTS:
            mistake, words = own
        if not record and not own:
            mistake, words = _error(by_id.get(mark_id(exercise))) or ("not-graded", remark)
        marks.append(Mark(learner, number, exercise.id, got, POINTS, mistake or "", words, remark))
    return marks


def _has_id(cell) -> bool:
    return "grade_id" in cell.metadata.get("nbgrader", {})


def _record(cell) -> dict:
    """What the last ``mark`` of a marking cell showed."""
    outputs = [] if cell is None else cell.outputs
    shown = [o.data[MIME] for o in outputs if o.output_type == "display_data" and MIME in o.data]
    return dict(shown[-1]) if shown else {}


def _error(cell) -> tuple[str, str] | None:
    for output in [] if cell is None else cell.outputs:
        if output.output_type == "error":
            return _NAMES.get(output.ename, "error"), f"{output.ename}: {output.evalue}"
    return None


def _points(api, name: str, student: str) -> dict[str, float]:
    """The points in nbgrader's gradebook by the name of the marking cell: by hand before by run."""
    with api.gradebook as gradebook:
        try:
            submission = gradebook.find_submission(name, student)
        except MissingEntry:
            return {}
        return {
            grade.name: float(grade.score or 0.0)
            for notebook in submission.notebooks
            for grade in notebook.grades
        }


def _line(marks: Sequence[Mark]) -> str:
    points, of = sum(mark.points for mark in marks), sum(mark.of for mark in marks)
    off = ", ".join(f"{mark.exercise}: {mark.mistake}" for mark in marks if mark.mistake)
    name, remark = marks[0].learner, marks[0].remark
    return f"{marks[0].notebook}  {name}: {points:g} of {of:g}" + "".join(
        f"  ({part})" for part in (off, remark) if part
    )


def _student(learner: str) -> str:
    """A learner's name as a folder of nbgrader's, the same for the same name each time."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", learner).strip("-")[:40]
    if plain == learner:
        return plain
    return f"{plain}-{hashlib.sha256(learner.encode()).hexdigest()[:8]}".lstrip("-")


def _seed(folder: Path) -> int:
    file = folder / "hidden-seed.txt"
    folder.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_text(f"{secrets.randbelow(2**31)}\n", encoding="utf-8")
        file.chmod(0o600)
    return int(file.read_text(encoding="utf-8"))


def _api(folder: Path, seconds_a_cell: int = SECONDS_A_CELL) -> NbGraderAPI:
    # nbgrader starts `alembic` by name, which is on no path unless the environment is activated.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ.update(jupyter_paths())
    config = Config()
    config.CourseDirectory.root = str(folder.resolve())
    config.ClearSolutions.code_stub = {"python": ""}
    config.OverwriteCells.add_missing_cells = True
    config.PatientExecute.timeout = seconds_a_cell
    config.Autograde.autograde_preprocessors = [
        PatientExecute,
        IgnorePattern,
        ClearMetadataPreprocessor,
        LimitOutput,
        SaveAutoGrades,
        AssignLatePenalties,
        CheckCellMetadata,
    ]
    config.GenerateAssignment.create_assignment = True
    config.PatientExecute.extra_arguments = ["--IPKernelApp.log_level=40"]
    logging.getLogger("traitlets").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=SAWarning)
    return NbGraderAPI(CourseDirectory(config=config), config=config)


def _must_succeed(answer: dict, problem: str) -> None:
    if not answer["success"]:
        last = (answer.get("error") or answer.get("log") or "").strip().splitlines()[-1:]
        raise MarkingError(problem, f"nbgrader says: {' '.join(last)}")
