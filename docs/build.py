"""Build the course's site: ``python docs/build.py [folder]`` (``make site``), by default ``_site``.

The sources are gathered in a folder of their own, laid out as in the repository so that links
between notebooks and pages hold: the notebooks with the outputs that are committed, the pages of
``docs/``, what is generated (the models for the playground, recorded training runs, every remedy
that an error of the course names, the pages of the public functions), and llama.cpp in WebAssembly
from npm.  Then Sphinx writes the site.  Only npm's registry is asked for anything.
"""

from __future__ import annotations

import argparse
import ast
import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
from sphinx.cmd.build import build_main

from course_utils.hashing import hash_file
from course_utils.logs import read_log
from course_utils.paths import nano_folder, repository_root
from course_utils.teaching.exercises.folded import with_place

DOCS = Path(__file__).resolve().parent
# The files of the nano models that the playground's pages ask for.
MODELS = ("thinker", "base", "looper", "looper-cured", "mixer", "mixer-cured")
# Recorded runs that kept their likeliest reply to one question, by the name the page shows.
RECORDED = {
    "GRPO as published": "objective-grpo.csv",
    "DAPO's averages and clip": "objective-dapo.csv",
    "Dr. GRPO": "objective-dr-grpo.csv",
    "no baseline": "objective-no-baseline.csv",
}
RECORDING_COMMAND = "python -m course_utils.nano.experiments.objectives"
# What the site documents of the code: what a notebook imports.
DOCUMENTED = (
    "course_utils.engines",
    "course_utils.engines.protocol",
    "course_utils.engines.sampling",
    "course_utils.model_files.capacity",
    "course_utils.model_files.catalogue",
    "course_utils.model_files.quantisation",
    "course_utils.download",
    "course_utils.nano.grpo",
    "course_utils.nano.verifiers",
    "course_utils.agents",
    "course_utils.evaluation.statistics",
    "course_utils.intervals",
    "course_utils.errors",
)
# The pages that hold the others; the rest of docs/ keeps its folder.
FRAME = ("index.md", "course.md", "reference.md", "conf.py")
# Where the picture of a widget is alive on the site, by the widget's function in the cell.
ALIVE = {
    "chat(": "playground/talk",
    "sampling_lab(": "playground/next_token",
    "compare_models(": "playground/base_and_thinker",
}
WIDGET = "application/vnd.jupyter.widget-view+json"


class SiteError(Exception):
    """The site cannot be built; the message says why and what to do."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the course's site.")
    parser.add_argument("folder", nargs="?", type=Path, default=repository_root() / "_site")
    wanted = parser.parse_args()
    try:
        build(wanted.folder)
    except SiteError as error:
        raise SystemExit(str(error)) from None


def build(folder: Path) -> None:
    """Write the site to ``folder``, which is made anew. Raises SiteError."""
    packages = _npm_packages()
    with tempfile.TemporaryDirectory() as name:
        sources = Path(name)
        _copy_pages(sources)
        _copy_notebooks(sources / "notebooks")
        _copy_static(sources / "_static", packages)
        (sources / "troubleshooting.md").write_text(troubleshooting(), encoding="utf-8")
        (sources / "api.md").write_text(_api(), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        # -W: a broken link or a page that nothing leads to is a fault.
        if build_main(["-q", "-W", "--keep-going", "-j", "auto", str(sources), str(folder)]):
            raise SiteError("Sphinx found the faults above.")
    shutil.rmtree(folder / ".doctrees", ignore_errors=True)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder / 'index.html'} ({size / 1e6:.0f} MB); serve it with:")
    print(f"  {Path(sys.executable).name} -m http.server --bind 127.0.0.1 --directory {folder}")


def _npm_packages() -> Path:
    """The folder of the npm packages; installs them where their versions are not there yet."""
    packages = DOCS / "node_modules"
    installed = packages / ".package-lock.json"
    wanted = json.loads((DOCS / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    wanted.pop("")
    if installed.exists():
        there = json.loads(installed.read_text(encoding="utf-8"))["packages"]
        if {name: each["version"] for name, each in there.items()} == {
            name: each["version"] for name, each in wanted.items()
        }:
            return packages
    npm = shutil.which("npm")
    if npm is None:
        raise SiteError("npm is missing. Install Node.js 20 or newer, which brings it.")
    if subprocess.run([npm, "ci", "--silent"], cwd=DOCS).returncode:
        raise SiteError("npm could not bring llama.cpp for browsers; is its registry in reach?")
    return packages


def _copy_pages(sources: Path) -> None:
    pages = sources / "docs"
    pages.mkdir()
    for path in DOCS.iterdir():
        if path.suffix in (".md", ".svg", ".png") and path.name not in FRAME:
            shutil.copy(path, pages)
    shutil.copytree(DOCS / "playground", sources / "playground")
    for name in FRAME:
        shutil.copy(DOCS / name, sources)


def _copy_notebooks(folder: Path) -> None:
    folder.mkdir()
    for path in sorted((repository_root() / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = _LINK_INSIDE.sub(_as_sphinx_links, with_place(cell.source))
            elif cell.cell_type == "code":
                cell.outputs = [_preview(output, cell.source) for output in cell.outputs]
        nbformat.write(notebook, folder / path.name)


# JupyterLab keeps a heading's words in a link to it; Sphinx writes them small, without signs.
_LINK_INSIDE = re.compile(r"\]\(([\w./-]*)#([^)]+)\)")


def _as_sphinx_links(link: re.Match) -> str:
    if link[1] and not link[1].endswith(".ipynb"):
        return link[0]
    place = re.sub(r"[^\w-]", "", link[2].lower())
    return f"]({link[1]}#{place})"


def _preview(output: nbformat.NotebookNode, source: str) -> nbformat.NotebookNode:
    """A widget's output as a page without a kernel can show it; other outputs as they are."""
    if WIDGET not in output.get("data", {}):
        return output
    page = next((page for call, page in ALIVE.items() if call in source), None)
    if question := _question(source):
        shown = question
    elif page:
        shown = f'<p>Here a widget runs. <a href="../{page}.html">Try it in this site.</a></p>'
    else:
        shown = "<p>Here a widget runs. Open the notebook on your machine to move it.</p>"
    return nbformat.v4.new_output(
        "display_data", data={"text/html": f'<div class="needs-kernel">{shown}</div>'}
    )


