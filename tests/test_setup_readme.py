"""What the README promises: its links lead somewhere, and its commands exist."""

import re

from course_utils.paths import repository_root

README = (repository_root() / "README.md").read_text(encoding="utf-8")
MAKEFILE = (repository_root() / "Makefile").read_text(encoding="utf-8")
NOTEBOOKS = sorted((repository_root() / "notebooks").glob("*.ipynb"))


def test_every_link_leads_to_a_file():
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    missing = [t for t in targets if "://" not in t and not (repository_root() / t).exists()]
    assert missing == []


def test_every_notebook_has_its_line():
    assert [file.name for file in NOTEBOOKS if f"(notebooks/{file.name})" not in README] == []


def test_every_make_command_it_names_exists():
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)`", README))
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert {"lab", "test", "check"} <= named
    assert named <= targets


def test_the_lines_for_conda_are_those_of_environment_yml():
    header = (repository_root() / "environment.yml").read_text(encoding="utf-8")
    commands = re.findall(r"^#   (.+)$", header, re.MULTILINE)
    assert "conda env create -f environment.yml" in commands
    assert [command for command in commands if command not in README] == []
