"""What JupyterLab promises a learner: notebooks run, a slider moves its chart, a menu its text."""

import nbformat
import pytest
from playwright.sync_api import expect

from course_utils.paths import repository_root
from course_utils.teaching.widgets.training_live import SHORT_RUNS
from tests import jupyterlab_browser as lab

NOTEBOOKS = {
    number: next(iter(sorted((repository_root() / "notebooks").glob(f"{number}_*.ipynb"))), None)
    for number in ("00", "01", "04")
}

# A slider over a chart, as the course's widgets are built: nothing of the course is needed.
SLIDER_CELL = """\
import base64, io
import ipywidgets
from matplotlib.figure import Figure

slider = ipywidgets.IntSlider(value=1, min=1, max=9, description="Bars:")
chart = ipywidgets.HTML()

def draw(change=None):
    figure = Figure(figsize=(3, 2))
    figure.subplots().bar(range(slider.value), range(slider.value))
    file = io.BytesIO()
    figure.savefig(file)
    picture = base64.b64encode(file.getvalue()).decode()
    chart.value = f'<img alt="{slider.value} bars" src="data:image/png;base64,{picture}">'

slider.observe(draw, "value")
draw()
ipywidgets.VBox([slider, chart])
"""


@pytest.fixture(scope="session")
def chromium():
    try:
        return lab.chromium()
    except lab.NoBrowser as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def scratch_notebooks(tmp_path_factory):
    """Two small notebooks: one with a slider over a chart, one whose second cell fails."""
    folder = tmp_path_factory.mktemp("written")
    cells = {"slider": ["1 + 1", SLIDER_CELL], "failing": ["1 + 1", "1 / 0", "2 + 2"]}
    for name, sources in cells.items():
        notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, sources)))
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, folder / f"{name}.ipynb")
    return sorted(folder.glob("*.ipynb"))


@pytest.fixture(scope="module")
def server(chromium, scratch_notebooks, tmp_path_factory):
    """A JupyterLab in which live training is cut short."""
    present = [notebook for notebook in NOTEBOOKS.values() if notebook]
    folder = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as short:
        short.setenv(SHORT_RUNS, "1")
        with lab.jupyterlab([*scratch_notebooks, *present], folder) as running:
            yield running


@pytest.fixture(scope="module")
def browser(chromium):
    with lab.browser() as running:
        yield running


@pytest.fixture
def page(browser):
    page = browser.new_page()
    yield page
    page.close()


def notebook(number):
    if NOTEBOOKS[number] is None:
        pytest.skip(f"notebooks/{number}_*.ipynb is not written yet")
    return NOTEBOOKS[number].name


def move_first_slider_and_see_a_picture_change(page):
    cell = page.locator(".jp-CodeCell", has=page.locator(".jp-OutputArea .widget-slider")).first
    handle = lab.sliders(cell).first
    handle.wait_for()
    cell.locator("img, svg").first.wait_for()
    readout = cell.locator(".widget-readout").first.inner_text()
    before = lab.pictures(cell)
    lab.move_slider(page, handle)
    assert cell.locator(".widget-readout").first.inner_text() != readout
    lab.wait_for_change(page, cell, before)


def test_a_slider_moves_its_chart_from_the_keyboard(page, server):
    lab.run_all(page, server, "slider.ipynb")
    move_first_slider_and_see_a_picture_change(page)


def test_a_slider_left_alone_leaves_its_chart_alone(page, server):
    """Without this, the test above could pass on a chart that always changes."""
    lab.run_all(page, server, "slider.ipynb")
    cell = page.locator(".jp-CodeCell", has=page.locator(".widget-slider")).first
    cell.locator("img").first.wait_for()
    before = lab.pictures(cell)
    with pytest.raises(AssertionError, match="no picture changed"):
        lab.wait_for_change(page, cell, before, seconds=2)


def test_a_failing_cell_is_reported_with_its_error(page, server):
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        lab.run_all(page, server, "failing.ipynb")


def test_notebook_00_runs_from_top_to_bottom(page, server):
    name = notebook("00")
    lab.run_all(page, server, name)
    assert "checks passed" in page.locator(".jp-Notebook").inner_text()


def test_notebook_01_runs_and_a_slider_moves_its_chart(page, server):
    name = notebook("01")
    lab.run_all(page, server, name)
    move_first_slider_and_see_a_picture_change(page)


def test_notebook_04_runs_and_its_menu_shows_another_failure(page, server):
    name = notebook("04")
    lab.run_all(page, server, name)
    cell = page.locator(".jp-CodeCell", has=page.locator(".jp-OutputArea select")).first
    shown = cell.locator(".widget-html-content").last
    assert "Before the cure" in shown.inner_text()
    before = shown.inner_text()
    cell.locator("select").first.select_option(label="endless loops")
    expect(shown).not_to_have_text(before)
    expect(shown).to_contain_text("↻")
