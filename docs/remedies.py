"""The troubleshooting page: every problem that an error of the course names, with its remedy.

They are read out of the code (``faults.py``), so that none is missing.  The questions about QwQ-32B
itself are those of notebook 06, word for word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import faults

from course_utils.paths import repository_root

NOTEBOOK = repository_root() / "notebooks" / "06_running_qwq_32b_on_cpu.ipynb"
SECTION = "## When something goes wrong"
# What a reader calls the parts; the rest is "Anything else".
PARTS = {
    "installation": "Setting up",
    "selftest": "Setting up",
    "chat": "Talking to a model in the terminal",
    "download": "Downloading a model",
    "network": "The network",
    "model_files": "Model files and memory",
    "machine": "Model files and memory",
    "engines": "Opening and running a model",
    "classroom": "A server for a class",
    "marking": "Marking",
    "nano": "Training the small models",
    "agents": "Agents and tools",
    "evaluation": "Benchmarks and claims",
    "teaching": "Figures, widgets and exercises",
}
OTHER = "Anything else"


def page() -> str:
    """The page, in Markdown."""
    lines = [
        "# Troubleshooting",
        "",
        "Every error of the course says what is wrong and what to do. This page lists them all, so "
        "that a search finds yours; “…” stands for what depends on your machine. It begins with "
        "what people ask most about QwQ-32B itself. `make check` looks at your machine.",
        "",
        "## Running QwQ-32B",
        "",
        *_questions(),
    ]
    for part, pairs in faults_by_part().items():
        lines += ["", f"## {part}", ""]
        for problem, remedy in sorted(pairs):
            lines += [_plain(problem), f": {_plain(remedy)}", ""]
    return "\n".join(lines) + "\n"


def faults_by_part() -> dict[str, set[faults.Pair]]:
    """All problems with their remedies, by the part of the course that they belong to."""
    parts: dict[str, set[faults.Pair]] = {part: set() for part in (*PARTS.values(), OTHER)}
    for module in faults.modules().values():
        name = module.path.relative_to(faults.PACKAGE).parts[0].removesuffix(".py")
        parts[PARTS.get(name, OTHER)].update(faults.faults(module))
    script = (repository_root() / "docs/_static/playground/engine.js").read_text(encoding="utf-8")
    parts["The playground in your browser"] = set(_faults_of_script(script))
    return {part: pairs for part, pairs in parts.items() if pairs}


def _questions() -> list[str]:
    """Notebook 06's answers to what people report, its links led from this page."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    first = next(number for number, text in enumerate(texts) if text.startswith(SECTION))
    answers = [text for text in texts[first:] if "### " in text]
    last = next((n for n, text in enumerate(answers) if n and text.startswith("## ")), len(answers))
    here = f"notebooks/{NOTEBOOK.name}"
    # A text that ends in a colon opens onto a cell of the notebook.
    answers = [re.sub(r":\s*\Z", f" ([it is shown there]({here})).", each) for each in answers]
    whole = "\n\n".join(answers[:last])
    whole = whole[whole.index("### ") :]
    return [whole.replace("](#", f"]({here}#").replace("](../docs/", "](docs/")]


def _faults_of_script(script: str) -> Iterator[faults.Pair]:
    """The same for the playground: ``new PlaygroundError("problem", "remedy")``."""
    text = r"""(["`])((?:(?!\{quote}).)*)\{quote}"""
    pattern = r"new PlaygroundError\(\s*" + text.format(quote="1") + r",\s*"
    pattern += text.format(quote="3")
    for _, problem, _, remedy in re.findall(pattern, script):
        yield tuple(re.sub(r"\$\{[^}]*\}", faults.UNKNOWN, each) for each in (problem, remedy))


def _plain(text: str) -> str:
    """Text for Markdown, with nothing in it that Markdown reads as more than text."""
    return "".join(f"\\{each}" if each in "\\`*_{}[]<>()#+-!|$~" else each for each in text)
