"""The site, built once and served from a port of this machine."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from course_utils.paths import repository_root
from tests import jupyterlab_browser as lab


@dataclass(frozen=True)
class Site:
    folder: Path
    address: str

    def pages(self) -> list[str]:
        """The addresses of all pages, below ``address``."""
        return sorted(
            path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*.html")
        )


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments) -> None:
        pass


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Iterator[Site]:
    if shutil.which("npm") is None:
        pytest.skip("npm is missing, which brings llama.cpp for browsers")
    try:
        lab.chromium()
    except lab.NoBrowser as reason:
        pytest.skip(str(reason))
    folder = tmp_path_factory.mktemp("site") / "built"
    sys.path.insert(0, os.fspath(repository_root() / "docs"))
    try:
        import build

        build.build(folder)
    finally:
        sys.path.pop(0)
    handler = functools.partial(_Quiet, directory=os.fspath(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Site(folder, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


@pytest.fixture(scope="session")
def chromium(site) -> Iterator[Browser]:
    with lab.browser() as context:
        yield context.browser
