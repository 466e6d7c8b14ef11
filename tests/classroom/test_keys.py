"""Are keys private, revocable, and the same after a restart?"""

import copy
import json
import os
import stat

import pytest

from course_utils.classroom.keys import TEACHER, KeyRing, checked_name
from course_utils.errors import OptionError
from course_utils.network import harmless


@pytest.fixture
def path(tmp_path):
    return tmp_path / "class" / "keys.json"


def test_each_key_is_known_by_its_owner_alone(path):
    ring = KeyRing(path)
    ann, ben = ring.add("Ann"), ring.add()
    assert (ann, ben) == ("Ann", "learner-01")
    assert ring.owner_of(ring.key_of("Ann")) == "Ann"
    assert ring.owner_of(ring.teacher_key) == TEACHER
    key = ring.key_of(ben)
    for wrong in ("", key[:-1], key + "x", key.upper(), f" {key}", "sk-class-", "\ud800", "é" * 9):
        assert ring.owner_of(wrong) is None
    assert len({ring.key_of(name) for name in ring.names} | {ring.teacher_key}) == 3


def test_a_restarted_server_knows_the_same_keys(path):
    first = KeyRing(path)
    first.add("Ann")
    second = KeyRing(path)
    assert second.key_of("Ann") == first.key_of("Ann")
    assert second.teacher_key == first.teacher_key


def test_a_change_in_another_terminal_is_noticed(path):
    server, terminal = KeyRing(path), KeyRing(path)
    name = terminal.add("Ann")
    assert server.reload() and not server.reload()
    key = server.key_of(name)
    terminal.revoke("Ann")
    assert server.reload() and server.owner_of(key) is None


def test_a_name_that_gets_a_new_key_leaves_the_old_one_dead(path):
    ring = KeyRing(path)
    old = ring.key_of(ring.add("Ann"))
    ring.revoke("Ann")
    ring.add("Ann")
    assert ring.owner_of(old) is None and ring.owner_of(ring.key_of("Ann")) == "Ann"


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps other people out by folder")
def test_nobody_else_can_read_the_file(path):
    KeyRing(path).add()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_keys_are_not_shown_by_accident(path):
    ring = KeyRing(path)
    key = ring.key_of(ring.add("Ann"))
    for shown in (repr(ring), str(vars(ring)), str(vars(copy.copy(ring)))):
        assert key not in shown and ring.teacher_key not in shown
    assert key not in harmless(f"the server says: {key} is wrong")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"teacher": ""}', '{"teacher": "a", "learners": []}', "\x00",
     '{"teacher": "a", "learners": {"Ann": 3}}', '{"teacher": 1, "learners": {}}'],
)  # fmt: skip
def test_a_file_of_something_else_is_one_message_and_stays(path, text):
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(OptionError, match="does not hold the keys"):
        KeyRing(path)
    assert path.read_text() == text


def test_a_place_that_cannot_be_written_is_one_message(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OptionError, match="cannot be kept"):
        KeyRing(blocked / "keys.json")


@pytest.mark.parametrize("name", ["", "   ", "a" * 41, "a\x1b[2J", "\u202eneb", "\u200b", 7, None])
def test_what_cannot_stand_on_the_board_is_no_name(name):
    with pytest.raises(OptionError):
        checked_name(name)


@pytest.mark.parametrize("name", ["Ann", "陈 静", "O'Brien-Sørensen", "  two   words "])
def test_names_of_people_are_names(name):
    assert checked_name(name) == " ".join(name.split())


def test_nobody_can_be_added_twice_or_as_the_teacher(path):
    ring = KeyRing(path)
    ring.add("Ann")
    for taken in ("Ann", TEACHER):
        with pytest.raises(OptionError, match="already"):
            ring.add(taken)
    with pytest.raises(OptionError, match="The learners are: Ann"):
        ring.revoke("Ben")
    assert json.loads(path.read_text())["learners"].keys() == {"Ann"}
