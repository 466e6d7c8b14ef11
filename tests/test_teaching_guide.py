"""Is the teachers' page true of the notebooks? Minutes, exercises, commands, links."""

import json
import re

import pytest

from course_utils.paths import repository_root
from course_utils.teaching.exercises.declaration import find_exercise

ROOT = repository_root()
NOTEBOOKS = sorted((ROOT / "notebooks").glob("??_*.ipynb"))
GUIDE = (ROOT / "docs" / "teaching_guide.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ["docs/teaching_guide.md", "docs/class_server.md", "deploy/README.md"]
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
each_page = pytest.mark.parametrize("page", PAGES)


def stated_minutes(path):
    """What a notebook's first cell says: minutes to read, and with the exercises."""
    source = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
    time = " ".join(re.search(r"\*\*Time:\*\*(.*?)[Tt]he cells run", source, re.DOTALL)[1].split())
    halves = r"(\d+) and (\d+) minutes to read.*?(\d+) minutes in all"
    if halves := re.search(halves, time):
        first, second, in_all = map(int, halves.groups())
        return first + second, in_all
    return tuple(
        map(int, re.search(r"(\d+) minutes to read.*?(\d+) with the exercises", time).groups())
    )


def section_of(path):
    return re.search(rf"^### {path.name[:2]} · .*?(?=^##)", GUIDE, re.DOTALL | re.MULTILINE)[0]


@each_notebook
def test_the_guide_and_the_readme_state_the_notebooks_own_minutes(path):
    minutes = stated_minutes(path)
    said = re.search(r"\*\*(\d+) minutes to read.*?(\d+) with the exercises", section_of(path))
    assert tuple(map(int, said.groups())) == minutes
    row = re.search(rf"{re.escape(path.name)}\).*\| ([\d +]+) \| (\d+) \|", README)
    assert (sum(map(int, row[1].split("+"))), int(row[2])) == minutes


@each_notebook
def test_the_guide_says_of_a_notebook_what_a_teacher_needs(path):
    section = section_of(path)
    for heading in ("*The main misconception:*", "*Ask", "*What goes wrong live:*"):
        assert heading in section
    assert section.count("?") >= 3


@each_notebook
def test_a_stop_that_the_guide_promises_is_there(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells[1:])
    there = re.search(r"good place to stop|[Hh]alf-way (?:stop|mark)", text)
    promised = re.search(
        r"with a stop half-way|in two halves|Part 2", section_of(path).split("*")[2]
    )
    assert bool(promised) == bool(there)


def test_a_part_that_the_guide_names_has_that_heading():
    named = re.findall(r"\[([^\]]+)\]\((\.\./notebooks/[^)]+)\)", GUIDE)
    assert len(named) >= 8
    for words, file in named:
        cells = json.loads((ROOT / "docs" / file).read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells)
        assert re.search(rf"^##+ (?:\d+(?:\.| ·) )?{re.escape(words)}$", text, re.MULTILINE), words


@each_page
def test_every_exercise_and_command_that_a_teachers_page_names_exists(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for name in set(re.findall(r"\b(\d\d\.[a-z_]+)\b", text)):
        find_exercise(name)
    targets = re.findall(
        r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert (
        set(re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", text, re.MULTILINE))
        - {pair for target in targets for pair in ((target, ""), ("", target))}
        == set()
    )
    folder = (ROOT / page).parent
    linked = re.findall(r"\]\(([^)#]+)\)", text)
    assert [t for t in linked if "://" not in t and not (folder / t).exists()] == []
