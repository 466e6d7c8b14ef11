"""How does a notebook look? Runs it in JupyterLab and takes a picture of every cell.

    python -m tests.screenshots notebooks/01_next_token_prediction.ipynb FOLDER [--dark]

FOLDER gets ``cell_01.png``, ``cell_02.png`` … and ``all.png``, the whole notebook in one picture.
Authors look at them before a notebook is done; nbval compares text, never pictures.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests import jupyterlab_browser as lab

WIDTH = 1280
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
        # Make the window as tall as the notebook, so that nothing is scrolled out of sight.
        height = page.locator(".jp-WindowedPanel-inner, .jp-Notebook").first.evaluate(
            "node => Math.max(node.scrollHeight, node.parentElement.scrollHeight)"
        )
        page.set_viewport_size({"width": WIDTH, "height": min(height + 200, 16_000)})
        page.wait_for_timeout(1500)
        cells = page.locator(".jp-Notebook .jp-Cell")
        for number in range(cells.count()):
            cells.nth(number).screenshot(path=folder / f"cell_{number + 1:02d}.png")
        page.locator(".jp-NotebookPanel-notebook").first.screenshot(path=folder / "all.png")
        count = cells.count()
    if failure:
        raise SystemExit(f"{failure}\nThe pictures are in {folder}.")
    return count


if __name__ == "__main__":
    main()
