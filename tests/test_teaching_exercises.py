"""Do exercises speak to the learner as promised: gentle, specific, confirming, never failing?"""

import json
from pathlib import Path

import pytest

from course_utils.teaching.exercises import checking, compare, declaration, folded, results
from course_utils.teaching.exercises.checking import judge, verdict
from tests import owing

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
# Exercises are declared in modules of their own, and found there.
NUMBERS = [
    path.stem.removeprefix("notebook_")
    for path in sorted(Path(declaration.__file__).parent.glob("notebook_*.py"))
]
EXERCISES = [exercise for number in NUMBERS for exercise in declaration.exercises_of(number)]
each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_three_exercises_or_more_all_with_its_number(path):
    number = path.name.split("_")[0]
    exercises = declaration.exercises_of(number)
    assert len(exercises) >= 3
    assert all(exercise.id.startswith(f"{number}.") for exercise in exercises)


@each_exercise
def test_the_solution_a_learner_can_unfold_is_right(exercise):
    answer, given = exercise.answer_of(exercise.solution)
    result = judge(exercise, answer, **given)
    assert result.state == "right", result.message
    assert result.message == exercise.right


@each_exercise
def test_an_unanswered_exercise_gets_a_gentle_line(exercise):
    answer, given = exercise.answer_of(exercise.solution)
    empty_functions = (lambda *_: ..., lambda *_: None) if callable(answer) else ()
    for blank in (..., None, *empty_functions):
        assert judge(exercise, blank, **given).state == "unanswered"


@each_exercise
@pytest.mark.parametrize(
    "answer", ["some text", 10**400, [], {}, object(), int, float("nan"), [[1], [2, 3]], b"\xff"]
)
def test_no_answer_whatever_raises_an_error(exercise, answer):
    _, given = exercise.answer_of(exercise.solution)
    assert judge(exercise, answer, **given).state in ("wrong", "right")


@each_exercise
def test_an_exercise_is_complete(exercise):
    assert declaration.find_exercise(exercise.id) is exercise
    assert exercise.title and exercise.right.endswith((".", "!"))
    assert exercise.hints, "at least one hint"
    assert exercise.answer in exercise.solution
    assert exercise.difficulty in range(1, 6) and exercise.importance in range(1, 6)
    assert 1 <= exercise.minutes <= 30


def test_an_error_in_the_learners_function_is_told_in_one_line_with_its_place():
    def softmax(logits):
        logits = list(logits)
        return logits / nothing  # noqa: F821

    result = verdict("01.softmax", softmax)
    assert result.state == "wrong"
    assert "`softmax` stopped with an error in its line 3: NameError" in result.message
    assert "\n" not in result.message


@pytest.mark.parametrize("failure", [KeyboardInterrupt, SystemExit, RecursionError])
def test_even_an_interrupt_in_the_learners_function_is_told_in_a_line(failure):
    def softmax(logits):
        raise failure

    result = verdict("01.softmax", softmax)
    assert result.state == "wrong" and "\n" not in result.message


def test_a_function_that_computes_and_returns_nothing_is_no_empty_one():
    def softmax(logits):
        logits = logits - logits.max()

    assert verdict("01.softmax", softmax).mistake == "no-return"
    assert verdict("01.softmax", lambda logits: ...).state == "unanswered"


def test_what_the_learners_function_prints_stays_on_the_page(capsys):
    def softmax(logits):
        print("here I am")
        return logits

    checking.check("01.softmax", softmax)
    out = capsys.readouterr().out
    assert out.startswith("here I am\n") and "✗ Not yet (01.softmax)" in out


def test_every_answered_check_is_kept_with_the_name_of_its_mistake(monkeypatch, capsys):
    monkeypatch.setattr(results, "_results", {})
    seen = []
    monkeypatch.setattr(results, "_watchers", [seen.append, lambda result: 1 / 0])
    for answer in (..., 2000 / 1.4, "24", 24):
        checking.check("00.minutes", answer)
    checking.check("00.minuets", 24)
    kept = results.results()
    assert [(one.passed, one.mistake) for one in kept["00.minutes"]] == [
        (False, "seconds"),
        (False, "no-number"),
        (True, None),
    ]
    assert list(kept) == ["00.minutes"] and seen == kept["00.minutes"]
    kept["00.minutes"].clear()
    assert len(results.results()["00.minutes"]) == 3


