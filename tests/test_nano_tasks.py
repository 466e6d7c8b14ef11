"""The nano models' world: its thoughts are right when careful, and its verifier is not fooled."""

from collections import Counter
from random import Random

import pytest

from course_utils.nano import corpus, sentences, tasks
from course_utils.nano.tokenizer import split_reply

ALL_KINDS = [
    (task, language, digits)
    for task in tasks.TASKS
    for language in tasks.LANGUAGES
    for digits in (1, 2, 3)
]


def problem_of(first=325, sign="+", second=148, task="addition", language="en"):
    return tasks.Problem(task, language, "", first, sign, second)


@pytest.mark.parametrize(("task", "language", "digits"), ALL_KINDS)
def test_a_careful_solution_always_verifies(task, language, digits):
    random = Random(1)
    for _ in range(300):
        problem = tasks.make_problem(random, task, language, digits)
        _, answer = split_reply(tasks.completion(problem, "careful", random))
        assert tasks.verify(problem, answer), problem


@pytest.mark.parametrize("task", tasks.TASKS)
def test_a_sloppy_solution_is_right_only_where_nothing_is_carried(task):
    random = Random(2)
    right = 0
    for _ in range(500):
        problem = tasks.make_problem(random, task)
        _, result = tasks.think(problem, "sloppy", random)
        careful, _ = tasks.think(problem, "careful", random)
        nothing_carried = "carry" not in careful and "borrow" not in careful
        assert (result == problem.answer) == nothing_carried
        right += nothing_carried
    assert 0.15 < right / 500 < 0.45


def test_a_careful_thought_reads_as_column_addition():
    thought, result = tasks.think(problem_of(), "careful", Random(0))
    assert thought == "ones: 5+8=13, carry 1\ntens: 2+4=6, 6+1=7\nhundreds: 3+1=4"
    assert result == 473


def test_a_sloppy_thought_forgets_the_carry():
    thought, result = tasks.think(problem_of(), "sloppy", Random(0))
    assert thought == "ones: 5+8=13\ntens: 2+4=6\nhundreds: 3+1=4"
    assert result == 463


def test_a_careful_subtraction_borrows():
    thought, result = tasks.think(problem_of(523, "-", 148), "careful", Random(0))
    assert thought == (
        "ones: 13-8=5, borrow 1\ntens: 12-4=8, 8-1=7, borrow 1\nhundreds: 5-1=4, 4-1=3"
    )
    assert result == 375


def test_a_chinese_story_is_thought_through_in_chinese():
    problem = problem_of(task="story", language="zh")
    thought, _ = tasks.think(problem, "careful", Random(0))
    assert thought == "相加：325+148\n个位：5+8=13，进1\n十位：2+4=6，6+1=7\n百位：3+1=4"


@pytest.mark.parametrize("answer", ["473", " 473\n", "473.", "The answer is 473", "一共473个。"])
def test_the_right_number_verifies(answer):
    assert tasks.verify(problem_of(), answer)


@pytest.mark.parametrize(
    "answer",
    ["", "474", "-473", "4730", "47 3", "473 or 474", "473, 473", "four", "4.73", "九", "9" * 5000],
)
def test_a_wrong_missing_or_double_number_does_not_verify(answer):
    assert not tasks.verify(problem_of(), answer)


def test_the_same_seed_gives_the_same_problems_and_documents():
    for make in (
        lambda random: tasks.make_problem(random, "story", "zh"),
        corpus.document,
        lambda random: sentences.story(random, "en"),
    ):
        first, second = ([make(Random(5)) for _ in range(3)] for _ in range(2))
        assert first == second
    draws = {tasks.make_problem(Random(seed)).question for seed in range(20)}
    assert len(draws) > 15


def test_exam_problems_are_never_drawn_for_training():
    random = Random(3)
    for task in tasks.TASKS:
        for _ in range(300):
            exam = tasks.make_problem(random, task, testing=True)
            training = tasks.make_problem(random, task)
            assert tasks.held_out(exam.first, exam.second)
            assert not tasks.held_out(training.first, training.second)


def test_a_tenth_of_the_three_digit_pairs_is_held_out():
    random = Random(4)
    pairs = [(random.randint(100, 999), random.randint(100, 999)) for _ in range(5000)]
    share = sum(tasks.held_out(a, b) for a, b in pairs) / len(pairs)
    assert 0.08 < share < 0.12
    assert not any(tasks.held_out(a, b) for a in range(100) for b in range(100))


def test_a_difference_is_never_negative():
    random = Random(5)
    assert all(tasks.make_problem(random, "subtraction").answer >= 0 for _ in range(500))


@pytest.mark.parametrize("language", tasks.LANGUAGES)
def test_a_story_names_both_numbers_and_fills_every_gap(language):
    random = Random(6)
    for _ in range(200):
        problem = tasks.make_problem(random, "story", language)
        assert str(problem.first) in problem.question
        assert str(problem.second) in problem.question
        assert "{" not in problem.question


@pytest.mark.parametrize("language", tasks.LANGUAGES)
def test_everyday_sentences_fill_every_gap_and_keep_to_one_language(language):
    random = Random(7)
    for _ in range(200):
        text = sentences.story(random, language)
        assert "{" not in text
        chinese = any("\u4e00" <= letter <= "\u9fff" for letter in text)
        assert chinese == (language == "zh")


def test_the_corpus_has_the_shares_it_states():
    shares = corpus.Shares()
    random = Random(8)
    documents = [corpus.document(random, shares) for _ in range(4000)]
    kinds = Counter()
    for text in documents:
        last = text.rpartition("<|im_start|>user")[2]
        thought = last.partition("<think>\n")[2]
        kinds["sentences"] += "<|im_start|>" not in text
        kinds["story"] += thought.startswith(("We ", "相加", "相减"))
        kinds["carrying"] += "carry" in thought or "进1" in thought
    assert kinds["sentences"] / 4000 == pytest.approx(shares.sentences, abs=0.025)
    assert kinds["story"] / 4000 == pytest.approx(shares.story, abs=0.025)
    assert 0 < kinds["carrying"] / 4000 < shares.careful
    groups = (
        ("sentences", "addition", "subtraction", "story", "small_talk"),
        ("careful", "sloppy", "blurted"),
        ("three_digits", "two_digits", "one_digit"),
    )
    for group in groups:
        assert sum(getattr(shares, name) for name in group) == pytest.approx(1)
