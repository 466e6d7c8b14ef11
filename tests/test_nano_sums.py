"""The sums of notebook 03: their base model, their committed runs, and training that is watched."""

from dataclasses import fields
from statistics import mean

import pytest

from course_utils.engines import open_model
from course_utils.hashing import hash_file
from course_utils.intervals import over_seeds
from course_utils.logs import read_log
from course_utils.nano import cards, export, grpo, pretrain
from course_utils.nano.experiments import (
    elicitation,
    objectives,
    operations,
    runs,
    sums,
)
from course_utils.nano.model import qwen3
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder
from course_utils.teaching import (
    describe_step,
    describe_watched,
    group_chart,
    step_chart,
    watched_chart,
)
from course_utils.teaching.widgets import training_live as live
from tests.shares import agree


@pytest.fixture(scope="module")
def tokenizer():
    return load()


@pytest.fixture
def base():
    return export.from_gguf(nano_folder() / "small-base.gguf")


def test_three_words_do_for_the_small_base_what_reward_does():
    """The committed table, and the shipped model asked again."""
    rows = [
        row
        for row in read_log(runs.log_path("elicitation"))
        if (row["model"], row["exam"], row["temperature"]) == ("small base", "held out", 0)
    ]
    shares = {row["prompt"]: row["right"] / row["asked"] for row in rows}
    assert shares["bare"] < 0.2 and shares["show your working"] > 0.95
    base = export.from_gguf(nano_folder() / "small-base.gguf")
    asked = elicitation.PROMPTS["show your working"]
    exam = sums.exam(40)
    again = elicitation.count(exam, elicitation.replies(base, exam, asked))
    assert again["right"] >= 38


def test_a_run_of_an_objective_comes_out_again_as_its_rows():
    """The first five steps: the reward of 640 completions at temperature 1."""
    again = objectives.run("GRPO", 1, steps=5, exam=40)[1:]
    rows = [row for row in objectives.read_runs() if (row["variant"], row["seed"]) == ("GRPO", 1)]
    drawn = [row for row in rows if row["step"] in range(1, 6)]
    right, logged = (sum(128 * row["reward"] for row in some) for some in (again, drawn))
    assert agree((round(right), 640), (round(logged), 640))


def test_a_committed_objective_came_out_again_within_its_interval():
    """The rewards of the last ten steps, against Student's interval over the three seeds."""

    def ends(rows):
        last = [row for row in rows if row["variant"] == "GRPO" and row["step"] > 30]
        seeds = {row["seed"] for row in last}
        return {s: mean(row["reward"] for row in last if row["seed"] == s) for s in seeds}

    committed, again = over_seeds(ends(objectives.read_runs())), ends(objectives.read_again())
    assert again and all(committed.low <= value <= committed.high for value in again.values())


@pytest.mark.parametrize("variant", objectives.VARIANTS)
def test_every_objective_has_all_its_steps_with_three_seeds(variant):
    rows = [row for row in objectives.read_runs() if row["variant"] == variant]
    for seed in runs.SEEDS:
        steps = [row["step"] for row in rows if row["seed"] == seed]
        assert steps == list(range(objectives.STEPS + 1))


@pytest.mark.parametrize("variant", objectives.PARENTS)
def test_an_objective_changes_one_line_of_its_parent(variant):
    parent = objectives.PARENTS[variant]
    ours, theirs = (sums.reinforcement(**objectives.VARIANTS[v]) for v in (variant, parent))
    changed = {f.name for f in fields(ours) if getattr(ours, f.name) != getattr(theirs, f.name)}
    two = {"Dr. GRPO": {"mean_over", "deviation"}, "no baseline": {"baseline", "deviation"}}
    assert changed == two.get(variant, changed) and len(changed) == (2 if variant in two else 1)


def test_every_objective_but_the_published_one_has_a_parent():
    assert list(objectives.VARIANTS) == ["GRPO", *objectives.PARENTS]


def test_the_fixed_question_goes_from_a_guess_to_its_working():
    rows = [row for row in objectives.read_runs() if row["variant"] == "GRPO"]
    for seed in runs.SEEDS:
        mine = [row["reply"] for row in rows if row["seed"] == seed]
        assert mine[0].startswith("</think>") and mine[-1].startswith("ones: 7+8=15")


