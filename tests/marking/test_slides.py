"""Slides hold the headings, figures and predictions of a notebook, and none of its solutions."""

import re

import nbformat
import pytest

from course_utils.errors import OptionError
from course_utils.marking import slides
from course_utils.paths import repository_root

NOTEBOOKS = sorted((repository_root() / "notebooks").glob("??_*.ipynb"))


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
        for line in re.findall(r"^##? .*$", cell.source, re.MULTILINE)
    ]
    assert kinds(made)[0] == "slide" and kinds(made).count("slide") >= 0.8 * len(headings)
    pictures = sum(
        "image/png" in o.get("data", {}) for c in notebook.cells for o in c.get("outputs", [])
    )
    kept = sum("image/png" in o.get("data", {}) for c in made.cells for o in c.get("outputs", []))
    assert kept == pictures
    text = "\n".join(cell.source for cell in made.cells)
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


def test_a_page_is_written_and_needs_no_other_site_to_turn(tmp_path, monkeypatch):
    reveal = tmp_path / "deploy" / "node_modules" / "reveal.js"
    for part in ("dist", "plugin"):
        (reveal / part).mkdir(parents=True)
    monkeypatch.setattr(slides, "repository_root", lambda: tmp_path)
    page = slides.write(NOTEBOOKS[:1], tmp_path / "out")[0].read_text(encoding="utf-8")
    assert "reveal.js/dist/reveal.css" in page and "unpkg" not in page
    assert page.count("<section") > 10 and "accuracy_bars(" not in page


def test_a_file_that_is_no_notebook_is_named(tmp_path, monkeypatch):
    (tmp_path / "deploy" / "node_modules" / "reveal.js").mkdir(parents=True)
    for part in ("dist", "plugin"):
        (tmp_path / "deploy" / "node_modules" / "reveal.js" / part).mkdir()
    monkeypatch.setattr(slides, "repository_root", lambda: tmp_path)
    (tmp_path / "torn.ipynb").write_text('{"cells": [')
    with pytest.raises(OptionError, match=r"torn\.ipynb"):
        slides.write([tmp_path / "torn.ipynb"], tmp_path / "out")
