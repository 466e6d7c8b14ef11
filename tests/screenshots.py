"""How does a notebook look? Runs it in JupyterLab and takes a picture of every cell.

    python -m tests.screenshots notebooks/01_next_token_prediction.ipynb FOLDER [--dark]

FOLDER gets ``cell_01.png``, ``cell_02.png`` … and ``page_01.png`` …, a window at a time.
Authors look at them before a notebook is done; nbval compares text, never pictures.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from tests import jupyterlab_browser as lab

WIDTH, PAGE_HEIGHT = 1280, 1400
# Chromium draws no higher than this.
TALLEST = 16_000
THEMES = {True: "JupyterLab Dark", False: "JupyterLab Light"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dark", action="store_true", help="use JupyterLab's dark theme")
    parser.add_argument("--seconds", type=float, default=600, help="time the notebook may take")
    options = parser.parse_args()
    count = take(options.notebook, options.folder, options.dark, options.seconds)
    print(f"{count} cells in {options.folder}")


def take(notebook: Path, folder: Path, dark: bool = False, seconds: float = 600) -> int:
    """Run a notebook and write its pictures into ``folder``; returns the number of cells.

    A cell that fails is reported after its picture has been taken.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "@jupyterlab/apputils-extension/themes.jupyterlab-settings": {"theme": THEMES[dark]}
    }
    with (
        tempfile.TemporaryDirectory() as scratch,
        lab.jupyterlab([notebook], Path(scratch), settings) as server,
        lab.browser(width=WIDTH, dark=dark) as browser,
    ):
        page = browser.new_page()
        failure = None
        try:
            lab.run_all(page, server, notebook.name, seconds)
        except AssertionError as error:
            failure = error
        cells = page.locator(".jp-Notebook .jp-Cell")
        count = cells.count()
        tallest = max(round(cells.nth(n).bounding_box()["height"]) for n in range(count))
        # What does not fit into the window would be cut off.
        page.set_viewport_size({"width": WIDTH, "height": min(tallest + 300, TALLEST)})
        for number in range(count):
            cells.nth(number).screenshot(path=folder / f"cell_{number + 1:02d}.png")
        _take_pages(page, folder)
    if failure:
        raise SystemExit(f"{failure}\nThe pictures are in {folder}.")
    return count


def _take_pages(page: Page, folder: Path) -> None:
    """Scroll through the notebook as a reader does, one picture per window."""
    page.set_viewport_size({"width": WIDTH, "height": PAGE_HEIGHT + 90})
    scroller = page.locator(".jp-WindowedPanel-outer").first
    bottom = scroller.evaluate("node => node.scrollHeight")
    for number, top in enumerate(range(0, bottom, PAGE_HEIGHT)):
        scroller.evaluate("(node, top) => node.scrollTo(0, top)", top)
        page.wait_for_timeout(300)
        scroller.screenshot(path=folder / f"page_{number + 1:02d}.png")


if __name__ == "__main__":
    main()
