"""Whoever searches the site's troubleshooting page for an error finds it, with what to do."""

import json
import re

import pytest

from course_utils import CourseError
from course_utils.engines import GREEDY, open_model
from course_utils.model_files.catalogue import find_model
from course_utils.paths import repository_root
from course_utils.teaching import predict, show
from tests.site.conftest import program

ROOT = repository_root()


@pytest.fixture(scope="module")
def remedies():
    return program("remedies")


@pytest.fixture(scope="module")
def listed(remedies):
    return [pair for pairs in remedies.faults_by_part().values() for pair in pairs]


def told(pattern, text):
    """Is this text the one on the page, with something in the place of each "…"?"""
    parts = map(re.escape, pattern.split("…"))
    return re.fullmatch(".*".join(parts), " ".join(text.split()), re.DOTALL)


def a_file(tmp_path, start):
    path = tmp_path / "model.gguf"
    path.write_bytes(start)
    return path


FAULTS = {
    "no such model": lambda _: find_model("qwq-33b"),
    "no such file": lambda tmp_path: open_model(tmp_path / "gone.gguf"),
    "a folder": lambda tmp_path: open_model(tmp_path),
    "a web page": lambda tmp_path: open_model(a_file(tmp_path, b"<!DOCTYPE html><html>...")),
    "zeros": lambda tmp_path: open_model(a_file(tmp_path, bytes(5000))),
    "cut off": lambda tmp_path: open_model(a_file(tmp_path, b"GGUF\3\0\0\0")),
    "a setting out of bounds": lambda _: GREEDY.but(temperature=-1),
    "a setting that is none": lambda _: GREEDY.but(temprature=1),
    "no server": lambda _: open_model("http://127.0.0.1:9/v1"),
    "an address that is none": lambda _: open_model("http://127.0.0.1:99999/v1"),
    "an empty prompt": lambda _: open_model("nano-base").next_tokens(""),
    "a prediction without a choice": lambda _: predict("x", ["one"]),
    "a figure without alt text": lambda _: show(None, caption="A figure.", alt=""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error_as_it_is_raised_stands_on_the_page(listed, tmp_path, fault):
    with pytest.raises(CourseError) as raised:
        FAULTS[fault](tmp_path)
    problem, remedy = raised.value.problem, raised.value.remedy
    remedies = [each for told_of, each in listed if told(told_of, problem)]
    assert any(told(each, remedy) for text in remedies for each in text.split(" Or: ")), (
        f"{problem!r}, {remedy!r}"
    )


def test_the_twelve_questions_of_notebook_06_are_there_with_their_answers(remedies):
    cells = json.loads(remedies.NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    asked = re.findall(r'^### "[^\n]+', text.split(remedies.SECTION)[1], re.MULTILINE)
    page = remedies.page()
    assert len(asked) >= 12
    assert [question for question in asked if question not in page] == []
    assert "thinking budget, which ends the thought in time" in page


def test_what_the_self_test_and_the_playground_say_is_there(listed):
    remedies_told = " ".join(remedy for _, remedy in listed)
    assert "make rebuild" in remedies_told
    assert "Open the page in a current Firefox, Chrome, Edge or Safari" in remedies_told
