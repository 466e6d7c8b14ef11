"""QwQ's recipe at nano scale: its tasks, its reward model, and what the committed runs show."""

from random import Random

import pytest
import torch

from course_utils.nano import tokenizer
from course_utils.nano.experiments import recipe_tasks, talk
from course_utils.nano.verifiers import CodeVerifier

KINDS = [kind for kinds in recipe_tasks.AREAS.values() for kind in kinds]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def code():
    with CodeVerifier() as verifier:
        yield verifier


@pytest.fixture(scope="module")
def pieces():
    return tokenizer.load()


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_answer_is_rewarded_and_others_are_not(kind, code):
    random = Random(kind)
    for _ in range(50):
        task = recipe_tasks.draw(random, kind)
        thought = "thought"
        assert recipe_tasks.right(task, recipe_tasks.written(thought, task.answer), code) == 1
        for wrong in ("", "7 8", f"{task.answer} 0", "def f(x): return 4.5"):
            assert recipe_tasks.right(task, recipe_tasks.written(thought, wrong), code) == 0
        cut = recipe_tasks.written(thought, task.answer).removesuffix(tokenizer.END)
        assert recipe_tasks.right(task, cut, code) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_training_never_sees_the_exam(kind):
    random = Random(1)
    exam = {task.question for task in recipe_tasks.exam(kind, 50)}
    assert not exam & {recipe_tasks.draw(random, kind).question for _ in range(500)}


@pytest.mark.parametrize("kind", ["maths", "code"])
def test_a_cold_start_shows_right_solutions_that_fit_the_room(kind, code, pieces):
    random = Random(2)
    for _ in range(100):
        task = recipe_tasks.draw(random, kind)
        reply = recipe_tasks.careful(task, random)
        assert recipe_tasks.right(task, reply, code) == 1
        assert len(pieces.encode(reply).ids) <= recipe_tasks.MAX_TOKENS


def test_the_base_corpus_is_as_often_right_as_its_shares_say(code):
    random = Random(3)
    right = {kind: [] for kind in KINDS}
    for _ in range(2000):
        kind = random.choice(("words", "chinese", "brackets", "talk", "maths", "code", "fact"))
        task = recipe_tasks.draw(random, kind)
        if kind != "code" or len(right["code"]) < 200:
            right[kind].append(
                recipe_tasks.right(task, recipe_tasks.base_reply(task, random), code)
            )
    shares = {kind: sum(marks) / len(marks) for kind, marks in right.items()}
    for kind in ("words", "chinese", "brackets"):
        assert shares[kind] == pytest.approx(recipe_tasks.OBEYED, abs=0.1)
    assert shares["talk"] == pytest.approx(talk.BASE_WAYS["good"], abs=0.1)
    # Half of the facts are told, and then even who does not look is right.
    assert shares["fact"] == pytest.approx((1 + recipe_tasks.OBEYED) / 2, abs=0.1)
    assert 0.4 < shares["maths"] < 0.75
    assert 0.5 < shares["code"] < 0.8


def test_a_question_about_what_is_not_told_is_answered_by_admitting_it():
    random = Random(4)
    for task in (recipe_tasks.draw(random, "fact") for _ in range(200)):
        told = task.question.split(". ")[0].split()[-1]
        assert (task.answer == recipe_tasks.UNKNOWN) == (f"many {told} " not in task.question)


def test_programs_need_their_brackets():
    steps = (("add", 3), ("times", 2), ("take", 1), ("times", 4))
    assert recipe_tasks.expression(steps)[-1] == "((x+3)*2-1)*4"
    assert recipe_tasks.expression(steps, brackets=False)[-1] == "x+3*2-1*4"


@pytest.mark.parametrize("number", [0, 7, 10, 13, 20])
def test_numbers_in_chinese(number):
    expected = {0: "零", 7: "七", 10: "十", 13: "十三", 20: "二十"}
    assert recipe_tasks.chinese_number(number) == expected[number]


def test_only_one_way_to_reply_is_good():
    random = Random(5)
    for way in talk.BASE_WAYS:
        for topic in talk.REMARKS:
            reply = talk.reply(random, way, topic, "Mia")
            assert talk.is_good(reply, topic, "Mia") == (way == "good")
            assert talk.is_gushing(reply) == (way == "gushing")
            assert talk.is_misnamed(reply, "Mia") == (way == "misnamed")
