"""The teacher's environment for the tests that need it."""

import os
import subprocess

import pytest

from course_utils.installation.teaching import teaching_python
from course_utils.paths import repository_root


@pytest.fixture(scope="session")
def teacher():
    """Runs a command of the teacher's Python: ``teacher("-m", "...")`` gives what it printed."""
    python = teaching_python()
    if not python.exists():
        if os.environ.get("CI"):
            pytest.fail("Continuous integration runs `make teacher` first.")
        pytest.skip("No teacher's environment here: make teacher")

    def run(*arguments, expect=0):
        answer = subprocess.run(
            [str(python), *map(str, arguments)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(repository_root())},
            check=False,
        )
        assert answer.returncode == expect, f"{answer.stdout}\n{answer.stderr}"
        return answer.stdout + answer.stderr

    return run