def _question(source: str) -> str | None:
    """The question and the choices of a cell that asks for a prediction, where they are texts."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "predict":
            asked = {each.arg: each.value for each in node.keywords}.get("question")
            choices = next((each for each in node.args if isinstance(each, ast.List)), None)
            if asked is None or choices is None:
                return None
            texts = [_words(each) for each in (asked, *choices.elts)]
            if not all(texts):
                return None
            first, *rest = (html.escape(text) for text in texts)
            items = "".join(f"<li>{each}</li>" for each in rest)
            return (
                f"<p><strong>Your guess, before you read on:</strong> {first}</p><ul>{items}</ul>"
            )
    return None


def _copy_static(static: Path, packages: Path) -> None:
    shutil.copytree(DOCS / "_static", static)
    wllama, engine, models, data = (
        packages / "@wllama" / "wllama",
        static / "wllama",
        static / "models",
        static / "data",
    )
    for folder in (engine, models, data, static / "mathjax"):
        folder.mkdir()
    shutil.copy(wllama / "esm" / "index.min.js", engine)
    shutil.copy(wllama / "LICENCE", engine / "LICENCE.txt")
    shutil.copy(wllama / "esm" / "wasm" / "wllama.wasm", models)
    shutil.copy(packages / "mathjax" / "es5" / "tex-svg.js", static / "mathjax")
    for name in MODELS:
        shutil.copy(nano_folder() / f"{name}.gguf", models)
    manifest = {
        path.name: {"bytes": path.stat().st_size, "sha256": hash_file(path)}
        for path in sorted(models.iterdir())
    }
    (models / "manifest.json").write_text(json.dumps({"files": manifest}, indent=1))
    (data / "grpo.json").write_text(json.dumps(recorded_runs(), ensure_ascii=False))


def recorded_runs() -> dict[str, object]:
    """The first seed of each recorded run, one item for each step that kept its reply."""
    runs = {}
    for title, name in RECORDED.items():
        runs[title] = [
            {
                "step": row["step"],
                "reward": None if row["reward"] == "" else row["reward"],
                "accuracy": None if row["accuracy"] == "" else row["accuracy"],
                "reply": row["reply"].strip(),
            }
            for row in read_log(nano_folder() / "runs" / name, text={"reply"})
            if row["seed"] == 1 and row["reply"]
        ]
    from course_utils.nano.experiments import objectives

    return {"runs": runs, "question": objectives.QUESTION, "command": RECORDING_COMMAND}


def troubleshooting() -> str:
    """A page of every problem that an error of the course names, with its remedy."""
    lines = [
        "# Troubleshooting",
        "",
        "Every error of the course says what is wrong and what to do. This page lists them all, so "
        "that a search finds yours. “…” stands for what depends on your machine. What people ask "
        "about QwQ-32B itself (endless thoughts, empty answers, missing tags) is answered in "
        "[Running QwQ-32B](notebooks/06_running_qwq_32b_on_cpu.ipynb).",
    ]
    for part, faults in sorted(_faults_by_part().items()):
        lines += ["", f"## {part}", ""]
        for problem, remedy in sorted(faults):
            lines += [f"{_plain(problem)}", f": {_plain(remedy)}", ""]
    return "\n".join(lines) + "\n"


def _faults_by_part() -> dict[str, set[tuple[str, str]]]:
    parts: dict[str, set[tuple[str, str]]] = {}
    package = repository_root() / "course_utils"
    for path in sorted(package.rglob("*.py")):
        part = path.relative_to(package).parts[0].removesuffix(".py").replace("_", " ")
        for fault in _faults(ast.parse(path.read_text(encoding="utf-8"))):
            parts.setdefault(part.capitalize(), set()).add(fault)
    return parts


def _faults(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The problem and the remedy of each ``SomeError(problem, remedy)`` that is told in words."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and len(node.args) >= 2):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if not name.endswith("Error"):
            continue
        problem, remedy = (_words(argument) for argument in node.args[:2])
        if problem and remedy and problem.strip("… .") and remedy.strip("… ."):
            yield problem, remedy


def _words(node: ast.expr) -> str | None:
    """A text or f-string in words, with "…" for what is filled in; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            part.value if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    return None


def _plain(text: str) -> str:
    """Text for Markdown, with nothing in it that Markdown reads as more than text."""
    line = " ".join(text.split())
    return "".join(f"\\{each}" if each in "\\`*_{}[]<>()#+-!|$~" else each for each in line)


def _api() -> str:
    lines = [
        "# Public functions",
        "",
        "What the notebooks use. Everything raises errors that say what to do.",
        "",
    ]
    for module in DOCUMENTED:
        lines += [
            f"## `{module}`",
            "",
            "```{eval-rst}",
            f".. automodule:: {module}",
            "   :members:",
            "   :no-index:",
            "```",
            "",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
