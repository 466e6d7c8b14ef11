"""Marking from release to marks.csv: whatever is handed in is graded, and none is lost."""

import csv
import re

import nbformat
import pytest

from course_utils.teaching.exercises.declaration import exercises_of
from tests.marking import submissions

NUMBERS = [f"{n:02}" for n in range(1, 10) if exercises_of(f"{n:02}")]
IDS = [exercise.id for exercise in exercises_of("00")]


def released(folder, number):
    return next((folder / "release").glob(f"{number}_*/*.ipynb"))


def read_marks(folder):
    with (folder / "marks.csv").open(encoding="utf-8", newline="") as table:
        return {(row["learner"], row["exercise"]): row for row in csv.DictReader(table)}


@pytest.fixture(scope="module")
def graded(teacher, tmp_path_factory):
    """Notebook 00 of eight learners, graded once: the folder, the marks, and what was said."""
    folder = tmp_path_factory.mktemp("marking")
    teacher("-m", "course_utils.marking", "release", folder, "00")
    handed_in, notebook = folder / "handed-in", released(folder, "00")
    submissions.hand_in(notebook, handed_in)
    for learner, kind in {"stuck cell": "right", "torn": "right", "=Ada, émigrée": "right"}.items():
        submissions.hand_in(notebook, handed_in / "..parts", [kind])
        (handed_in / "..parts" / kind).rename(handed_in / learner)
    (handed_in / "..parts").rmdir()
    submissions.add_endless_cell(handed_in / "stuck cell" / notebook.name, "00.minutes")
    submissions.tear(handed_in / "torn" / notebook.name)
    (handed_in / "absent").mkdir()
    old = handed_in / "other editor" / "00 start here (2).ipynb"
    old.parent.mkdir()
    cells = ["from course_utils.teaching import check\nlate = 2000 / 1.4", "minutes = late / 60"]
    old.write_text(submissions.old_notebook(cells), encoding="utf-8")
    said = teacher(
        "-m", "course_utils.marking", "grade", folder, handed_in, "00", "--seconds", "20"
    )
    return folder, read_marks(folder), said


def points(marks, learner):
    return {name: float(marks[learner, name]["points"]) for name in IDS}


def mistakes(marks, learner):
    return {name: marks[learner, name]["mistake"] for name in IDS}


def test_every_learner_gets_a_row_for_every_exercise(graded):
    _, marks, said = graded
    learners = {*submissions.KINDS, "stuck cell", "torn", "'=Ada, émigrée", "absent"}
    assert {who for who, _ in marks} == learners | {"other editor"}
    assert len(marks) == len(IDS) * (len(learners) + 1)
    assert "right: 8 of 8" in said


def test_right_answers_get_all_points_hidden_cases_included(graded):
    _, marks, _ = graded
    assert set(points(marks, "right").values()) == {2.0}
    assert set(mistakes(marks, "right").values()) == {""}


def test_wrong_answers_get_none_and_the_name_of_their_mistake(graded):
    _, marks, _ = graded
    assert set(points(marks, "wrong").values()) == {0.0}
    assert mistakes(marks, "wrong")["00.minutes"] == "no-number"
    assert not set(mistakes(marks, "wrong").values()) & {"", "error", "not-answered"}


def test_a_broken_cell_costs_its_own_exercise_and_says_what_it_was(graded):
    _, marks, _ = graded
    found = sorted(mistakes(marks, "broken").values())
    assert found == ["crashed", "no-answer", "not-answered", "syntax-error"]


def test_an_endless_function_costs_its_own_exercise(graded):
    _, marks, _ = graded
    assert mistakes(marks, "endless") == {name: "" for name in IDS} | {"00.ceiling": "endless"}


def test_a_cell_that_cannot_be_interrupted_costs_its_own_exercise(graded):
    _, marks, _ = graded
    assert mistakes(marks, "stuck cell") == {name: "" for name in IDS} | {"00.minutes": "endless"}


def test_a_torn_file_and_a_missing_one_are_rows_with_a_remark(graded):
    _, marks, _ = graded
    assert sum(points(marks, "torn").values()) == sum(points(marks, "absent").values()) == 0
    assert "cannot be read" in marks["torn", "00.minutes"]["remark"]
    assert "nothing handed in" in marks["absent", "00.minutes"]["remark"]


def test_an_answer_is_found_in_a_notebook_that_another_editor_wrote(graded):
    _, marks, _ = graded
    assert points(marks, "other editor")["00.minutes"] == 2.0


def test_each_learner_gets_feedback_to_read(graded):
    folder, *_ = graded
    pages = list((folder / "feedback").glob("*/*/*.html"))
    assert len(pages) == 9
    wrong = next(page for page in pages if page.parts[-3] == "wrong")
    assert "0 of 2" in wrong.read_text(encoding="utf-8")


def test_the_learners_version_holds_no_solution_and_no_hidden_case(graded):
    folder, *_ = graded
    text = released(folder, "00").read_text(encoding="utf-8")
    seed = (folder / "hidden-seed.txt").read_text(encoding="utf-8").strip()
    teachers = next((folder / "source").glob("00_*/*.ipynb")).read_text(encoding="utf-8")
    assert seed in teachers and seed not in text
    for exercise in exercises_of("00"):
        line = exercise.solution.strip().splitlines()[-1].strip()
        assert line in teachers.replace('\\"', '"') and line not in text.replace('\\"', '"')
    assert "<summary>Solution</summary>" not in text and "<summary>Hint" in text


def test_the_learners_version_asks_what_the_course_asks(graded):
    folder, *_ = graded
    cells = nbformat.read(released(folder, "00"), as_version=4).cells
    assert len([c for c in cells if c.cell_type == "code" and "= ..." in c.source]) >= 2
    assert sum(c.source.startswith("# This cell gives the marks") for c in cells) == len(IDS)


def test_grading_again_keeps_the_other_rows(graded, teacher, tmp_path):
    folder, before, _ = graded
    alone = tmp_path / "alone"
    for learner in ("late", "=Ada, émigrée"):
        submissions.hand_in(released(folder, "00"), alone, ["right"])
        (alone / "right").rename(alone / learner)
    teacher("-m", "course_utils.marking", "grade", folder, alone, "00")
    after = read_marks(folder)
    assert before.items() <= after.items() and ("late", "00.minutes") in after
    rows = (folder / "marks.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + len(after), "nobody stands there twice"


def test_grading_what_was_never_released_says_what_to_do(graded, teacher):
    folder, *_ = graded
    handed_in = folder / "handed-in"
    said = teacher("-m", "course_utils.marking", "grade", folder, handed_in, "01", expect=1)
    assert re.search(r"not released.*\nWhat to do: Run: .*release", said)
    assert "Traceback" not in said


def test_the_right_answers_of_every_other_notebook_get_all_points(teacher, tmp_path):
    teacher("-m", "course_utils.marking", "release", tmp_path, *NUMBERS)
    for number in NUMBERS:
        submissions.hand_in(released(tmp_path, number), tmp_path / "in", ["right"])
    teacher("-m", "course_utils.marking", "grade", tmp_path, tmp_path / "in", *NUMBERS)
    marks = read_marks(tmp_path)
    assert len(marks) == sum(len(exercises_of(number)) for number in NUMBERS)
    off = {key: (row["mistake"], row["words"]) for key, row in marks.items() if row["mistake"]}
    assert not off
    assert {float(row["points"]) for row in marks.values()} == {2.0}
