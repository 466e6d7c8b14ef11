"""Does a conversation keep its promises in a real JupyterLab: keyboard, folds, maths, safety?"""

import nbformat
import pytest

from tests import jupyterlab_browser as lab

CELLS = [
    """\
from course_utils.teaching import conversation
from tests.bigram_engine import BigramEngine
talk = conversation(BigramEngine(delay=0.05), "a cat?")
talk""",
    r'''
from course_utils.engines.protocol import Reply
from course_utils.teaching.widgets.chat.reply_view import ReplyView
view = ReplyView()
answer = r"""It costs $5 and $6; $x^2$ and \(y\).

\begin{align} a &= b \end{align}

<script>window.harm = 1</script> <img src=x onerror="window.harm = 1">
$\href{javascript:window.harm=1}{x}$ [a](javascript:window.harm=1) ![b](http://127.0.0.1:9/p.png)
"""
view.show("2+2?", Reply(thinking="$z$ <img src=x onerror='window.harm = 1'>", answer=answer),
          live=False)
view''',
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    try:
        lab.chromium()
    except lab.NoBrowser as reason:
        pytest.skip(str(reason))
    folder = tmp_path_factory.mktemp("written")
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, CELLS)))
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, folder / "talk.ipynb")
    with (
        lab.jupyterlab([folder / "talk.ipynb"], tmp_path_factory.mktemp("lab")) as server,
        lab.browser(height=1600) as browser,
    ):
        page = browser.new_page()
        lab.run_all(page, server, "talk.ipynb")
        yield page


def test_maths_is_typeset_and_what_a_model_writes_does_no_harm(page):
    cell = page.locator(".jp-CodeCell").nth(1)
    cell.locator("mjx-container").first.wait_for()
    page.wait_for_timeout(500)
    assert cell.locator("mjx-container").count() == 3
    assert "It costs $5 and $6;" in cell.locator(".jp-OutputArea").inner_text()
    assert cell.locator("img, .jp-OutputArea script, a").count() == 0
    assert page.evaluate("window.harm") is None


def test_settings_unfold_and_a_question_is_asked_by_keyboard(page):
    cell = page.locator(".jp-CodeCell").nth(0)
    slider = cell.locator(".widget-label", has_text="Temperature")
    assert not slider.is_visible()
    cell.locator("summary", has_text="Settings").focus()
    page.keyboard.press("Enter")
    slider.wait_for()
    page.keyboard.press("Enter")
    slider.wait_for(state="hidden")
    cell.get_by_role("button", name="Ask").focus()
    page.keyboard.press("Space")
    cell.get_by_text("tokens per second").wait_for()


def test_a_thought_that_the_reader_folds_stays_folded_while_it_grows(page):
    cell = page.locator(".jp-CodeCell").nth(0)
    ask = cell.locator("button", has_text="Ask")
    summary = cell.locator(".course-fold summary", has_text="Thought")
    thought = cell.locator(".course-fold-content", has=page.locator(".widget-html")).last
    # The reply to the question before, if there was one, is finished.
    cell.locator("button:not([disabled])", has_text="Ask").wait_for()
    ask.click()
    cell.locator("button[disabled]", has_text="Ask").wait_for()
    assert thought.is_visible()
    summary.click()
    thought.wait_for(state="hidden")
    cell.locator("button:not([disabled])", has_text="Ask").wait_for()
    assert not thought.is_visible()
    summary.click()
    thought.wait_for()
