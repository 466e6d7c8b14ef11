"""The control of the recipe: its cold-started model is asked as well as we can."""

from random import Random

import pytest

from course_utils.nano import export
from course_utils.nano.experiments import recipe, recipe_prompts, recipe_tasks
from course_utils.nano.experiments.failure_prompts import PROMPTS
from course_utils.nano.experiments.recipe_prompts import WANTED
from course_utils.nano.tokenizer import END
from course_utils.nano.verifiers import CodeVerifier
from course_utils.paths import nano_folder


@pytest.mark.parametrize("kind", WANTED)
def test_twelve_prompts_end_in_the_question_and_an_opened_thought(kind):
    (task,) = recipe_tasks.exam(kind, 1)
    for prompt in PROMPTS.values():
        text = recipe_prompts.text(prompt, task)
        assert task.question in text.split("<|im_start|>user\n")[-1]
        assert text.endswith("<think>\n" + recipe_prompts.begun(prompt, task))
        assert text.count(END) == 2 * prompt.examples + 1 + prompt.system


@pytest.mark.parametrize("kind", WANTED)
def test_examples_and_validation_are_right_or_kept_from_the_exam(kind):
    asked = {task.question for task in recipe_tasks.exam(kind, 80)}
    assert not asked & {task.question for task in recipe_prompts.validation(kind, 80)}
    with CodeVerifier() as code:
        for task in recipe_prompts.validation(kind, 3):
            reply = WANTED[kind].reply(Random(1), task)
            assert recipe_tasks.right(task, reply, code) == 1
            assert reply.startswith(WANTED[kind].begun(task))


def test_the_best_prompt_is_chosen_on_validation_and_sits_the_exam():
    model = export.from_gguf(nano_folder() / "recipe-cold.gguf")
    rows = recipe_prompts.compare(model, lambda task, text: 0.0, {"fact": 6}, checked=4)
    tried = {row["prompt"]: row["right"] for row in rows if row["exam"] == "validation"}
    assert set(tried) == set(PROMPTS)
    (best,) = {row["prompt"] for row in rows if row["chosen"]}
    assert tried[best] == max(tried.values())
    assert {row["prompt"] for row in rows if row["exam"] == "held out"} == {"bare", best}


def test_the_committed_table_has_every_prompt_and_the_whole_exam():
    rows = recipe_prompts.read_prompts()
    for kind, asked in recipe.EXAM.items():
        mine = [row for row in rows if row["kind"] == kind]
        assert {row["prompt"] for row in mine if row["exam"] == "validation"} == set(PROMPTS)
        held_out = [row for row in mine if row["exam"] == "held out"]
        assert {row["asked"] for row in held_out} == {asked}
        assert any(row["chosen"] for row in held_out)
    assert all(0 < share < 1 for pair in recipe_prompts.by_area().values() for share in pair)
