"""Whatever a model writes becomes a page: in time, without an error, without a tag of its own."""

import random
import re
import time

import pytest

from course_utils import teaching
from course_utils.teaching.widgets.chat import markdown
from tests.test_teaching_conversation import ATTRIBUTES, TAGS, _Page

# A base model that loops writes such things.  The blanks took 25 seconds (mistune#85); nested
# brackets are CVE-2026-49851, '[]( "' is mistune#191.
LOOPS = [
    " ",
    "\\",
    "$",
    "`",
    "[",
    "*",
    "<",
    "\n",
    "\\(",
    "\\[\n",
    "$$\n",
    "[](",
    '[]( "',
    "[a]: b\n",
]
LOOPS += ["- a\n  ", "> - ", "| a |\n|---|\n", "\\begin{align}\n", "$a ", "![[", "a\n===\n"]


@pytest.mark.parametrize("unit", LOOPS)
def test_no_repetition_of_a_model_holds_the_page_up(unit):
    text = (unit * 40_000)[: markdown.LONGEST_TEXT]
    start = time.process_time()
    page = teaching.markdown_html(text)
    # At most 0.4 s on an idle core, and 1.5 s on a busy one late in the whole run.
    assert time.process_time() - start < 6
    assert set(_Page(page).tags) <= TAGS


def test_a_text_longer_than_any_answer_is_shown_as_it_is():
    page = teaching.markdown_html("**a** <b>" * 40_000)
    assert page.count("**a** &lt;b&gt;") == 40_000
    assert _Page(page).tags == ["div", "pre"]


MARKS = [*LOOPS, "</div>", "<script>", "<img src=x onerror=y>", "](javascript:x)", "](http://a)"]
MARKS += [
    "$x$",
    "\\)",
    "\\]",
    "~~~\n",
    "```\n",
    "**",
    "_",
    '"',
    "&lt;",
    "&#60;",
    "\x00",
    "\ud83d",
    "|",
]


def test_no_mixture_of_marks_is_an_error_or_brings_a_tag_along():
    draw = random.Random(1)
    for _ in range(400):
        text = "".join(draw.choices(MARKS, k=draw.randint(1, 12)))
        page = _Page(teaching.markdown_html(text))
        assert set(page.tags) <= TAGS, text
        assert {name for name, _ in page.attributes} <= ATTRIBUTES, text
        for name, value in page.attributes:
            assert name != "href" or re.match(r"https?://", value), text


def test_an_error_of_the_library_costs_no_answer(monkeypatch):
    def fails(_text):
        raise RecursionError

    monkeypatch.setattr(markdown, "_convert", fails)
    assert "<pre>a &lt;b&gt;</pre>" in teaching.markdown_html("a <b>")


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        ("\\( a", ""),
        ("a \\(b\\) c \\(d", "\\(b\\)"),
        ("\\[ a\n\nb", ""),
        ("$$ a", ""),
        ("\\begin{align} a", ""),
        ("\\(" + "x" * 5000 + "\\)", ""),
        ("\\begin{cases}a\\end{cases}", "\\begin{cases}a\\end{cases}"),
    ],
)
def test_a_formula_without_its_end_is_text(text, formulas):
    assert _Page(teaching.markdown_html(text)).formulas.strip() == formulas
