"""How does a notebook behave in a real JupyterLab? A server, a browser, and a learner's moves.

``test_browser.py`` checks the notebooks with it, ``screenshots.py`` takes pictures of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from playwright.sync_api import BrowserContext, Locator, Page, sync_playwright

from course_utils.network import free_port
from course_utils.paths import repository_root

CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# For one step of the browser or the server, on two cores that other tests use too.
PATIENCE_SECONDS = 180
ERROR_OUTPUT = "[data-mime-type='application/vnd.jupyter.stderr']"
# Everything is drawn at once, so that cells below the screen can be looked at; no news.
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
}


class NoBrowser(Exception):
    """There is no Chromium and none can be installed; the message says why."""


@dataclass(frozen=True)
class Server:
    """A JupyterLab on this machine: its address, its secret, and its folder of notebooks."""

    address: str
    token: str
    folder: Path


def chromium() -> str:
    """The path of Chromium, installed with apt when this is root on Debian. Raises NoBrowser."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found:
        return found
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise NoBrowser("There is no Chromium here; install it with: sudo apt install chromium")
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "chromium"]):
        settings = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        answer = subprocess.run(command, capture_output=True, text=True, env=settings, check=False)
        if answer.returncode != 0:
            last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
            raise NoBrowser(f"Chromium could not be installed: {' '.join(command)}: {last}")
    return shutil.which("chromium")


@contextlib.contextmanager
def jupyterlab(
    notebooks: list[Path], scratch: Path, settings: dict[str, dict] | None = None
) -> Iterator[Server]:
    """Serve copies of these notebooks, their outputs removed, from a folder in ``scratch``.

    ``settings`` are JupyterLab's, by the name of their file, beside ``SETTINGS``.

    The copies leave the course's own files alone; without outputs, whatever shows has been run.
    """
    folder = scratch / "notebooks"
    folder.mkdir(parents=True)
    for notebook in notebooks:
        _copy_without_outputs(notebook, folder / notebook.name)
    for name, values in {**SETTINGS, **(settings or {})}.items():
        file = scratch / "settings" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    port, token = free_port(), secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
    ]
    command += [f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={token}"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(repository_root()),
        "JUPYTERLAB_SETTINGS_DIR": str(scratch / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(scratch / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(scratch / "config"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "runtime"),
        "IPYTHONDIR": str(scratch / "ipython"),
    }
    with open(scratch / "server.log", "w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/api/status?token={token}", process, scratch / "server.log")
            yield Server(address, token, folder)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def browser(width: int = 1280, height: int = 900, dark: bool = False) -> Iterator[BrowserContext]:
    """Headless Chromium, on a dark or a light system; ``new_page()`` opens a window."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium(), headless=True, args=CHROMIUM_OPTIONS
        )
        try:
            context = running.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if dark else "light",
            )
            context.set_default_timeout(PATIENCE_SECONDS * 1000)
            yield context
        finally:
            running.close()


def open_notebook(page: Page, server: Server, name: str) -> None:
    """Open a notebook of the server's folder and wait until its kernel is ready."""
    page.goto(f"{server.address}/lab/tree/{name}?reset&token={server.token}")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    # The status bar says "No Kernel | Idle" or "... | Initializing" until the kernel answers.
    page.locator("#jp-main-statusbar", has_text=re.compile(r"Python.*\| Idle")).wait_for()


def run_all(page: Page, server: Server, name: str, seconds: float = 300) -> None:
    """Open a notebook and run it from its menu, as a learner does, until every cell has run.

    Raises AssertionError with what the first failing cell says, and when the time is up.
    """
    open_notebook(page, server, name)
    run_open_notebook(page, server.folder / name, seconds)


def run_open_notebook(page: Page, notebook: Path, seconds: float = 300) -> None:
    """Run the notebook that is open, as ``run_all`` does; ``notebook`` is its file."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click()
    name = notebook.name
    cells = nbformat.read(notebook, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    to_run = sum(bool(cell.source.strip()) for cell in code)
    deadline = time.monotonic() + seconds
    while _cells_that_ran(page) < to_run:
        _assert_no_errors(page, name, code)
        waiting = f"{name}: {_cells_that_ran(page)} of {to_run} cells ran in {seconds:.0f} s"
        assert time.monotonic() < deadline, waiting
        page.wait_for_timeout(200)
    _assert_no_errors(page, name, code)


def sliders(scope: Page | Locator) -> Locator:
    """The handles of the sliders there are; each takes the keyboard's focus."""
    return scope.locator(".widget-slider .noUi-handle, .widget-slider [role='slider']")


def move_slider(page: Page, handle: Locator, key: str = "ArrowRight", times: int = 3) -> None:
    """Move a slider with the keyboard alone: focus it and press a key some times."""
    handle.scroll_into_view_if_needed()
    handle.focus()
    for _ in range(times):
        page.keyboard.press(key)


def pictures(scope: Locator) -> list[str]:
    """A fingerprint of each picture shown there: the bytes of images, the text of drawings."""
    found = scope.locator("img, svg").evaluate_all(
        """nodes => Promise.all(nodes.map(async node => node.tagName.toLowerCase() === 'svg'
            ? node.outerHTML
            : btoa(Array.from(new Uint8Array(await (await fetch(node.src)).arrayBuffer()),
                   byte => String.fromCharCode(byte)).join(''))))"""
    )
    return [hashlib.sha256(picture.encode()).hexdigest() for picture in found]


def wait_for_change(page: Page, scope: Locator, before: list[str], seconds: float = 30) -> None:
    """Wait until the pictures there differ from ``before``. Raises AssertionError if they stay."""
    deadline = time.monotonic() + seconds
    while pictures(scope) == before:
        assert time.monotonic() < deadline, f"no picture changed in {seconds:.0f} s"
        page.wait_for_timeout(200)


def _copy_without_outputs(source: Path, target: Path) -> None:
    notebook = nbformat.read(source, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, target)


def _assert_no_errors(page: Page, name: str, code: list[nbformat.NotebookNode]) -> None:
    """JupyterLab shows errors and warnings alike; only a cell tagged for it may raise."""
    for number, cell in enumerate(code):
        if "raises-exception" in cell.metadata.get("tags", []):
            continue
        shown = page.locator(".jp-CodeCell").nth(number).locator(ERROR_OUTPUT)
        if shown.count():
            raise AssertionError(f"{name}: code cell {number + 1}:\n{shown.first.inner_text()}")


def _cells_that_ran(page: Page) -> int:
    """How many code cells show a number, not a star: they have finished."""
    prompts = page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
    return sum(prompt.strip("[]: \n").isdigit() for prompt in prompts)


def _wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            ended = process.poll() is not None
            assert not ended and time.monotonic() < deadline, (
                f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')[-2000:]}"
            )
            time.sleep(0.3)
