"""What the README and the contributors' page promise: links lead somewhere, commands exist."""

import re

import pytest

from course_utils.paths import repository_root

README = (repository_root() / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (repository_root() / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAKEFILE = (repository_root() / "Makefile").read_text(encoding="utf-8")
NOTEBOOKS = sorted((repository_root() / "notebooks").glob("*.ipynb"))

each_page = pytest.mark.parametrize("page", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])


@each_page
def test_every_link_leads_to_a_file(page):
    targets = re.findall(r"\]\(([^)#]+)\)", page)
    missing = [t for t in targets if "://" not in t and not (repository_root() / t).exists()]
    assert missing == []


def test_every_notebook_has_its_line():
    assert [file.name for file in NOTEBOOKS if f"(notebooks/{file.name})" not in README] == []


@each_page
def test_every_make_command_it_names_exists(page):
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)(?:`| [A-Z]+=)", page))
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert {"lab", "test"} <= named
    assert named <= targets


def test_every_file_that_a_recipe_names_is_there():
    named = re.findall(
        r"`?((?:course_utils|tests|models|notebooks)/[\w/.]+\.(?:py|toml))", CONTRIBUTING
    )
    places = [name for name in named if "NN" not in name and "NAME" not in name]
    assert len(places) >= 6
    assert [name for name in places if not (repository_root() / name).is_file()] == []


def test_the_lines_for_conda_are_those_of_environment_yml():
    header = (repository_root() / "environment.yml").read_text(encoding="utf-8")
    commands = re.findall(r"^#   (.+)$", header, re.MULTILINE)
    assert "conda env create -f environment.yml" in commands
    assert [command for command in commands if command not in README] == []