def test_an_unknown_exercise_names_those_there_are():
    result = verdict("01.sofmax", 1)
    assert result.state == "wrong" and "01.softmax" in result.message
    assert "none in this notebook" in verdict("99.anything", 1).message
    assert verdict("../etc", 1).state == "wrong"


def test_a_partly_filled_answer_counts_as_unanswered():
    assert verdict("01.softmax", (1, ...)).state == "unanswered"
    assert verdict("01.softmax", {"a": None}).state == "unanswered"


def test_check_shows_a_word_and_a_sign_and_not_colour_alone(capsys):
    checking.check("00.minutes", 2000 / 1.4 / 60)
    checking.check("00.minutes", 3)
    checking.check("00.minutes", ...)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("✓ Right (00.minutes): ")
    assert lines[1].startswith("✗ Not yet (00.minutes): ")
    assert lines[-1].startswith("○ Waiting for you (00.minutes): ")


def test_a_wrong_answer_is_told_where_the_next_hint_is_and_no_other_is(capsys):
    checking.check("00.minutes", 2000 / 1.4 / 60)
    checking.check("00.minutes", ...)
    checking.check("00.minuets", 3)
    assert "hint" not in capsys.readouterr().out
    checking.check("00.minutes", 3)
    assert capsys.readouterr().out.count('hint("00.minutes", minutes)') == 1
    assert "hint" not in verdict("00.minutes", 3).message


def test_what_a_learner_wrote_cannot_become_markup():
    page = checking._on_page(verdict("00.history", "<script>alert(1)</script>"))
    assert "<script>" not in page._repr_html_()


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (-3.0, 3.0, "sign"),
        (6.0, 3.0, "twice"),
        (24e3, 3e3, "Bits or bytes"),
        (0.25, 4.0, "upside down"),
        (3.05, 3.0, "3 percent"),
        (float("inf"), 3.0, "finite"),
        (True, 1.0, "True or False"),
        ([1, 2], 3.0, "list"),
        (5.0, 3.0, "too large"),
    ],
)
def test_a_number_that_is_off_is_told_how(answer, expected, words):
    assert words in compare.compare_number(answer, expected).message


def test_numbers_are_accepted_in_every_form_that_holds_one():
    import numpy as np
    import torch

    for three in (3, 3.0, np.float32(3), np.array([3.0]), torch.tensor(3.0, requires_grad=True)):
        assert compare.compare_number(three, 3.0) is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([0.5, 0.5], "shape"),
        ([0.8, 0.4, -0.2], "negative"),
        ([1.0, 1.0, 1.0], "sum to 3"),
        ([0.2, 0.3, 0.5], "They sum to 1, but 2 of 3 are off, the first at position 0"),
        ("0.5", "list or array"),
        ([float("nan")] * 3, "finite"),
    ],
)
def test_probabilities_that_are_off_are_told_how(answer, words):
    assert words in compare.compare_probabilities(answer, [0.5, 0.3, 0.2]).message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([3.0, 2.0, 1.5], "reverse order"),
        ([2.0, 1.5, 3.0], "not in the order"),
        ([-1.5, -2.0, -3.0], "signs"),
        ([3.0, 4.0, 6.0], "same factor"),
        ([1.5, 2.0, 4.0], "1 of 3 are off, the first at position 2"),
    ],
)
def test_an_array_that_is_off_is_told_how(answer, words):
    assert words in compare.compare_array(answer, [1.5, 2.0, 3.0]).message


