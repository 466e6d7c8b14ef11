"""A package packed again installs as it did, and the kit's installer refuses a foreign machine."""

import json
import shutil
import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path

import pytest

from course_utils.errors import OptionError
from course_utils.installation import from_kit, offline_kit
from course_utils.paths import repository_root

# Pure, with data files outside its folder, with a script, with compiled code.
PACKAGES = ("certifi", "jupyterlab-widgets", "jsonpointer", "ruff", "markupsafe")


def without_network(command):
    """Run it where there is no network, not even loopback; skip where that is not allowed."""
    allowed = (
        shutil.which("unshare")
        and not subprocess.run(
            ["unshare", "--net", "true"], capture_output=True, check=False
        ).returncode
    )
    if not allowed:
        pytest.skip("No network namespace can be made here")
    return subprocess.run(["unshare", "--net", *map(str, command)], check=True, text=True)


def test_packages_packed_again_install_without_a_network(tmp_path):
    wheels = [offline_kit.pack(distribution(name), tmp_path) for name in PACKAGES]
    venv.create(tmp_path / "env", with_pip=True, symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    without_network([python, "-m", "pip", "install", "-q", "--no-index", "--no-deps", *wheels])
    code = "import certifi, jsonpointer, markupsafe; print(markupsafe.escape('<'))"
    said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "&lt;"
    subprocess.run([tmp_path / "env" / "bin" / "ruff", "--version"], check=True)
    for name in PACKAGES:
        for entry in distribution(name).files:
            outside = entry.parts[:3] == ("..", "..", "..")
            if outside and "bin" not in entry.parts and not str(entry).endswith(".pyc"):
                assert (tmp_path / "env" / Path(*entry.parts[3:])).exists(), entry


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(OptionError, match="not empty"):
        offline_kit.make(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_the_installer_refuses_a_machine_of_another_kind(tmp_path):
    shutil.copy2(from_kit.__file__, tmp_path / "install.py")
    other = {"python": "3.11", "system": "Plan 9", "machine": "vax"}
    (tmp_path / "kit.json").write_text(json.dumps(other))
    answer = subprocess.run(
        [sys.executable, tmp_path / "install.py", tmp_path / "there"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1 and "Plan 9" in answer.stdout and "What to do" in answer.stdout
    assert not (tmp_path / "there").exists()


def test_the_kit_holds_what_git_knows(tmp_path):
    offline_kit._copy_course(tmp_path, with_downloads=False)
    assert (tmp_path / "models" / "nano" / "thinker.gguf").exists()
    assert not (tmp_path / ".venv").exists() and not (tmp_path / "models" / "downloads").exists()
    ours = (repository_root() / "notebooks").glob("*.ipynb")
    assert all((tmp_path / "notebooks" / path.name).exists() for path in ours)
