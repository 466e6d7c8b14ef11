"""Does every exercise accept each right answer, and refuse each wrong one by its mistake's name?"""

import pytest

from course_utils.teaching.exercises import declaration, guarded
from course_utils.teaching.exercises.checking import judge
from tests import owing
from tests.exercise_answers import FOLDER, answers_to

NUMBERS = [f"{number:02}" for number in range(100) if declaration.exercises_of(f"{number:02}")]
EXERCISES = [exercise for number in NUMBERS for exercise in declaration.exercises_of(number)]
ANSWERS = [
    pytest.param(exercise, answer, id=f"{exercise.id} {place}: {answer.name}")
    for exercise in EXERCISES
    for place, answer in enumerate(answers_to(exercise.id), 1)
]
LEAST_RIGHT, LEAST_WRONG = 5, 8


@pytest.mark.parametrize(("exercise", "answer"), ANSWERS)
def test_an_answer_gets_its_verdict_and_its_mistake_its_name(exercise, answer, monkeypatch):
    monkeypatch.setattr(guarded, "LIMIT_SECONDS", 0.4)
    given_answer, given = exercise.answer_of(answer.code)
    found = judge(exercise, given_answer, **given)
    if answer.right:
        assert found.state == "right", found.message
        assert found.mistake is None
    else:
        assert (found.state, found.mistake) == ("wrong", answer.name), found.message
        assert answer.reply in found.message, found.message


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_an_exercise_has_five_right_and_eight_wrong_answers_or_is_listed_as_owing(exercise):
    answers = answers_to(exercise.id)
    right = 1 + sum(answer.right for answer in answers)  # the solution is one
    wrong = sum(not answer.right for answer in answers)
    unnamed = [answer for answer in answers if answer.name == declaration.UNNAMED]
    enough = right >= LEAST_RIGHT and wrong >= LEAST_WRONG and not unnamed
    assert enough == (exercise.id not in owing.ANSWERS), (right, wrong, len(unnamed))


def test_answers_belong_to_exercises_that_exist():
    ids = {exercise.id for exercise in EXERCISES}
    assert {path.stem for path in FOLDER.glob("*.py")} <= ids
    assert ids >= owing.ANSWERS
