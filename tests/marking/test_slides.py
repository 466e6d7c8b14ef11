"""Slides hold the headings, figures and predictions of a notebook, and none of its solutions."""

import json
import re

import nbformat
import pytest

from course_utils.errors import OptionError
from course_utils.marking import slides
from course_utils.paths import repository_root
from tests import jupyterlab_browser as lab

NOTEBOOKS = sorted((repository_root() / "notebooks").glob("??_*.ipynb"))
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def kinds(notebook):
    return [cell.metadata["slideshow"]["slide_type"] for cell in notebook.cells]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_becomes_slides(path):
    notebook = nbformat.read(path, as_version=4)
    made = slides.marked(notebook)
    headings = [
        line
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        # "# ..." in a solution is a comment of its code.
        for line in re.findall(r"^##? .*$", FENCED.sub("", cell.source), re.MULTILINE)
    ]
    assert kinds(made)[0] == "slide" and kinds(made).count("slide") >= 0.8 * len(headings)
    pictures = sum(
        "image/png" in o.get("data", {}) for c in notebook.cells for o in c.get("outputs", [])
    )
    kept = sum("image/png" in o.get("data", {}) for c in made.cells for o in c.get("outputs", []))
    assert kept == pictures
    text = "\n".join(cell.source for cell in made.cells)
    shown = json.dumps([cell.get("outputs", []) for cell in made.cells], ensure_ascii=False)
    assert "Waiting for you" not in shown and "In code: " not in shown
    predictions = sum("predict(" in cell.source for cell in made.cells)
    assert shown.count("<p>Prediction: ") >= predictions
    assert "<summary>Solution</summary>" not in text
    assert all(
        len(cell.source.splitlines()) <= slides.LONGEST_CODE_LINES
        for cell in made.cells
        if cell.cell_type == "code" and "hide-code" not in cell.metadata.get("tags", [])
    )


def test_what_the_author_has_marked_stays_so():
    cell = nbformat.v4.new_markdown_cell(
        "Words", metadata={"slideshow": {"slide_type": "fragment"}}
    )
    hidden = nbformat.v4.new_markdown_cell("# No", metadata={"tags": ["no-slide"]})
    made = slides.marked(nbformat.v4.new_notebook(cells=[cell, hidden]))
    assert kinds(made) == ["fragment"]


@pytest.fixture
def libraries(tmp_path, monkeypatch):
    """Empty files in the place of npm's packages."""
    for part in slides._BESIDE:
        place = tmp_path / "deploy" / "node_modules" / part
        if place.suffix == ".js":
            place.parent.mkdir(parents=True)
            place.touch()
        else:
            place.mkdir(parents=True)
    monkeypatch.setattr(slides, "repository_root", lambda: tmp_path)


def test_a_page_is_written_without_the_code_of_its_figures(tmp_path, libraries):
    page = slides.write(NOTEBOOKS[:1], tmp_path / "out")[0].read_text(encoding="utf-8")
    assert page.count("<section") > 10 and "accuracy_bars(" not in page


def test_slides_turn_and_their_formulas_are_drawn_without_a_network(tmp_path, npm_packages):
    """In a browser, from their folder alone; nothing is even asked for elsewhere."""
    with_formulas = [path for path in NOTEBOOKS if path.name[:2] == "03"]
    (file,) = slides.write(with_formulas, tmp_path / "out")
    asked, faults = [], []
    try:
        lab.chromium()
    except lab.NoBrowser as reason:
        pytest.skip(str(reason))
    with lab.browser() as context:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(file.as_uri())
        page.locator(".reveal.ready").wait_for()
        page.locator("mjx-container svg").first.wait_for(state="attached")
        first = page.locator("section.present h1, section.present h2").first.inner_text()
        for _ in range(4):
            page.keyboard.press("Space")
        page.wait_for_function(
            "first => !document.querySelector('section.present').innerText.includes(first)",
            arg=first,
        )
        assert page.locator("mjx-merror").count() == 0
    assert faults == [] and [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_a_file_that_is_no_notebook_is_named(tmp_path, libraries):
    (tmp_path / "torn.ipynb").write_text('{"cells": [')
    with pytest.raises(OptionError, match=r"torn\.ipynb"):
        slides.write([tmp_path / "torn.ipynb"], tmp_path / "out")
