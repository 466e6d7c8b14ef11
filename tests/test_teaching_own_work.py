"""What a learner wrote is used once it is right, and nothing they write ends a training."""

import pytest

from course_utils.nano import verifiers
from course_utils.nano.experiments import sums
from course_utils.teaching import yours_if_right
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

    assert yours_if_right("03.verifier", mended, verifiers.accuracy) is verifiers.accuracy
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


def test_a_denied_answer_fools_the_naive_verifier_and_the_right_one_does_not():
    check = find_exercise("03.fool").check
    assert check("</think>\n\nIt is not 85.<|im_end|>") is None
    assert check("</think>\n\n85<|im_end|>")
