"""What the README and the other pages promise: the commands that they name exist."""

import re

import pytest

from course_utils.paths import repository_root

ROOT = repository_root()
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_notebook_has_its_line():
    assert [file.name for file in NOTEBOOKS if f"(notebooks/{file.name})" not in README] == []


def commands_of_make(page):
    """The targets of `make` in a page's code, inline or in a block of its own."""
    code = re.findall(r"^```.*?^```|`[^`\n]+`", page, re.MULTILINE | re.DOTALL)
    named = re.findall(r"(?:^|[`\s;&])make ([a-z][a-z-]*)", "\n".join(code), re.MULTILINE)
    return set(named)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_make_command_it_names_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert commands_of_make(page.read_text(encoding="utf-8")) <= targets


def test_the_readme_names_what_each_reader_begins_with():
    learner, teacher, contributor = (
        {"lab", "check", "chat"},
        {"teacher", "update", "class"},
        {"test"},
    )
    assert learner | teacher | contributor <= commands_of_make(README)
    assert "(docs/teaching_guide.md)" in README


def test_every_file_that_a_recipe_names_is_there():
    named = re.findall(
        r"`?((?:course_utils|tests|models|notebooks)/[\w/.]+\.(?:py|toml))", CONTRIBUTING
    )
    places = [name for name in named if "NN" not in name and "NAME" not in name]
    assert len(places) >= 6
    assert [name for name in places if not (ROOT / name).is_file()] == []


def test_the_lines_for_conda_are_those_of_environment_yml():
    header = (ROOT / "environment.yml").read_text(encoding="utf-8")
    commands = re.findall(r"^#   (.+)$", header, re.MULTILINE)
    assert "conda env create -f environment.yml" in commands
    assert [command for command in commands if command not in README] == []
