"""Four learners as a teacher meets them: one right, one wrong, one broken, one endless."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell

from course_utils.marking.versions import CHECKED
from course_utils.teaching.exercises.attempt import is_function
from course_utils.teaching.exercises.declaration import Exercise, exercises_of

KINDS = ("right", "wrong", "broken", "endless")


def hand_in(released: Path, folder: Path, kinds=KINDS) -> None:
    """Write a submission of each kind for a released notebook: ``folder/KIND/NAME``."""
    for kind in kinds:
        target = folder / kind / released.name
        target.parent.mkdir(parents=True, exist_ok=True)
        notebook = nbformat.read(released, as_version=4)
        answer(notebook, released.name[:2], kind)
        nbformat.write(notebook, target)


def answer(notebook, number: str, kind: str) -> None:
    """Fill in a notebook as this kind of learner does."""
    declared = {exercise.id: exercise for exercise in exercises_of(number)}
    asked = [
        (cell, declared[name])
        for cell in notebook.cells
        if cell.cell_type == "code"
        for name in CHECKED.findall(cell.source)
        if name in declared
    ]
    if kind == "broken":
        break_cells(notebook, asked)
        return
    for cell, exercise in asked:
        cell.source = _cell(ANSWERS[kind](exercise), exercise)


def break_cells(notebook, asked) -> None:
    """No Python, the end of the kernel, a cell gone, and the rest left as it was."""
    ways = iter(("def (:", "import os\nos._exit(3)", None))
    for (cell, exercise), way in zip(asked, ways, strict=False):
        if way is None:
            notebook.cells.remove(cell)
        else:
            cell.source = _cell(way, exercise)


def _cell(code: str, exercise: Exercise) -> str:
    """An answer above the check that the learner has left in its place."""
    imported = "from course_utils.teaching import check"
    return f"{imported}\n{code}\ncheck('{exercise.id}', {exercise.answer})"


def right(exercise: Exercise) -> str:
    given = "".join(f"\n{name} = {name}" for name in exercise.given)
    return f"{exercise.setup}\n{exercise.solution}{given}"


def wrong(exercise: Exercise) -> str:
    """A function that takes anything and always gives the same, or a word for an answer."""
    if _asks_for_a_function(exercise):
        return f"def {exercise.answer}(*given):\n    return -17.25"
    return f"{exercise.answer} = 'no idea'"


def endless(exercise: Exercise) -> str:
    """A function that never returns; where a value is asked for, a right answer."""
    if _asks_for_a_function(exercise):
        return f"def {exercise.answer}(*given):\n    while True:\n        pass"
    return right(exercise)


def add_endless_cell(file: Path, exercise_id: str) -> None:
    """Let the cell of an exercise itself go on for ever, and swallow interrupts."""
    notebook = nbformat.read(file, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and exercise_id in CHECKED.findall(cell.source):
            cell.source += (
                "\nimport time\nwhile True:\n    try:\n        time.sleep(1)\n"
                "    except BaseException:\n        pass"
            )
    nbformat.write(notebook, file)


def tear(file: Path) -> None:
    """Half a file, as a full disk leaves it."""
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: len(text) // 2], encoding="utf-8")


def old_notebook(cells: list[str]) -> str:
    """A notebook that an editor has stripped of all metadata."""
    made = nbformat.v4.new_notebook(cells=[new_code_cell(source) for source in cells])
    for cell in made.cells:
        del cell["id"]
    made.nbformat_minor = 2
    return json.dumps(made)


def _asks_for_a_function(exercise: Exercise) -> bool:
    solution, _ = exercise.answer_of(exercise.solution)
    return is_function(solution)


ANSWERS = {"right": right, "wrong": wrong, "endless": endless}
