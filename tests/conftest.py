"""What holds for every test: no network, no window, and one thread for each of two processes.

Also the fixtures that tests of more than one file ask for.
"""

import dataclasses
import os
import signal

import pytest

from tests.model_sizes import SIZES, computed_as

# Two test processes share two cores; these must be set before numpy or PyTorch is imported.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# A shell that runs the tests in the background makes them ignore Ctrl-C, and their children too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONG = (
    "test_browser",
    "site/",
    "marking/",
    "classroom/",
    "test_notebooks_",
    "test_teaching_answers",
)
"""Modules that take longest. They start first: a process that gets one last leaves others idle."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: not item.nodeid.removeprefix("tests/").startswith(LONG))


@pytest.fixture(scope="module", params=SIZES)
def size(request):
    """What asks for this runs with models computed as small ones, and again as large ones."""
    with computed_as(request.param) as size:
        yield size


@pytest.fixture
def small_model(monkeypatch):
    """A catalogue entry of a few MB, so that a rehearsal takes a second."""
    from course_utils.model_files import catalogue

    known = catalogue.models()
    small = known["r1-distill-qwen-1.5b"]
    config = dict(small.config) | {
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "vocab_size": 1024,
    }
    entry = dataclasses.replace(small, name="small-model", config=config, files={})
    monkeypatch.setattr(catalogue, "models", lambda: known | {"small-model": entry})
    return "small-model"


@pytest.fixture(scope="module")
def one_thread():
    """PyTorch with one thread while a module's tests run."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def nano():
    """The nano models' tokenizer."""
    from course_utils.nano import tokenizer

    return tokenizer.load()


@pytest.fixture
def fake():
    """A loopback server that answers as a test tells it."""
    from tests.fake_server import FakeServer

    server = FakeServer()
    yield server
    server.close()
