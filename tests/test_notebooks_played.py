"""Do the notebooks invite play? Cells fit a screen, nothing trips a learner, and cells run twice.

Running every third cell of every notebook twice takes as long as the notebooks do, so here only the
small ones are run; ``make reruns`` takes them all.
"""

import ast
import copy
import os
from pathlib import Path

import nbformat
import pytest

from tests import owing

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


def run_with_every_third_cell_twice(path: Path, first: int) -> None:
    """Raises CellExecutionError where a cell fails. ``first``: 0, 1 or 2, where to begin."""
    from nbclient import NotebookClient

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
    client = NotebookClient(
        notebook,
        timeout=900,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute(env={**os.environ, "COURSE_SHORT_RUNS": "1"})


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
