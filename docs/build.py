"""Build the course's site: ``python docs/build.py [folder]`` (``make site``), by default ``_site``.

The sources are gathered in a folder of their own, laid out as in the repository so that links
between notebooks and pages hold: the notebooks with the outputs that are committed, the pages of
``docs/``, what is generated (the models for the playground, recorded training runs, every remedy
that an error of the course names, the pages of the public functions), and llama.cpp in WebAssembly
from npm.  Then Sphinx writes the site.  Only npm's registry is asked for anything.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote

import nbformat
import previews
import remedies
from docutils.nodes import make_id
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
        _copy_linked(sources.resolve())
        _copy_static(sources / "_static", packages)
        page = _LINK_INSIDE.sub(_as_sphinx_links, remedies.page())
        (sources / "troubleshooting.md").write_text(page, encoding="utf-8")
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
                guess = previews.revealed(cell.source)
                shown = map(previews.preview, cell.outputs)
                cell.outputs = [output for output in (guess, *shown) if output is not None]
                for output in cell.outputs:
                    _lead_inside(output.get("data", {}))
        nbformat.write(notebook, folder / path.name)


# JupyterLab keeps a heading's words in a link to it; Sphinx writes them small, without signs.
_LINK_INSIDE = re.compile(r"\]\(([\w./-]*)#([^)]+)\)")


def _as_sphinx_links(link: re.Match) -> str:
    if link[1] and not link[1].endswith(".ipynb"):
        return link[0]
    place = re.sub(r"[^\w-]", "", link[2].lower())
    return f"]({link[1]}#{place})"


def _lead_inside(data: dict) -> None:
    """Lead the links of an output's HTML to the headings' ids, which docutils makes."""
    if "text/html" in data:
        data["text/html"] = re.sub(
            r'href="#([^"]+)"',
            lambda link: f'href="#{make_id(unquote(html.unescape(link[1])))}"',
            data["text/html"],
        )


def _copy_linked(sources: Path) -> None:
    """Bring what pages and notebooks link to in the repository: cards of models, programs."""
    waiting = [*sources.rglob("*.md"), *sources.rglob("*.ipynb")]
    while waiting:
        page = waiting.pop()
        for link in re.findall(r"\]\(([\w./-]+)", page.read_text(encoding="utf-8")):
            target = (page.parent / link).resolve()
            if target.exists() or not target.is_relative_to(sources):
                continue
            origin = repository_root() / target.relative_to(sources)
            if not origin.is_file():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(origin, target)
            if target.suffix == ".md":  # a page that no list of contents leads to
                text = target.read_text(encoding="utf-8")
                target.write_text(f"---\norphan: true\n---\n\n{text}", encoding="utf-8")
                waiting.append(target)


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
