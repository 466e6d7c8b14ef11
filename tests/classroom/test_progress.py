"""Does the teacher see where the class is stuck, and only what learners agreed to show?"""

import pytest

from course_utils.classroom.asked import Refusal
from course_utils.classroom.progress import LONGEST_MISTAKE, MOST_EXERCISES, Progress
from tests.classroom.running import wait_for

ANN, BEN = "learner-01", "learner-02"
DIVIDES = "divides by n instead of n - 1"


def result(nickname, exercise="03.advantages", passed=False, mistake=DIVIDES):
    return {"nickname": nickname, "exercise": exercise, "passed": passed, "mistake": mistake}


@pytest.fixture
def progress():
    asked = Progress()
    asked.switch(True)
    return asked


def test_the_mistake_of_the_moment_is_counted(progress):
    for number in range(30):
        progress.note(f"learner {number}", result(f"fox {number}", mistake="", passed=True))
    for number in range(11):
        progress.note(f"learner {number}", result(f"fox {number}"))
    progress.note("learner 0", result("fox 0", passed=True))  # who has mended it meanwhile
    row = progress.summary()["exercises"][0]
    assert row == {
        "exercise": "03.advantages",
        "passed": 20,
        "tried": 30,
        "mistakes": [{"name": DIVIDES, "count": 10}],
    }


def test_nothing_is_taken_before_the_teacher_asks(room):
    with room.client(ANN) as client:
        answer = client.post("/class/api/share", json=result("fox"))
        assert (
            answer.status_code == 403 and not client.get("/class/api/me").json()["results_wanted"]
        )
    assert room.board()["progress"]["sharing"] == 0


def test_who_shares_is_counted_before_the_first_result(progress):
    progress.note(ANN, {"nickname": "fox"})
    assert progress.summary()["sharing"] == 1 and progress.summary()["exercises"] == []


def test_asking_twice_forgets_nothing(progress):
    progress.note(ANN, {"nickname": "fox"})
    progress.switch(True)
    assert progress.summary()["sharing"] == 1


def test_results_stand_under_the_nickname_alone(room):
    room.tell("results", on=True)
    with room.client(ANN) as client:
        assert client.post("/class/api/share", json=result("fox")).status_code == 200
    shown = room.board()["progress"]
    assert shown["learners"] == [{"nickname": "fox", "passed": [], "stuck": ["03.advantages"]}]
    assert ANN not in str(shown)


def test_a_learner_can_neither_read_nor_write_anothers_entry(room):
    room.tell("results", on=True)
    with room.client(ANN) as ann, room.client(BEN) as ben:
        ann.post("/class/api/share", json=result("fox"))
        assert ben.get("/class/api/share").status_code == 404
        assert ben.get("/class/api/board").status_code == 403
        assert "fox" not in ben.get("/class/api/me").text
        taken = ben.post("/class/api/share", json=result("FOX", passed=True))
        assert taken.status_code == 409
        ben.delete("/class/api/share")
    assert room.board()["progress"]["learners"][0]["stuck"] == ["03.advantages"]


def test_a_learner_who_withdraws_or_loses_the_key_is_forgotten(room):
    room.tell("results", on=True)
    for name, nickname in ((ANN, "fox"), (BEN, "owl")):
        with room.client(name) as client:
            client.post("/class/api/share", json=result(nickname))
    with room.client(ANN) as client:
        client.delete("/class/api/share")
    assert [one["nickname"] for one in room.board()["progress"]["learners"]] == ["owl"]
    room.tell("revoke", name=BEN)
    wait_for(lambda: room.board()["progress"]["sharing"] == 0)


def test_when_the_teacher_ends_it_all_is_gone(room):
    room.tell("results", on=True)
    with room.client(ANN) as client:
        client.post("/class/api/share", json=result("fox"))
    room.tell("results", on=False)
    room.tell("results", on=True)
    assert room.board()["progress"]["sharing"] == 0


@pytest.mark.parametrize(
    "wrong",
    [{"exercise": "<script>"}, {"exercise": "03." + "x" * 99}, {"exercise": 3}, {"passed": "yes"},
     {"passed": None}, {"nickname": ""}, {"nickname": "a\nb\x1b[2J"}, {"nickname": "x" * 99},
     {"nickname": ["fox"]}, {"mistake": 7}, {"mistake": "x" * (LONGEST_MISTAKE + 1)},
     {"mistake": "\u202e"}],
)  # fmt: skip
def test_what_is_no_result_is_refused(progress, wrong):
    with pytest.raises(Refusal):
        progress.note(ANN, result("fox") | wrong)
    assert progress.summary()["sharing"] == 0


def test_one_learner_cannot_fill_the_board(progress):
    for number in range(MOST_EXERCISES):
        progress.note(ANN, result("fox", exercise=f"03.e{number}"))
    with pytest.raises(Refusal):
        progress.note(ANN, result("fox", exercise="03.more"))
    progress.note(ANN, result("fox", exercise="03.e0", passed=True))
