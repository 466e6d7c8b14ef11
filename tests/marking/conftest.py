"""The teacher's environment for the tests that need it, and what npm brings."""

import os
import shutil
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


@pytest.fixture(scope="session")
def npm_packages():
    """The folder with the hub's proxy and with what turns and draws slides."""
    deploy = repository_root() / "deploy"
    folder = deploy / "node_modules"
    installed = folder / ".package-lock.json"
    if (
        not installed.exists()
        or installed.stat().st_mtime < (deploy / "package-lock.json").stat().st_mtime
    ):
        if not shutil.which("npm"):
            pytest.skip(
                "There is no npm here, which brings the hub's proxy and the slides' scripts"
            )
        command = ["npm", "ci", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=deploy, check=True, capture_output=True)
    return folder