def test_a_wrong_reply_does_not_give_the_number_away():
    for answer in (1.0, 1e9, -23.81, 0.042):
        assert "23.8" not in verdict("00.minutes", answer).message


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_headings_hints_and_solutions_of_every_notebook_are_in_step(path):
    problems = folded.drifted_cells(path)
    if path.name.split("_")[0] in owing.FRAME:
        problems = [problem for problem in problems if "no heading" not in problem]
    assert problems == []


def _notebook(path, *cells):
    cells = [
        {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)}
        for kind, source in cells
    ]
    path.write_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5}))
    return path


def _notebook_00(path, change=lambda cells: cells):
    ids = [exercise.id for exercise in declaration.exercises_of("00")]
    cells = [("code", "\n".join(f'check("{name}", answer)' for name in ids))]
    cells += [("markdown", folded.heading_markdown(name) + "\n\nThe text.") for name in ids]
    cells += [("markdown", folded.folded_markdown(name)) for name in ids]
    return _notebook(path / "00_start_here.ipynb", *change(cells))


def test_a_heading_that_stands_twice_is_found(tmp_path):
    def twice(cells):
        first = folded.heading_markdown("00.minutes")
        again = first.split("\n\n", 1)[1]
        return [(kind, source.replace(first, f"{first}\n\n{again}")) for kind, source in cells]

    path = _notebook_00(tmp_path, twice)
    assert folded.drifted_cells(path) == ["00.minutes: the heading stands more than once"]


def test_a_folded_solution_that_drifted_is_found_and_rewritten(tmp_path):
    def drift(cells):
        return [(kind, source.replace("2000 / 1.4", "3000 / 1.4")) for kind, source in cells]

    path = _notebook_00(tmp_path, drift)
    assert folded.drifted_cells(path) == [
        "00.minutes: the folded cell differs from the declaration"
    ]
    assert folded.update_folded_cells(path) == 1
    assert folded.drifted_cells(path) == []
    assert folded.update_folded_cells(path) == 0


@pytest.mark.parametrize("was", ["about 2 minutes", "#### Exercise: How long", "\n\n*Difficulty"])
def test_a_heading_that_drifted_is_rewritten_and_the_text_below_it_stays(tmp_path, was):
    def drift(cells):
        return [
            (kind, source.replace(was, was.replace("2", "9").replace("How", "Why"), 1))
            if source.startswith("<!-- exercise 00.minutes: heading")
            else (kind, source)
            for kind, source in cells
        ]

    path = _notebook_00(tmp_path, drift)
    folded.update_folded_cells(path)
    assert folded.drifted_cells(path) == []
    cell = next(c for c in json.loads(path.read_text())["cells"] if "minutes: heading" in str(c))
    assert "".join(cell["source"]) == folded.heading_markdown("00.minutes") + "\n\nThe text."


def test_a_mark_alone_is_filled_in(tmp_path):
    mark = "<!-- exercise 00.minutes: heading -->\n\nWhat it asks."
    path = _notebook(tmp_path / "00_start_here.ipynb", ("markdown", mark))
    assert folded.update_folded_cells(path) == 1
    source = "".join(json.loads(path.read_text())["cells"][0]["source"])
    assert source == folded.heading_markdown("00.minutes") + "\n\nWhat it asks."
    assert "*Difficulty 1 of 5 · importance 3 of 5 · about 2 minutes*" in source


def test_missing_and_misspelt_exercises_of_a_notebook_are_found(tmp_path):
    path = _notebook(tmp_path / "00_start_here.ipynb", ("code", 'check("00.minuets", answer)'))
    problems = folded.drifted_cells(path)
    assert "00.minuets: checked, but not declared" in problems
    assert "00.minuets: checked, but no folded cell" in problems
    assert "00.minuets: checked, but no heading" in problems
    assert "00.minutes: declared, but never checked" in problems


def test_folded_markdown_holds_every_hint_and_the_solution():
    text = folded.folded_markdown("01.softmax")
    exercise = declaration.find_exercise("01.softmax")
    assert text.count("<details>") == text.count("</details>") == len(exercise.hints) + 1
    for part in (*exercise.hints, exercise.solution.strip()):
        assert part in text
