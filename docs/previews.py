"""What the site shows where a notebook has a widget, which needs a running notebook to move.

Each widget's output carries a plain text: what it is, and the plain code that does the same.  The
site shows that text, the widget's picture where there is one (``make pictures`` takes them from a
running JupyterLab), and the page of the playground that does the same, where one does.  Predictions
and votes need no kernel: they are asked in the page itself.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat

from course_utils.evaluation.claims import VERDICTS, Claim, load_claims

WIDGET = "application/vnd.jupyter.widget-view+json"
BAR = re.compile(r"\d+%\|.*\| \d+/\d+ ")
PREDICTION = re.compile(r"Prediction: (.*?)  (\(1\) .*)\nIn code: predict\('([\w.]+)'", re.DOTALL)
PICTURES = Path(__file__).resolve().parent / "_static" / "widgets"


@dataclass(frozen=True)
class Kind:
    """A kind of widget: how its text begins, its picture, and its page of the playground."""

    begins: str
    picture: str = ""  # the name of a file in _static/widgets, without .png
    page: str = ""  # below the site's root, without .html


KINDS = (
    Kind("Conversation with", "conversation", "playground/talk"),
    Kind("Next-token chart", "next_token_stepper", "playground/next_token"),
    Kind("Sampling lab", "sampling_lab", "playground/next_token"),
    Kind("Attention explorer", "attention_explorer"),
    Kind("Memory explorer", "memory_explorer"),
    Kind("A menu of failures", "failure_menu", "playground/loops"),
    Kind("Left to itself: how is the work", "router_alone"),
    Kind("Balanced: how is the work", "router_balanced"),
    Kind("Decision chart", "decision_chart"),
    Kind("Capacity planner", "capacity_planner"),
    Kind("Rehearsal of", "rehearsal_button"),
    Kind("Score comparison", "score_comparison"),
    Kind("A run in lanes", "trace_viewer"),
    Kind("Score card", "score_card"),
    # Shown finished below, as it was when the notebook ran.
    Kind("Does reward alone lead to right answers?", page="playground/grpo"),
)


def preview(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """A widget's output as a page without a kernel can show it; other outputs as they are.

    None for a progress bar, which has nothing to show once its work is done.
    """
    data = output.get("data", {})
    if WIDGET not in data:
        return output
    text = data.get("text/plain", "")
    if BAR.search(text):
        return None
    return nbformat.v4.new_output("display_data", data={"text/html": _shown(text)})


def revealed(source: str) -> nbformat.NotebookNode | None:
    """The place for a reader's own guess above the output of a cell that reveals the result."""
    found = re.search(r"""\breveal\(\s*["']([\w.]+)["']""", source)
    if found is None:
        return None
    place = f'<p class="guess-made" data-revealed="{html.escape(found[1])}" hidden></p>'
    return nbformat.v4.new_output("display_data", data={"text/html": place})


def _shown(text: str) -> str:
    if asked := PREDICTION.match(text):
        question, options, name = asked.groups()
        return _guess(name, question, re.split(r"\s*\(\d+\) ", options)[1:])
    if text.startswith("Vote on each claim"):
        numbers = map(int, re.findall(r"^\s*(\d+)\. ", text, re.MULTILINE))
        claims = {claim.number: claim for claim in load_claims()}
        return "".join(_vote(claims[number]) for number in numbers)
    if not text:
        return _needs_a_kernel(
            "When you run the notebook, the reply is written here, token by token. It stands below "
            "as it came out.",
            page="playground/talk",
        )
    what, _, code = text.partition("\nIn code: ")
    kind = next((kind for kind in KINDS if what.startswith(kind.begins)), Kind(""))
    first = what.replace(" (a widget)", "").rstrip(".:")
    if first.endswith("(charts that grow)"):
        words = f"{first.removesuffix('(charts that grow)')} The charts grow here while it trains."
        return _needs_a_kernel(f"{words} They stand below, finished.", page=kind.page)
    return _needs_a_kernel(f"{first}.", code, kind.picture, kind.page)


def _needs_a_kernel(words: str, code: str = "", picture: str = "", page: str = "") -> str:
    parts = [f"<p><strong>Needs a running notebook.</strong> {html.escape(words)}"]
    if page:
        parts.append(f' <a href="../{page}.html">Try it here, in your browser.</a>')
    parts.append("</p>")
    if picture:
        # Alt text: the sentence above says what it is, and this one what the picture adds.
        parts.append(
            f'<img src="../_static/widgets/{picture}.png" loading="lazy" '
            f'alt="The widget in a running notebook: {html.escape(words)}">'
        )
    if code:
        lines = "<br>".join(
            f"<code>{html.escape(line)}</code>" for line in code.split("\nIn code: ")
        )
        parts.append(f"<p>In code: {lines}</p>")
    return f'<div class="needs-kernel">{"".join(parts)}</div>'


def _guess(name: str, question: str, options: list[str]) -> str:
    """A prediction as a choice in the page; ``predictions.js`` shows it again beside the result."""
    asked = f"Your guess, before you read on: {question}"
    return _choice(f"guess {name}", asked, options, f' data-prediction="{html.escape(name)}"')


def _vote(claim: Claim) -> str:
    """A claim with its four verdicts to choose from, and the answer key folded below."""
    sources = "; ".join(
        f'<a href="{html.escape(source.url)}">{html.escape(source.title)}</a>'
        for source in claim.sources
    )
    said = [
        f"<strong>The answer key says: {claim.verdict}.</strong>",
        html.escape(claim.explanation),
    ]
    said += [html.escape(f"{label}: {value}") for label, value in (claim.compute() or {}).items()]
    if claim.uncertain:
        said.append(f"<em>What remains uncertain:</em> {html.escape(claim.uncertain)}")
    said.append(f"Sources: {sources}")
    key = "".join(f"<p>{each}</p>" for each in said)
    choice = _choice(f"vote {claim.number}", f"{claim.number}. {claim.says}", VERDICTS)
    return f"{choice}<details><summary>Verdict on claim {claim.number}</summary>{key}</details>"


def _choice(name: str, question: str, options: Sequence[str], attributes: str = "") -> str:
    choices = "".join(
        f'<label><input type="radio" name="{html.escape(name)}" value="{html.escape(option)}"> '
        f"{html.escape(option)}</label>"
        for option in options
    )
    return (
        f'<fieldset class="guess"{attributes}><legend>{html.escape(question)}</legend>'
        f"{choices}</fieldset>"
    )
