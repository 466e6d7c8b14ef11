"""Does the board live, in every browser that shows it, and in a notebook?"""

import pytest

from course_utils.classroom import open_class
from course_utils.classroom.teacher import Classroom
from course_utils.errors import ServerError
from tests.classroom.running import wait_for
from tests.classroom.test_gateway import Reader, says, stalls
from tests.classroom.test_progress import DIVIDES, result

ANN, BEN = "learner-01", "learner-02"


@pytest.fixture(scope="module")
def pages():
    """A function that opens another window of a browser."""
    browsers = pytest.importorskip("tests.jupyterlab_browser")
    try:
        opened = browsers.browser()
        context = opened.__enter__()
    except browsers.NoBrowser as reason:
        pytest.skip(str(reason))
    context.set_default_timeout(30_000)
    yield context.new_page
    opened.__exit__(None, None, None)


def board_in(page, room):
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.goto(f"{room.address}/class/#{room.keys.teacher_key}")
    page.locator("#learners tr").first.wait_for()
    return page, faults


def shows(page, id, text):
    page.wait_for_function(
        "([id, text]) => document.getElementById(id).textContent.includes(text)", arg=[id, text]
    )


def test_the_board_updates_by_itself_in_a_second_browser(pages, room, fake):
    (first, faults), (second, more) = board_in(pages(), room), board_in(pages(), room)
    assert room.keys.teacher_key not in first.url, "the key does not stay in the address"
    stalls(fake, "Hm")
    readers = [Reader(room, name) for name in (ANN, BEN, "learner-03")]
    for page in (first, second):
        shows(page, "slots", "2 of 2")
        shows(page, "waiting", "1")
    first.locator("#pause").click()
    for page in (first, second):
        shows(page, "state", "paused")
    assert second.locator("#pause").get_attribute("aria-pressed") == "true"
    second.locator("#pause").click()
    fake.released.set()
    wait_for(lambda: all(reader.ended for reader in readers))
    for page in (first, second):
        shows(page, "replies", "3")
        shows(page, "state", "open")
    assert faults == more == []


def test_results_appear_by_nickname_when_the_teacher_asks(pages, room):
    page, faults = board_in(pages(), room)
    assert page.locator("#exercises-section").is_hidden()
    page.locator("#results").click()
    shows(page, "sharing", "0 of 3 learners")
    for name, nickname in ((ANN, "fox"), (BEN, "<img src=x onerror=alert(1)>")):
        with room.client(name) as client:
            assert client.post("/class/api/share", json=result(nickname)).status_code == 200
    shows(page, "exercises", f"{DIVIDES} (2)")
    shows(page, "nicknames", "<img src=x onerror=alert(1)>")
    assert page.locator("#nicknames img").count() == 0
    assert faults == []


def test_a_key_is_made_and_revoked_on_the_board(pages, room, fake):
    page, faults = board_in(pages(), room)
    page.locator("#name").fill("Zoë")
    page.locator("#add button").click()
    shows(page, "made", "COURSE_API_KEY=sk-class-")
    made = page.locator("#made").inner_text()
    assert f"COURSE_MODEL={room.address}/v1" in made
    shows(page, "learners", "Zoë")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Revoke the key of Zoë").click()
    wait_for(lambda: "Zoë" not in room.keys.names)
    assert faults == []


def test_without_the_teachers_key_the_board_shows_nothing(pages, room):
    page = pages()
    page.goto(f"{room.address}/class/#{room.keys.key_of(ANN)}")
    page.locator("#sign-in").wait_for()
    assert page.locator("#board").is_hidden() and "learner-02" not in page.content()
    page.locator("#key").fill(room.keys.teacher_key)
    page.locator("#sign-in button").click()
    page.locator("#learners tr").first.wait_for()


def test_every_button_and_field_of_the_board_has_a_name(pages, room):
    page, _ = board_in(pages(), room)
    unnamed = page.locator("button, input").evaluate_all(
        "nodes => nodes.filter(n => !(n.textContent.trim() || n.labels?.length)).length"
    )
    assert unnamed == 0
    assert page.locator("html").get_attribute("lang") == "en"


def test_a_notebook_shows_the_board_and_presses_its_buttons(room, fake):
    fake.on["/v1/chat/completions"] = says("42")
    course = open_class(room.address, keys=room.keys.path)
    room.ask(ANN)
    wait_for(lambda: "0 of 2 slots busy" in repr(course) and "1 replies so far" in repr(course))
    course.pause()
    assert ": paused;" in repr(course)
    course.resume()
    course.ask_for_results()
    with room.client(ANN) as client:
        client.post("/class/api/share", json=result("fox"))
    assert f"03.advantages: 0 of 1 have passed; most frequent now: {DIVIDES} (1)." in repr(course)
    key = course.add("Zoë")
    assert room.keys.owner_of(key) == "Zoë"
    course.revoke("Zoë")
    with pytest.raises(ServerError, match="Nobody in this class is called 'Zoë'"):
        course.revoke("Zoë")
    assert room.keys.teacher_key not in repr(course) + course._repr_html_()
    with pytest.raises(ServerError, match="not started here"):
        course.restart_model()


def test_a_notebook_without_a_class_says_so(tmp_path):
    with pytest.raises(ServerError, match="cannot be reached"):
        open_class("http://127.0.0.1:9", keys=tmp_path / "keys.json")
    assert "cannot be reached" in repr(Classroom("http://127.0.0.1:9", "sk-teacher-x"))
