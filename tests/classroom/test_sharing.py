"""Does a learner's `check` reach the board, only if both want it, and never disturb the learner?"""

import math
import re
import time

import httpx
import pytest

import course_utils.teaching as teaching
from course_utils.errors import OptionError, ServerError
from course_utils.teaching.exercises import offers, results, sharing
from tests.classroom.running import wait_for

ANN, BEN = "learner-01", "learner-02"


@pytest.fixture
def learner(room, monkeypatch):
    """A notebook of learner-01 at the class server, with nothing shared yet."""
    monkeypatch.setenv("COURSE_MODEL", f"{room.address}/v1")
    monkeypatch.setenv("COURSE_API_KEY", room.keys.key_of(ANN))
    monkeypatch.setattr(sharing, "_sharing", None)
    monkeypatch.setattr(sharing, "_glanced_at", -math.inf)
    monkeypatch.setattr(offers, "_offered", False)
    monkeypatch.setattr(results, "_results", {})
    monkeypatch.setattr(results, "_watchers", [])
    return room


def entry(room):
    learners = room.board()["progress"]["learners"]
    return learners[0] if learners else None


def test_checks_of_before_and_after_stand_on_the_board(learner, capsys):
    learner.tell("results", on=True)
    teaching.check("00.minutes", 2000 / 1.4 / 60)
    teaching.share_results("fox")
    assert entry(learner) == {"nickname": "fox", "passed": ["00.minutes"], "stuck": []}
    teaching.check("00.history", "everything")
    wait_for(lambda: entry(learner)["stuck"] == ["00.history"])
    row = next(
        row for row in learner.board()["progress"]["exercises"] if row["exercise"] == "00.history"
    )
    assert row["passed"] == 0 and row["mistakes"][0]["count"] == 1
    assert "-" not in row["mistakes"][0]["name"], "names of mistakes read as words"
    teaching.check("00.history", "questions and answers")
    wait_for(lambda: entry(learner)["passed"] == ["00.history", "00.minutes"])
    assert "shared as fox" in capsys.readouterr().out


def test_nothing_is_sent_before_the_learner_agrees(learner):
    learner.tell("results", on=True)
    teaching.check("00.minutes", 1)
    assert entry(learner) is None


def test_a_learner_who_stops_is_forgotten_and_sends_nothing_more(learner, capsys):
    learner.tell("results", on=True)
    teaching.check("00.minutes", 1)
    teaching.share_results("fox")
    teaching.stop_sharing()
    assert entry(learner) is None
    teaching.check("00.minutes", 2)
    assert entry(learner) is None and results._watchers == []
    teaching.stop_sharing()
    assert "Nothing is shared." in capsys.readouterr().out


def test_where_the_teacher_asks_for_nothing_the_learner_is_told(learner):
    with pytest.raises(ServerError, match="does not ask"):
        teaching.share_results("fox")
    assert sharing._sharing is None and results._watchers == []


def test_a_nickname_that_is_taken_is_one_message(learner):
    learner.tell("results", on=True)
    with learner.client(BEN) as client:
        said = {"nickname": "Fox", "exercise": "00.minutes", "passed": True}
        assert client.post("/class/api/share", json=said).status_code == 200
    with pytest.raises(ServerError, match="choose another"):
        teaching.share_results("fox")
    assert results._watchers == []


@pytest.mark.parametrize("model", ["", "nano-thinker", "http://127.0.0.1:9/v1"])
def test_without_a_class_there_is_one_message(learner, monkeypatch, model):
    monkeypatch.setenv("COURSE_MODEL", model)
    with pytest.raises((OptionError, ServerError)) as error:
        teaching.share_results("fox")
    assert "class" in str(error.value)


def test_another_server_than_a_class_is_told_apart(fake, monkeypatch):
    monkeypatch.setenv("COURSE_MODEL", fake.url)
    monkeypatch.setenv("COURSE_API_KEY", "sk-class-x")
    monkeypatch.setattr(sharing, "_sharing", None)
    with pytest.raises(ServerError, match="no class server") as error:
        teaching.share_results("fox")
    assert "sk-class-x" not in str(error.value)


def test_a_check_says_once_how_to_share_and_the_lines_it_gives_work(learner, capsys):
    """Not before the teacher asks, and with an answer rather than an open exercise."""
    teaching.check("00.minutes", 2000 / 1.4 / 60)
    assert "share" not in capsys.readouterr().out
    learner.tell("results", on=True)
    sharing._glanced_at = -math.inf
    teaching.check("00.minutes", ...)
    assert "share" not in capsys.readouterr().out
    teaching.check("00.minutes", 3)
    said = capsys.readouterr().out
    assert "Your teacher asks" in said and "Stuck?" in said
    assert entry(learner) is None, "to be asked is not to agree"
    teaching.check("00.minutes", 4)
    assert "share" not in capsys.readouterr().out
    for line in re.findall(r"`(from [^`]*)`", said):
        exec(line, {"minutes": 3})
    assert "Hint 1 of" in capsys.readouterr().out
    assert entry(learner)["nickname"] == "a nickname"


def test_who_shares_already_is_not_asked(learner, capsys):
    learner.tell("results", on=True)
    teaching.share_results("fox")
    teaching.check("00.minutes", 3)
    assert "Your teacher asks" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "key"),
    [
        ("", "sk-class-x"),
        ("nano-thinker", "sk-class-x"),
        ("http://127.0.0.1:9/v1", "sk-class-x"),
        ("http://127.0.0.1:9/v1", "sk-class-ключ"),
        ("http://no host/v1", "sk-class-x"),
    ],
)
def test_a_class_that_is_not_there_disturbs_no_check(learner, monkeypatch, capsys, model, key):
    monkeypatch.setenv("COURSE_MODEL", model)
    monkeypatch.setenv("COURSE_API_KEY", key)
    teaching.check("00.minutes", 2000 / 1.4 / 60)
    said = capsys.readouterr()
    assert "Right" in said.out and "share" not in said.out and not said.err


def test_another_server_hears_nothing_of_a_check(fake, monkeypatch, capsys):
    """A key of a provider's goes to its model alone."""
    monkeypatch.setenv("COURSE_MODEL", fake.url)
    monkeypatch.setenv("COURSE_API_KEY", "sk-proj-somebody's")
    monkeypatch.setattr(sharing, "_glanced_at", -math.inf)
    teaching.check("00.minutes", 3)
    assert fake.requests == [] and "share" not in capsys.readouterr().out


def test_what_is_on_its_way_is_taken_back_too(learner, monkeypatch):
    """A slow network must not bring a result after the learner has taken all back."""
    learner.tell("results", on=True)
    teaching.share_results("fox")
    request = sharing._sharing._client.request

    def slow(method, *arguments, **options):
        if method == "POST":
            time.sleep(0.3)
        return request(method, *arguments, **options)

    monkeypatch.setattr(sharing._sharing._client, "request", slow)
    for answer in (1, 2, 3):
        teaching.check("00.minutes", answer)
    teaching.stop_sharing()
    time.sleep(0.7)
    assert entry(learner) is None


def test_a_class_that_ends_disturbs_no_check(learner, monkeypatch, capsys):
    learner.tell("results", on=True)
    teaching.share_results("fox")

    def broken(*_arguments, **_options):
        raise httpx.ConnectError("gone")

    monkeypatch.setattr(sharing._sharing._client, "request", broken)
    teaching.check("00.minutes", 2000 / 1.4 / 60)
    assert "Right" in capsys.readouterr().out
    teaching.stop_sharing()
    assert "not reached" in capsys.readouterr().out
