"""A hub on this machine, a folder to download to, and none of this machine's own settings."""

import multiprocessing

import pytest

from course_utils.paths import repository_root
from tests.download.helpers import NAME, SMALL
from tests.loopback_hub import LoopbackHub

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch, tmp_path):
    for name in (*PROXIES, *(proxy.lower() for proxy in PROXIES), "HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))


@pytest.fixture
def hub(monkeypatch):
    with LoopbackHub({NAME: SMALL}) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        yield running


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "downloads"
    place.mkdir()
    return place


@pytest.fixture(scope="module")
def children():
    """Starts processes quickly, by forking one that has everything imported where it can."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        yield multiprocessing.get_context("spawn")
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.download.helpers", "huggingface_hub.file_download"])
    with pytest.MonkeyPatch.context() as patch:
        # The process to fork from sees neither pytest's import path nor later settings.
        patch.setenv("PYTHONPATH", str(repository_root()))
        yield context
