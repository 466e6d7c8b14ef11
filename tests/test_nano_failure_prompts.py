"""The control of notebook 04: each failing model is asked as well as we can."""

from random import Random

import pytest

from course_utils.nano import verifiers
from course_utils.nano.experiments import failure_prompts, failures, sums
from course_utils.nano.experiments.failure_prompts import PROMPTS, WANTED
from course_utils.nano.tokenizer import END

NAMES = list(failures.FAILURES)


@pytest.mark.parametrize("name", NAMES)
def test_twelve_prompts_end_in_the_question_and_an_opened_thought(name):
    problem = failures.FAILURES[name].draw(Random(5))
    assert len(PROMPTS) == 12
    for prompt in PROMPTS.values():
        text = failure_prompts.text(name, prompt, problem)
        last = text.split("<|im_start|>user\n")[-1]
        assert problem.question in last
        assert text.endswith("<think>\n" + failure_prompts.begun(name, prompt, problem))
        assert text.count(END) == 2 * prompt.examples + 1 + prompt.system


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_right_and_does_not_fail(name):
    for number in range(4):
        problem, reply = failure_prompts.example(name, number)
        assert verifiers.accuracy(problem, reply) == 1
        assert not failures.FAILURES[name].shows(problem, reply)
        if max(problem.first, problem.second) > 9:
            assert not sums.held_out(problem.first, problem.second)


@pytest.mark.parametrize("name", NAMES)
def test_the_prompt_is_chosen_on_other_problems_than_it_is_asked(name):
    validation = failure_prompts.problems(name, 60, testing=False)
    held_out = failure_prompts.problems(name, 60, testing=True)
    two_digits = [p.question for p in held_out if max(p.first, p.second) > 9]
    assert not set(two_digits) & {p.question for p in validation}
    assert bool(two_digits) == (name != "overthinking")  # sums of one digit are too few


def test_the_committed_table_has_the_best_of_twelve_for_each_failing_model():
    rows = failure_prompts.read_prompts()
    assert {(row["failure"], row["stage"]) for row in rows} == set(failure_prompts.models())
    for name, stage in failure_prompts.models():
        mine = [row for row in rows if (row["failure"], row["stage"]) == (name, stage)]
        tried = [row for row in mine if row["exam"] == "validation"]
        assert {row["prompt"] for row in tried} == set(PROMPTS)
        (chosen,) = [row for row in tried if row["chosen"]]
        assert chosen["good"] == max(row["good"] for row in tried)
        assert any(row["chosen"] and row["exam"] == "held out" for row in mine)


def test_every_failure_has_words_a_reply_and_a_beginning():
    assert set(WANTED) == set(failures.FAILURES)
