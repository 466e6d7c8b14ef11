"""Do the notebooks invite play? Cells fit a screen, nothing trips a learner, and cells run twice.

Running every third cell of every notebook twice, and every notebook with right and with wrong
answers, takes hours, so here only a small one is run; ``make reruns`` takes them all.
"""

import ast
import copy
import os
import re
from pathlib import Path

import nbformat
import pytest

from course_utils.teaching.exercises.declaration import exercises_of, find_exercise
from tests import owing
from tests.exercise_answers import answers_to

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
SMALL = ("00",)
LINES, COLUMNS = 25, 80


def sources(path: Path) -> list[str]:
    notebook = nbformat.read(path, as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@each_notebook
def test_cells_fit_a_projector_and_hold_no_assert_or_are_listed_as_owing(path):
    problems = []
    for number, source in enumerate(sources(path)):
        lines = source.splitlines()
        if len(lines) > LINES:
            problems.append(f"code cell {number} has {len(lines)} lines")
        problems += [
            f"code cell {number}: {len(line)} columns" for line in lines if len(line) > COLUMNS
        ]
        problems += [
            f"code cell {number}: an assert in its line {node.lineno}"
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Assert)
        ]
    assert bool(problems) == (path.name[:2] in owing.CELLS), problems


def run(notebook, folder: Path) -> str:
    """Run a notebook's cells; what they printed. Raises CellExecutionError where one fails."""
    from nbclient import NotebookClient

    client = NotebookClient(
        notebook,
        timeout=900,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env={**os.environ, "COURSE_SHORT_RUNS": "1"})
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    return "\n".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs)


def run_with_every_third_cell_twice(path: Path, first: int) -> None:
    """Raises CellExecutionError where a cell fails. ``first``: 0, 1 or 2, where to begin."""
    notebook = nbformat.read(path, as_version=4)
    cells, count = [], 0
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "code":
            if count % 3 == first:
                again = copy.deepcopy(cell)
                again.id = f"{cell.get('id', count)}-again"[:64]
                cells.append(again)
            count += 1
    notebook.cells = cells
    run(notebook, path.parent)


def answered(path: Path, way: str):
    """The notebook with each exercise answered: "solution", "right 1", "wrong 3" and the like."""
    notebook = nbformat.read(path, as_version=4)
    kind, _, number = way.partition(" ")
    for cell in notebook.cells:
        call = re.search(r"""^check\("([^"]+)".*\)$""", cell.source, re.MULTILINE)
        if cell.cell_type != "code" or not call:
            continue
        code = find_exercise(call[1]).solution
        if kind != "solution":
            fitting = [a for a in answers_to(call[1]) if a.right == (kind == "right")]
            code = fitting[(int(number) - 1) % len(fitting)].code
        # What a cell imports and prepares above the answer stays.
        before = re.split(
            r"^(?:def |\w+ = \(?\.\.\.)", cell.source, maxsplit=1, flags=re.MULTILINE
        )[0]
        cell.source = f"{before}\n{code}\n{call[0]}"
    return notebook


@each_notebook
@pytest.mark.parametrize("way", ["solution", "right 1", "wrong 1", "wrong 4", "wrong 7"])
def test_the_page_says_how_a_learner_did_and_right_functions_run(path, way):
    number = path.name[:2]
    if os.environ.get("COURSE_RERUNS") != "all" and (number not in SMALL or way != "right 1"):
        pytest.skip("`make reruns` runs it")
    if number in owing.FRAME or {e.id for e in exercises_of(number)} & owing.ANSWERS:
        pytest.skip("it is listed as owing")
    count = len(exercises_of(number))
    said = run(answered(path, way), path.parent)
    if way.startswith("wrong"):
        assert f"{count} of {count} tried but not right yet" in said
        assert said.count("✗ Not yet") == count and ") ran here." not in said
    else:
        assert f"all {count} exercises are right" in said
        assert said.count("✓ Right (") == count
        assert "own version ran here" not in said and "` (" in said and ") ran here." in said


@each_notebook
@pytest.mark.parametrize("first", [0, 1, 2])
def test_a_cell_that_runs_twice_breaks_nothing(path, first):
    everything = os.environ.get("COURSE_RERUNS") == "all"
    if not everything and (path.name[:2] not in SMALL or first):
        pytest.skip("`make reruns` runs it")
    run_with_every_third_cell_twice(path, first)


def test_a_cell_that_breaks_an_earlier_one_is_found(tmp_path):
    from nbclient.exceptions import CellExecutionError

    cells = ["values = [1, 2]", "total = sum(values)\nvalues = None"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    path = tmp_path / "notebook.ipynb"
    nbformat.write(notebook, path)
    run_with_every_third_cell_twice(path, 0)
    with pytest.raises(CellExecutionError):
        run_with_every_third_cell_twice(path, 1)
