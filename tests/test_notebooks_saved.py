"""A notebook is committed as it was run: nbval compares nothing where there is nothing."""

import json
import sys
from types import SimpleNamespace

import pytest

from course_utils.paths import repository_root
from tests import nbval_patience

NOTEBOOKS = sorted((repository_root() / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])
def test_every_cell_was_run_once_from_top_to_bottom_and_none_failed(path):
    """nbval runs a cell without a number, and silently compares none of its outputs."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    numbers = [cell["execution_count"] for cell in code if "".join(cell["source"]).strip()]
    assert numbers == list(range(1, len(numbers) + 1))
    for cell in code:
        may_fail = "raises-exception" in cell["metadata"].get("tags", [])
        kinds = {output["output_type"] for output in cell["outputs"]}
        streams = {output.get("name") for output in cell["outputs"]}
        assert may_fail or not {"error"} & kinds, "".join(cell["source"])
        assert "stderr" not in streams, "".join(cell["source"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])
def test_a_saved_notebook_names_no_machine_and_keeps_no_widgets_state(path):
    """Saved states show widgets that answer to nobody (ipywidgets#624), and weigh megabytes."""
    text = path.read_text(encoding="utf-8")
    assert "widgets" not in json.loads(text)["metadata"]
    assert sys.prefix not in text and str(repository_root()) not in text
    assert path.stat().st_size < 2_000_000


def test_nbval_is_told_to_be_patient():
    slow, other = SimpleNamespace(output_timeout=5), SimpleNamespace()
    nbval_patience.pytest_collection_modifyitems([slow, other])
    assert slow.output_timeout >= 30 and not vars(other)
    makefile = (repository_root() / "Makefile").read_text(encoding="utf-8")
    assert "-p tests.nbval_patience" in makefile
