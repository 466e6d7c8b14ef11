"""The site, built once and served from a port of this machine."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Browser

from course_utils.paths import repository_root
from tests import jupyterlab_browser as lab
from tests.served_folder import served


@dataclass(frozen=True)
class Site:
    folder: Path
    address: str

    def pages(self) -> list[str]:
        """The addresses of all pages, below ``address``."""
        return sorted(
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*.html")
            if "_static" not in path.parts  # the theme's own
        )


def program(name: str) -> ModuleType:
    """A program of ``docs``, which is no package, as a module."""
    sys.path.insert(0, os.fspath(repository_root() / "docs"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Iterator[Site]:
    if shutil.which("npm") is None:
        pytest.skip("npm is missing, which brings llama.cpp for browsers")
    try:
        lab.chromium()
    except lab.NoBrowser as reason:
        pytest.skip(str(reason))
    folder = tmp_path_factory.mktemp("site") / "built"
    program("build").build(folder)
    with served(folder) as address:
        yield Site(folder, address)


# A module at a time: Playwright keeps an event loop running in the thread of the tests for as
# long as its browser is open, and no other module can then start a browser or a loop of its own.
@pytest.fixture(scope="module")
def chromium(site) -> Iterator[Browser]:
    with lab.browser() as context:
        yield context.browser
