"""The experiments of notebook 03 come out again as their committed rows say."""

import pytest

from course_utils.engines import open_model
from course_utils.evaluation.statistics import pass_at_k_per_problem
from course_utils.hashing import hash_file
from course_utils.nano import cards, export, grpo, pretrain, tokenizer
from course_utils.nano.experiments import ablations, elicit, scaling, small_base, sums
from course_utils.paths import nano_folder
from course_utils.teaching import compute_chart, pass_at_k_curves, size_chart
from course_utils.teaching.widgets import training_live as live
from tests.shares import agree


@pytest.fixture(scope="module")
def pieces():
    return tokenizer.load()


@pytest.fixture
def base():
    return export.from_gguf(nano_folder() / "small-base.gguf")


def test_the_small_base_answers_as_its_row_of_the_scaling_experiment(pieces, base):
    row = next(
        row
        for row in scaling.read_runs()
        if (row["model"], row["seed"]) == (small_base.SIZE, small_base.SEED) and not row["rl_step"]
    )
    again = scaling.ask(base, pieces, sums.exam(200), seed=7)
    assert agree((again.right, again.asked), (row["right"], row["asked"]))
    assert again.right / again.asked < 0.45


def test_reinforcement_comes_out_again_as_its_row(base):
    """The first ten steps of a run, on 200 of its problems."""
    again = ablations.run("as-it-is", 1, steps=10, problems=200)[-1]
    row = next(
        row
        for row in ablations.read_runs()
        if (row["variant"], row["seed"], row["rl_step"]) == ("as-it-is", 1, 10)
    )
    for column in ("right", "greedy_right"):
        assert agree((again[column], again["asked"]), (row[column], row["asked"]))
    assert row["right"] / row["asked"] > 0.5


def test_many_replies_come_out_again_as_their_rows(pieces, base):
    rows = [
        row
        for row in elicit.read_runs()
        if (row["model"], row["seed"], row["stage"]) == (small_base.SIZE, small_base.SEED, "base")
    ]
    again = elicit.count(base, pieces, sums.exam(elicit.PROBLEMS)[:8], replies=64)
    logged = sum(r["right"] for r in rows[:8]), sum(r["replies"] for r in rows[:8])
    assert agree((sum(r["right"] for r in again), 8 * 64), logged)


def test_pretraining_learns_the_form_of_a_sum_in_a_few_steps(pieces):
    settings = sums.pretraining("0.2M", steps=12, seed=1)
    model = scaling.new_model("0.2M", 1)
    losses = [
        r["train_loss"] for r in pretrain.pretrain(model, pieces, settings, document=sums.document)
    ]
    assert losses[-1] < losses[0] - 0.5


def test_every_run_has_three_seeds_or_is_left_out_of_none(pieces):
    for variant in ablations.VARIANTS:
        rows = [row for row in ablations.read_runs() if row["variant"] == variant]
        assert {row["seed"] for row in rows} == {1, 2, 3}


def test_operations_are_counted_as_the_formula_says(pieces):
    spent = scaling.Spent(parameters=10, pieces=pieces, group=2)
    problem = sums.exam(1)[0]
    right = f"</think>\n\n{problem.answer}<|im_end|>"
    wrong = "</think>\n\n1<|im_end|>"
    spent.note([problem] * 4, [right, wrong, wrong, wrong])
    prompt = len(pieces.encode(tokenizer.render(problem.question)).ids)
    one, other = (len(pieces.encode(text).ids) for text in (right, wrong))
    assert spent.drawn == one + 3 * other and spent.read == 2 * prompt
    assert spent.trained == one + other + 2 * prompt  # the second group teaches nothing
    assert spent.flops == 10 * (2 * (spent.drawn + spent.read) + 6 * spent.trained)


def test_idle_experts_and_the_input_embedding_do_no_work():
    mixture, dense = scaling.new_model("moe", 1), scaling.new_model("0.7M", 1)
    assert (
        scaling.working_parameters(dense)
        == dense.parameter_count() - dense.token_embd.weight.numel()
    )
    assert scaling.working_parameters(mixture) < mixture.parameter_count() / 2


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


def test_pass_at_k_curves_average_the_seeds():
    rows = [
        {"stage": "base", "question": question, "replies": 4, "right": right, "seed": seed}
        for seed, right in ((1, 4), (2, 0))
        for question in ("a", "b")
    ]
    assert pass_at_k_curves(rows, [2])["base"][0].estimate == pytest.approx(0.5)
    assert pass_at_k_per_problem([[1, 1, 1, 1]], 2)[0] == 1


def test_the_scaling_figures_draw_the_committed_runs():
    rows = scaling.read_runs()
    assert compute_chart(rows).axes and size_chart(rows, [10, scaling.RL_STEPS]).axes


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
