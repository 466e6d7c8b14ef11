"""Every widget of every notebook has a form that a page without a kernel can show."""

import html
import json
import re

import nbformat
import pytest

from course_utils.paths import repository_root
from tests.site.conftest import program

ROOT = repository_root()
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def previews():
    return program("previews")


def widgets(previews, notebook):
    """The plain text of each widget's output in a notebook, and the HTML that stands for it."""
    for cell in nbformat.read(notebook, as_version=4).cells:
        for output in cell.get("outputs", []):
            if previews.WIDGET in output.get("data", {}):
                shown = previews.preview(output)
                if shown is not None:
                    yield output["data"].get("text/plain", ""), shown["data"]["text/html"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name[:2])
def test_every_widget_is_shown_or_asked_in_the_page(previews, notebook):
    for text, shown in widgets(previews, notebook):
        if text.startswith(("Prediction: ", "Vote on each claim")):
            assert 'type="radio"' in shown
            continue
        assert "Needs a running notebook." in shown
        told = html.unescape(re.sub("<[^>]+>", " ", shown))
        below = "stands below" in told or "stand below" in told  # as it was when it ran
        assert below or "_static/widgets/" in shown, f"nothing to see of: {text}"


def test_a_progress_bar_leaves_nothing_behind(previews):
    bar = {"text/plain": "loading the model:   0%|          | 0/100 [00:00<?, ?%/s]"}
    output = nbformat.v4.new_output("display_data", data={previews.WIDGET: {}, **bar})
    assert previews.preview(output) is None


def test_every_picture_and_every_page_of_the_playground_is_there(previews):
    for kind in previews.KINDS:
        if kind.picture:
            assert (previews.PICTURES / f"{kind.picture}.png").is_file()
        if kind.page:
            assert (ROOT / "docs" / f"{kind.page}.md").is_file()


def test_every_kind_and_every_picture_is_in_use(previews):
    texts = [text for path in NOTEBOOKS for text, _ in widgets(previews, path)]
    for kind in previews.KINDS:
        assert any(text.startswith(kind.begins) for text in texts), kind
    pictures = {path.stem for path in previews.PICTURES.glob("*.png")}
    assert pictures == {kind.picture for kind in previews.KINDS if kind.picture}


def test_a_result_without_a_prediction_in_its_notebook_has_no_place_for_one(previews):
    for path in NOTEBOOKS:
        text = path.read_text(encoding="utf-8")
        asked = set(re.findall(r"In code: predict\('([\w.]+)'", text))
        for cell in json.loads(text)["cells"]:
            place = previews.revealed("".join(cell["source"]))
            if place is not None and cell["cell_type"] == "code":
                name = re.search(r'data-revealed="([\w.]+)"', place["data"]["text/html"])[1]
                assert name in asked
