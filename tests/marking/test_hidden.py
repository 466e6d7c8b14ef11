"""Hidden cases accept every right answer and catch one that knows only the cases shown."""

import pytest

from course_utils.marking.hidden import DRAWS, hidden_mistake
from course_utils.marking.verdicts import POINTS, mark
from course_utils.teaching.exercises.attempt import is_function
from course_utils.teaching.exercises.declaration import exercises_of
from tests.exercise_answers import answers_to

NUMBERS = [f"{n:02}" for n in range(100) if exercises_of(f"{n:02}")]
DECLARED = [exercise for number in NUMBERS for exercise in exercises_of(number)]
DRAWN = [exercise for exercise in DECLARED if exercise.id in DRAWS]
RIGHT = [
    pytest.param(exercise, answer.code, id=f"{exercise.id}: {answer.name}")
    for exercise in DRAWN
    for answer in answers_to(exercise.id)
    if answer.right
]


@pytest.mark.parametrize("exercise", DRAWN, ids=lambda exercise: exercise.id)
def test_the_solution_is_right_on_hidden_cases_of_any_seed(exercise):
    solution, _ = exercise.answer_of(exercise.solution)
    found = [hidden_mistake(exercise, solution, seed) for seed in range(3)]
    assert found == [None] * 3


@pytest.mark.parametrize(("exercise", "code"), RIGHT)
def test_other_right_answers_are_right_on_hidden_cases_too(exercise, code):
    assert hidden_mistake(exercise, exercise.answer_of(code)[0], seed=7) is None


@pytest.mark.parametrize("exercise", DRAWN, ids=lambda exercise: exercise.id)
def test_an_answer_that_is_wrong_on_hidden_cases_is_caught(exercise):
    found = hidden_mistake(exercise, lambda *arguments: -17.25, seed=7)
    assert found.name == "hidden-case"


def test_most_functions_that_are_asked_for_have_hidden_cases():
    functions = [e for e in DECLARED if is_function(e.answer_of(e.solution)[0])]
    assert len(DRAWN) >= 0.75 * len(functions)


def test_an_answer_that_knows_the_shown_cases_alone_gets_half(capsys):
    exercise = next(e for e in DECLARED if e.id == "07.standard_error")
    solution, _ = exercise.answer_of(exercise.solution)
    asked = []

    def spy(score, problems):
        asked.append((score, problems))
        return solution(score, problems)

    exercise.check(spy)
    shown = {case: solution(*case) for case in asked}
    names = {exercise.answer: lambda score, problems: shown.get((score, problems), 0.5)}
    assert mark(exercise.id, names) == POINTS
    assert mark(exercise.id, names, seed=3) == POINTS / 2


def test_an_endless_or_failing_answer_is_a_mistake_and_not_an_error(monkeypatch):
    from course_utils.teaching.exercises import guarded

    monkeypatch.setattr(guarded, "LIMIT_SECONDS", 0.4)
    exercise = next(e for e in DRAWN if e.id == "07.standard_error")

    def endless(*arguments):
        while True:
            pass

    assert hidden_mistake(exercise, endless, 1).name == "hidden-endless"
    assert hidden_mistake(exercise, lambda *a: 1 / 0, 1).name == "hidden-error"


def test_a_missing_answer_gets_no_points():
    assert mark("00.minutes", {}) == 0