def test_the_clip_acts_only_on_a_policy_that_has_moved():
    by_name = {}
    for row in objectives.read_runs():
        if row["step"]:
            by_name.setdefault(row["variant"], []).append(row["clip_fraction"])
    assert max(by_name["1 update"]) == 0
    assert sum(by_name["8 updates"]) > sum(by_name["clip-higher"]) > 0


def test_pretraining_learns_the_form_of_a_sum_in_a_few_steps(tokenizer):
    settings = sums.pretraining("0.2M", steps=12, seed=1)
    model = pretrain.new_model(sums.SIZES["0.2M"].shape, 1)
    losses = [
        r["train_loss"]
        for r in pretrain.pretrain(model, tokenizer, settings, document=sums.document)
    ]
    assert losses[-1] < losses[0] - 0.5


def test_idle_experts_and_the_input_embedding_do_no_work():
    shape = qwen3(experts=8, used=2, expert_width=128)
    mixture, dense = (pretrain.new_model(s, 1) for s in (shape, sums.SIZES["0.7M"].shape))
    assert (
        operations.working_parameters(dense)
        == dense.parameter_count() - dense.token_embd.weight.numel()
    )
    assert operations.working_parameters(mixture) < mixture.parameter_count() / 2


def test_no_training_document_holds_a_pair_of_the_exam():
    from random import Random

    asked = {problem.question for problem in sums.exam()}
    random = Random(3)
    for _ in range(500):
        document = sums.document(random)
        assert not any(f" {q}" in document or f"\n{q}" in document for q in asked)


def test_the_small_bases_card_holds_for_its_file():
    card, path = cards.read_card("small-base"), nano_folder() / "small-base.gguf"
    assert card["sha256"] == hash_file(path)
    assert (nano_folder() / "small-base.md").read_text() == cards.as_markdown(card)
    assert all(row["high"] < 0.4 for row in card["accuracy"])
    assert open_model(path).chat("47+38=?").finish().answer


def test_a_group_without_spread_has_no_advantage_to_draw():
    figure = group_chart([1, 1], [0.0, 0.0], ["right", "right"], "A group that teaches nothing")
    assert len(figure.axes) == 2


def test_one_step_is_drawn_and_said_for_each_way_of_stepping():
    after = {"advantage +1": [0.8, 0.2], "advantage -1": [0.4, 0.6]}
    figure = step_chart(["ones", "</think>"], [0.6, 0.4], after)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == list(after)
    assert [text.get_text() for text in figure.axes[0].texts] == ["+20 points", "-20 points"]
    words = describe_step(["ones", "</think>"], [0.6, 0.4], after)
    assert "advantage +1: ones 60% to 80%, </think> 40% to 20%;" in words


def test_what_is_watched_is_drawn_for_one_run_and_for_several():
    log = [row for row in objectives.read_runs() if row["variant"] == "clip-higher"]
    one = watched_chart({"DAPO": log}, "One")
    assert [text.get_text() for text in one.axes[5].get_legend().get_texts()] == ["right", "wrong"]
    assert watched_chart({"a": log, "b": log}, "Two").axes[0].get_legend()
    assert "entropy" in describe_watched({"DAPO": log})


def test_live_training_can_be_stopped_and_gives_what_has_come(capsys):
    def run():
        yield {"step": 1, "reward": 0.5, "accuracy": 0.2, "length": 6.0, "entropy": 0.1}
        raise KeyboardInterrupt

    records = live.training_live(run(), steps=4)
    assert len(records) == 1
    assert "Run the cell again" in capsys.readouterr().out


def test_short_runs_are_asked_for_by_an_environment_variable(monkeypatch):
    monkeypatch.delenv(live.SHORT_RUNS, raising=False)
    assert live.run_length(30) == 30
    monkeypatch.setenv(live.SHORT_RUNS, "1")
    assert live.run_length(30) == 3


def test_the_reward_of_the_laboratory_is_the_verified_answer():
    problem = sums.exam(1)[0]
    assert grpo.reward(problem, f"</think>\n\n{problem.answer}<|im_end|>") == 1
