"""Make the pictures of the README and the site: ``python docs/pictures.py`` (``make pictures``).

The README's come from the site itself: the models answer and the recorded run is replayed in
headless Chromium; nothing is drawn by hand.  The widgets' come from a running JupyterLab.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import widget_pictures
from build import DOCS, build
from playwright.sync_api import Page, expect

from tests import jupyterlab_browser as lab
from tests.served_folder import served

WIDTH, HEIGHT = 760, 900
PATIENCE = 120_000
# What invites to try in the page only distracts in a picture.
PICTURE_STYLE = ".play-examples, .play-slider, .play-status { display: none !important }"


def main() -> None:
    widget_pictures.take()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "site"
        build(folder)
        with served(folder) as address, lab.browser(WIDTH, HEIGHT) as context:
            page = context.new_page()
            _conversation(page, address, DOCS / "chat.png")
            _training(page, address, DOCS / "grpo.png")


def _conversation(page: Page, address: str, target: Path) -> None:
    page.goto(f"{address}/playground/base_and_thinker.html")
    play = page.locator(".play")
    play.get_by_role("button", name="What is 347 + 285?").click()
    expect(play.locator(".play-status")).to_have_text("Done.", timeout=PATIENCE)
    page.add_style_tag(content=PICTURE_STYLE)
    play.screenshot(path=target)


def _training(page: Page, address: str, target: Path) -> None:
    page.goto(f"{address}/playground/grpo.html")
    step = page.get_by_role("slider", name="Step")
    step.press("End")
    page.add_style_tag(content=PICTURE_STYLE)
    page.locator(".play").screenshot(path=target)


if __name__ == "__main__":
    main()
