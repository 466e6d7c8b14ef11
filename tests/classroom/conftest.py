"""A class in front of a scripted model server: ``fake`` says what the model does."""

import importlib.util

import pytest

# conda's environment lacks them (environment.yml says how to add them).
NEEDED = ("httptools", "openai", "segno", "starlette", "uvicorn")
if not all(importlib.util.find_spec(name) for name in NEEDED):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def room(fake, tmp_path):
    """An open class of three learners and two slots; the model is the ``fake`` server."""
    from course_utils.classroom import serving
    from tests.classroom.running import running

    remote = serving.Remote(fake.url, slots=2)

    async def serve(keys, place, ready):
        await serving.serve_remote(remote, 3, keys, place, on_ready=ready)

    with running(serve, tmp_path) as opened:
        yield opened
