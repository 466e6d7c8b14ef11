"""What a learner wrote is used once it is right, and nothing they write ends a training."""

import pytest

from course_utils.errors import OptionError
from course_utils.nano import verifiers
from course_utils.nano.experiments import sums
from course_utils.teaching import which_ran, yours_if_right
from course_utils.teaching.exercises.declaration import find_exercise


def solved(exercise_id: str):
    exercise = find_exercise(exercise_id)
    return exercise.answer_of(exercise.solution)[0]


def test_a_right_function_is_used_and_named(capsys):
    mine = solved("03.verifier")
    assert yours_if_right("03.verifier", mine, verifiers.accuracy).__wrapped__ is mine
    assert "Your `mended` (03.verifier) is used from here on." in capsys.readouterr().out


@pytest.mark.parametrize(("value", "why"), [(..., "is not written yet"), (1.0, "is not right yet")])
def test_the_courses_own_stands_in_until_then(value, why, capsys):
    def mended(problem, text):
        return value

    chosen = yours_if_right("03.verifier", mended, verifiers.accuracy)
    assert chosen.__wrapped__ is verifiers.accuracy
    assert why in capsys.readouterr().out


def test_an_error_that_no_check_tried_hands_over_to_the_courses_own(capsys):
    mine, calls = solved("03.verifier"), []

    def mended(problem, text):
        if "far too odd" in text:
            calls.append(text)
            raise ValueError("no such text was foreseen")
        return mine(problem, text)

    verifier = yours_if_right("03.verifier", mended, verifiers.accuracy)
    problem = sums.exam(1)[0]
    right = f"</think>\n\n{problem.answer}<|im_end|>"
    assert verifier(problem, right) == 1
    assert verifier(problem, "far too odd") == verifier(problem, "far too odd") == 0
    assert len(calls) == 1 and "no such text was foreseen" in capsys.readouterr().out


def test_a_later_cell_says_which_function_ran(capsys):
    problem = sums.exam(1)[0]
    right = f"</think>\n\n{problem.answer}<|im_end|>"
    for mine, said in (
        (solved("03.verifier"), "✓ Your `mended` (03.verifier) ran here."),
        (lambda problem, text: ..., "○ The course's own version ran here. Yours runs"),
    ):
        verifier = yours_if_right("03.verifier", mine, verifiers.accuracy)
        which_ran(verifier)
        assert "has run yet" in capsys.readouterr().out
        assert verifier(problem, right) == 1
        which_ran(verifier)
        assert said in capsys.readouterr().out
    with pytest.raises(OptionError):
        which_ran(verifiers.accuracy)


def test_a_right_value_is_used_too(capsys):
    assert yours_if_right("00.minutes", 24, 23.8) == 24
    assert "Your answer to 00.minutes is used" in capsys.readouterr().out
    assert yours_if_right("00.minutes", 7, 23.8) == yours_if_right("00.minutes", ..., 23.8) == 23.8
    assert "is not right yet, so the course's own is used." in capsys.readouterr().out
