"""A base model is asked as well as we can, and every step of a watched run is kept."""

import pytest

from course_utils.logs import read_log
from course_utils.nano import export, tasks, tokenizer
from course_utils.nano.experiments import elicitation, runs, sums
from course_utils.paths import nano_folder

SUM = tasks.Problem("addition", "en", "47+38=?", 47, "+", 38)


@pytest.fixture
def base(one_thread):
    return export.from_gguf(nano_folder() / "small-base.gguf")


def test_twelve_prompts_hold_the_question_and_end_in_an_opened_thought():
    assert len(elicitation.PROMPTS) == 12
    for prompt in elicitation.PROMPTS.values():
        text = prompt.text(SUM, digits=2)
        assert text.count(SUM.question) == 1 and text.endswith("<think>\n" + prompt.begun)


def test_examples_are_worked_sums_of_the_questions_size_and_right():
    text = elicitation.PROMPTS["three examples"].text(SUM, digits=2)
    *examples, asked = text.split("<|im_start|>user\n")[1:]
    assert len(examples) == 3 and asked.startswith(SUM.question)
    for example in examples:
        first, second = map(int, example.split("=?")[0].split("+"))
        assert 10 <= first <= 99 and "ones: " in example
        answer = tokenizer.split_reply(example.split("<think>\n")[1])[1]
        assert int(answer) == first + second


def test_asking_for_the_working_does_what_reward_does_to_the_small_base(base):
    """The control: on the live task of notebook 03 three words are enough."""
    problems = sums.exam(24)
    bare, asked = (
        elicitation.count(problems, elicitation.replies(base, problems, elicitation.PROMPTS[name]))
        for name in ("bare", "show your working")
    )
    assert bare["right"] < 12 and asked["right"] >= 22 and asked["worked"] == 24


def test_the_best_prompt_is_chosen_on_validation_and_asked_on_the_rest(base):
    some = {name: elicitation.PROMPTS[name] for name in ("bare", "show your working")}
    rows = elicitation.compare(base, elicitation.validation_sums(8), sums.exam(8), some)
    assert {row["prompt"] for row in rows if row["chosen"]} == {"show your working"}
    assert sum(row["exam"] == "held out" for row in rows) == 4


def test_validation_sums_are_not_in_the_exam():
    asked = {problem.question for problem in sums.exam()}
    assert not asked & {problem.question for problem in elicitation.validation_sums(200)}


def test_the_committed_comparison_has_a_chosen_prompt_for_each_model():
    rows = read_log(runs.log_path("elicitation"))
    for model in ("small base", "small base, reinforced", "base", "thinker"):
        mine = [row for row in rows if row["model"] == model]
        tried = [row for row in mine if row["exam"] == "validation"]
        assert {row["prompt"] for row in tried} == set(elicitation.PROMPTS)
        best = max(row["right"] for row in tried)
        assert {row["right"] for row in tried if row["chosen"]} == {best}
        assert any(row["chosen"] and row["exam"] == "held out" for row in mine)
