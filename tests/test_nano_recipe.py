"""QwQ's recipe at nano scale: its tasks, its reward model, and what the committed runs show."""

from dataclasses import replace
from random import Random

import pytest

from course_utils.hashing import hash_file
from course_utils.nano import cards, export, pretrain, tokenizer
from course_utils.nano.experiments import recipe, recipe_model, recipe_tasks, reward_model, talk
from course_utils.nano.verifiers import CodeVerifier
from course_utils.paths import nano_folder
from tests.shares import agree

pytestmark = pytest.mark.usefixtures("one_thread")

COMMAND = "python -m course_utils.nano.experiments.recipe"
needs_runs = pytest.mark.skipif(
    len(recipe.read_stages()) < len(recipe.SEEDS), reason=f"the runs are made by `{COMMAND}`"
)
needs_model = pytest.mark.skipif(
    not (nano_folder() / f"{recipe_model.NAME}.gguf").exists(),
    reason=f"the model is made by `{COMMAND}` and `{COMMAND}_model`",
)

KINDS = [kind for kinds in recipe_tasks.AREAS.values() for kind in kinds]


@pytest.fixture(scope="module")
def code():
    with CodeVerifier() as verifier:
        yield verifier


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
def test_a_cold_start_shows_right_solutions_that_fit_the_room(kind, code, nano):
    random = Random(2)
    for _ in range(100):
        task = recipe_tasks.draw(random, kind)
        reply = recipe_tasks.careful(task, random)
        assert recipe_tasks.right(task, reply, code) == 1
        assert len(nano.encode(reply).ids) <= recipe_tasks.MAX_TOKENS


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
        assert (task.answer == recipe_tasks.UNKNOWN) == (f"many {told}?" not in task.question)


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
            reply = talk.reply(random, way, topic)
            assert talk.is_good(reply, topic) == (way == "good")
            assert talk.is_gushing(reply) == (way == "gushing")


@pytest.fixture(scope="module")
def cold():
    return export.from_gguf(nano_folder() / f"{recipe_model.NAME}.gguf")


def test_a_reward_model_learns_from_pairs_what_it_was_told(nano):
    base = pretrain.new_model(recipe.SHAPE, 1)
    told = reward_model.train(base, nano, ("rude",), seed=1, steps=12)
    assert reward_model.agreement(told, "rude", 50) > 45
    task = recipe_tasks.exam("talk", 1)[0]
    good, rude = (
        told.reward(task, recipe_tasks.written("Thanks.", reply))
        for reply in (task.answer, talk.RUDE[0])
    )
    assert 0 <= rude < good <= 1


def test_all_stages_run_and_are_not_run_again(monkeypatch, tmp_path):
    quick = {"steps": 2, "evaluate_every": 2}
    for name in ("PRETRAINING", "COLD_START", "STAGE1", "STAGE2"):
        reinforced = name.startswith("STAGE")
        few = {"problems": 4, "group": 2, "max_tokens": 4}
        small = few if reinforced else {"tokens_per_step": 256, "row_length": 32}
        monkeypatch.setattr(recipe, name, replace(getattr(recipe, name), **quick, **small))
    monkeypatch.setattr(recipe, "EXAM", dict.fromkeys(recipe.EXAM, 2))
    monkeypatch.setattr(recipe_tasks, "MAX_TOKENS", 4)
    monkeypatch.setattr(reward_model, "STEPS", 2)
    monkeypatch.setattr(reward_model, "PAIRS_ASKED", 4)
    recipe.run(1, folder=tmp_path, cache=tmp_path)
    rows = recipe.read_stages(tmp_path)
    assert len(rows) == len(recipe.STAGES) * len(recipe.EXAM)
    assert {row["stage"] for row in rows} == set(recipe.STAGES)
    assert len(recipe.read_log("stage2", 1, tmp_path)) == 2
    assert len(recipe.read_preferences(tmp_path)) == len(reward_model.WORSE)
    monkeypatch.setattr(recipe, "_train_stage", None)  # all that is left is the exam
    recipe.run(1, folder=tmp_path, cache=tmp_path)
    assert recipe.read_stages(tmp_path) == rows


@needs_model
@needs_runs
def test_stage_1_run_again_agrees_with_its_committed_row(cold, nano, code):
    """From the shipped weights, rounded to 16 bits; another CPU draws other samples."""
    for _ in recipe.reinforce(cold, nano, "stage1", recipe_model.SEED, code):
        pass
    asked = {"maths": 150, "code": 150, "words": 80}
    for again in recipe.sit_exam(cold, nano, code, asked):
        (row,) = (
            row
            for row in recipe.read_stages()
            if (row["seed"], row["stage"], row["kind"])
            == (recipe_model.SEED, "stage1", again["kind"])
        )
        assert agree((again["right"], again["asked"]), (row["right"], row["asked"])), (again, row)


@needs_runs
def test_the_committed_runs_are_whole():
    rows = recipe.read_stages()
    assert len(rows) == len(recipe.SEEDS) * len(recipe.STAGES) * len(recipe.EXAM)
    for row in rows:
        assert row["asked"] == recipe.EXAM[row["kind"]] == len(row["marks"])
        assert row["right"] == row["marks"].count("1")
    for seed in recipe.SEEDS:
        for stage in recipe.DRAWS:
            assert (
                recipe.read_log(stage, seed)[-1]["step"]
                == (recipe.STAGE1 if stage == "stage1" else recipe.STAGE2).steps
            )


@needs_model
def test_the_card_is_that_of_the_shipped_file():
    card, path = cards.read_card(recipe_model.NAME), nano_folder() / f"{recipe_model.NAME}.gguf"
    assert card["sha256"] == hash_file(path)
    assert card["bytes"] == path.stat().st_size < 2e6
    assert path.with_suffix(".md").read_text(encoding="utf-8") == cards.as_markdown(card)
