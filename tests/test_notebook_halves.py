"""Can a long notebook be begun at its half-way stop? Its cell has to give all that follows."""

import ast
import builtins
import json
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
STOP = "**Half-way stop.**"
HERE = "start at the next cell"


def is_stop(kind: str, text: str) -> bool:
    """A stop whose next cell is said to be enough; others name what to run again."""
    return kind == "markdown" and STOP in text and HERE in text


def halved() -> list[Path]:
    return [path for path in sorted(NOTEBOOKS.glob("*.ipynb")) if any(map(is_stop, *cells(path)))]


def cells(path: Path) -> tuple[list[str], list[str]]:
    """Kinds and texts of a notebook's cells."""
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell["cell_type"] for cell in found], ["".join(cell["source"]) for cell in found]


def second_half(path: Path) -> list[str]:
    """The code cells behind the stop."""
    texts = list(zip(*cells(path), strict=True))
    (stop,) = [n for n, cell in enumerate(texts) if is_stop(*cell)]
    return [text for kind, text in texts[stop:] if kind == "code"]


def unknown_names(cells: list[str]) -> set[str]:
    """Names that are used in these cells and given by none of them, nor by Python."""
    used, given = set(), set(dir(builtins)) | {"display"}
    for node in ast.walk(ast.parse("\n".join(cells))):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else given).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            given.add(node.name)
        elif isinstance(node, ast.arg):
            given.add(node.arg)
        elif isinstance(node, ast.alias):
            given.add((node.asname or node.name).split(".")[0])
    return used - given


@pytest.mark.parametrize("path", halved(), ids=lambda path: path.stem)
def test_the_second_half_needs_nothing_of_the_first(path):
    assert unknown_names(second_half(path)) == set()


def test_notebook_03_has_a_stop():
    assert "03_rl_scaling" in {path.stem for path in halved()}


def test_a_name_of_the_first_half_would_be_found():
    assert unknown_names(["import math\nx = math.pi", "print(x, y)"]) == {"y"}
