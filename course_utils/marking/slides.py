"""Slides for the projector from a notebook: headings, figures, predictions, short code.

A slide holds a heading and the first paragraph below it; the rest goes into the speaker's notes
(press S).  Figures and predictions follow, without their code; code follows where it is short.
The pages need no network: what turns them and draws their formulas lies beside them.
A cell with slides of its own in its metadata (``slideshow``), or tagged ``no-slide``, is left so.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from traitlets.config import Config

from course_utils import command_line
from course_utils.errors import CourseError, MachineError, OptionError
from course_utils.paths import repository_root

LONGEST_CODE_LINES = 12
LONGEST_OUTPUT_LINES = 14
_HEADING = re.compile(r"^(#{1,4}) .*$", re.MULTILINE)
# Of the npm packages in deploy/: what lies beside the pages.
_BESIDE = {
    "reveal.js/dist": "reveal.js/dist",
    "reveal.js/plugin": "reveal.js/plugin",
    "requirejs/require.js": "require.js",
    "jquery/dist/jquery.min.js": "jquery.min.js",
    "mathjax/es5/tex-svg.js": "mathjax/tex-svg.js",
}
# nbconvert's page with a MathJax that lies beside it, and without drawings in Mermaid, which the
# course has none of: either would be fetched.
_TEMPLATE = r"""
{%- extends 'reveal/index.html.j2' -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}
<script>
window.MathJax = {
  tex: { inlineMath: [["$", "$"], ["\\(", "\\)"]], processEscapes: true, tags: "ams" },
  startup: {
    ready() {
      MathJax.startup.defaultReady();
      // nbconvert redraws formulas with each slide, as an older MathJax needs it.
      MathJax.Hub = { getAllJax: () => false };
    },
  },
};
</script>
<script src="mathjax/tex-svg.js"></script>
{%- endblock -%}
"""
_WIDGET = "application/vnd.jupyter.widget-view+json"


def marked(notebook: NotebookNode) -> NotebookNode:
    """A copy of the notebook whose cells say which slide they are."""
    cells = []
    for cell in notebook.cells:
        if "slideshow" in cell.metadata:
            cells.append(cell)
        elif "no-slide" in cell.metadata.get("tags", []):
            continue
        elif cell.cell_type == "markdown":
            cells += _text(cell.source)
        elif cell.cell_type == "code":
            cells += _code(cell)
    return NotebookNode({**notebook, "cells": cells})


def _text(source: str) -> list[NotebookNode]:
    if "hints and solution -->" in source[:200]:
        return []
    source = re.sub(r"<!--.*?-->", "", source, flags=re.DOTALL).strip()
    heading = _HEADING.search(source)
    if heading is None:
        return [_cell(source, "notes")] if source else []
    before, after = source[: heading.start()].strip(), source[heading.end() :].strip()
    first, _, rest = after.partition("\n\n")
    kind = "slide" if len(heading[1]) <= 2 else "subslide"
    cells = [_cell(before, "notes")] if before else []
    cells.append(_cell(f"{heading[0]}\n\n{first}".strip(), kind))
    return [*cells, _cell(rest, "notes")] if rest else cells


def _cell(source: str, kind: str) -> NotebookNode:
    return new_markdown_cell(source, metadata={"slideshow": {"slide_type": kind}})


def _code(cell: NotebookNode) -> list[NotebookNode]:
    outputs = [_without_widget(output) for output in cell.outputs]
    outputs = [output for output in outputs if output is not None]
    shown = any(
        {"text/html", "image/png", "image/svg+xml"} & set(o.get("data", {})) for o in outputs
    )
    asks = "predict(" in cell.source
    printed = "".join(o.get("text", "") for o in outputs if o.output_type == "stream")
    short = (
        len(cell.source.splitlines()) <= LONGEST_CODE_LINES
        and 0 < len(printed.splitlines()) <= LONGEST_OUTPUT_LINES
    )
    if not outputs or not (shown or asks or short):
        return []
    slide = NotebookNode({**cell, "outputs": outputs, "metadata": NotebookNode()})
    slide.metadata["slideshow"] = {"slide_type": "subslide"}
    if shown or asks:
        slide.metadata["tags"] = ["hide-code"]
    return [slide]


def _without_widget(output: NotebookNode) -> NotebookNode | None:
    """No kernel stands behind a slide: what a widget says in words is shown instead."""
    if output.output_type not in ("display_data", "execute_result") or _WIDGET not in output.data:
        return output
    data = {kind: value for kind, value in output.data.items() if kind != _WIDGET}
    return NotebookNode({**output, "data": data}) if data else None


def write(notebooks: list[Path], folder: Path) -> list[Path]:
    """Write a page of slides for each notebook, and what they need beside them; gives the pages.

    Raises OptionError for a file that is no notebook, MachineError where reveal.js is missing.
    """
    packages = repository_root() / "deploy" / "node_modules"
    if not all((packages / part).exists() for part in _BESIDE):
        raise MachineError("What turns the slides is not here (reveal.js).", "Run: make slides")
    for part, place in _BESIDE.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        if (packages / part).is_dir():
            shutil.copytree(packages / part, folder / place, dirs_exist_ok=True)
        else:
            shutil.copyfile(packages / part, folder / place)
    config = Config()
    config.SlidesExporter.reveal_url_prefix = "reveal.js"
    config.SlidesExporter.require_js_url = "require.js"
    config.SlidesExporter.jquery_url = "jquery.min.js"
    config.SlidesExporter.reveal_scroll = True
    config.TagRemovePreprocessor.remove_input_tags = {"hide-code"}
    config.SlidesExporter.preprocessors = ["nbconvert.preprocessors.TagRemovePreprocessor"]
    exporter, pages = SlidesExporter(config=config, raw_template=_TEMPLATE), []
    for path in notebooks:
        try:
            notebook = nbformat.read(path, as_version=4)
        except Exception as error:  # Whatever a broken file makes the parser raise.
            raise OptionError(
                f"{path} cannot be read as a notebook ({type(error).__name__}).",
                "Give the path of an .ipynb file.",
            ) from None
        page, _ = exporter.from_notebook_node(marked(notebook))
        pages.append(folder / f"{path.stem}.html")
        pages[-1].write_text(page, encoding="utf-8")
    return pages


def main() -> int:
    parser = command_line.parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK.ipynb")
    options = parser.parse_args()
    try:
        for page in write(options.notebooks, options.folder):
            print(page)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
