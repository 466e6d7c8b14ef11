"""Can what a learner is given be pasted, and scanned?"""

import os
import stat

import pytest

from course_utils.classroom.invitations import (
    cell_to_paste,
    line_to_paste,
    qr_for_terminal,
    write_cards,
)
from course_utils.classroom.keys import KeyRing

ADDRESS = "http://192.168.1.20:8080"


@pytest.fixture
def keys(tmp_path):
    ring = KeyRing(tmp_path / "keys.json")
    ring.add("Ann <b>")
    ring.add("Ben")
    return ring


def test_the_line_sets_what_the_notebooks_read(keys, monkeypatch):
    line = line_to_paste(ADDRESS, keys.key_of("Ben"))
    settings = dict(part.split("=", 1) for part in line.split())
    assert settings == {
        "COURSE_MODEL": "http://192.168.1.20:8080/v1",
        "COURSE_API_KEY": keys.key_of("Ben"),
    }


def test_the_cell_does_the_same_in_a_notebook(keys, monkeypatch):
    from IPython.core.interactiveshell import InteractiveShell

    for name in ("COURSE_MODEL", "COURSE_API_KEY"):
        monkeypatch.setenv(name, "")
    InteractiveShell.instance().run_cell(cell_to_paste(ADDRESS, "sk-class-x"))
    assert os.environ["COURSE_MODEL"] == f"{ADDRESS}/v1"
    assert os.environ["COURSE_API_KEY"] == "sk-class-x"


def test_cards_hold_a_code_for_each_and_are_private(keys, tmp_path):
    path = write_cards(tmp_path / "cards.html", ADDRESS, keys, keys.names)
    page = path.read_text(encoding="utf-8")
    assert page.count("<svg") == 2 and "Ann &lt;b&gt;" in page and "<b>" not in page
    assert all(keys.key_of(name) in page for name in keys.names)
    assert keys.teacher_key not in page and "://www" not in page.replace("http://www.w3.org", "")
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_code_for_the_terminal_is_a_square_of_blocks():
    lines = qr_for_terminal(line_to_paste(ADDRESS, "sk-class-" + "x" * 24)).splitlines()
    assert len(lines) > 15 and len({len(line) for line in lines if line.strip()}) <= 2
