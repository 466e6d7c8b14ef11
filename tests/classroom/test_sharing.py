"""Does a learner's `check` reach the board, only if both want it, and never disturb the learner?"""

import httpx
import pytest

import course_utils.teaching as teaching
from course_utils.errors import OptionError, ServerError
from course_utils.teaching.exercises import results, sharing
from tests.classroom.running import wait_for

ANN, BEN = "learner-01", "learner-02"


@pytest.fixture
def learner(room, monkeypatch):
    """A notebook of learner-01 at the class server, with nothing shared yet."""
    monkeypatch.setenv("COURSE_MODEL", f"{room.address}/v1")
    monkeypatch.setenv("COURSE_API_KEY", room.keys.key_of(ANN))
    monkeypatch.setattr(sharing, "_sharing", None)
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
    teaching.check("00.history", "answers only")
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
