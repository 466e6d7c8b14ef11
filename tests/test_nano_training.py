"""Pretraining lowers the loss, GRPO follows its formulas, and both go on where they stopped."""

import csv
import math
from random import Random

import pytest
import torch

from course_utils.errors import OptionError, TrainingError
from course_utils.nano import corpus, export, grpo, pretrain, sample, tasks, tokenizer
from course_utils.nano.model import Shape
from course_utils.paths import nano_folder

SHAPE = Shape(layers=1, width=256, heads=4, kv_heads=2, ffn_width=256, context=128)
PRETRAINING = pretrain.Settings(
    steps=12, tokens_per_step=1024, row_length=64, warmup_steps=2, evaluate_every=4
)
REINFORCEMENT = grpo.Settings(steps=2, problems=4, group=6, max_tokens=48, learning_rate=1e-3)

pytestmark = pytest.mark.usefixtures("one_thread")


def draw(random: Random) -> tasks.Problem:
    return tasks.make_problem(random, "addition", "en", 3)


def pretrained(nano, state_file=None, log_file=None, stop_after=None):
    model = pretrain.new_model(SHAPE, seed=1)
    run = pretrain.pretrain(model, nano, PRETRAINING, state_file=state_file, log_file=log_file)
    for record in run:
        if record["step"] == stop_after:
            break
    return model


def reinforced(nano, steps, state_file=None, log_file=None):
    model = export.from_gguf(nano_folder() / "base.gguf")
    settings = grpo.Settings(**{**vars(REINFORCEMENT), "steps": steps})
    records = list(
        grpo.train(model, nano, draw, settings, state_file=state_file, log_file=log_file)
    )
    return model, records


def same_weights(first, second) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_a_short_pretraining_lowers_the_loss_and_logs_it(nano, tmp_path):
    pretrained(nano, log_file=tmp_path / "log.csv")
    rows = list(csv.DictReader((tmp_path / "log.csv").open()))
    assert [int(row["step"]) for row in rows] == [4, 8, 12]
    assert [int(row["tokens"]) for row in rows] == [4096, 8192, 12288]
    losses = [float(row["held_out_loss"]) for row in rows]
    assert losses[-1] < losses[0] < math.log(1024)  # log 1024: every token equally likely
    for row in rows:
        perplexity = math.exp(float(row["held_out_loss"]))
        assert float(row["held_out_perplexity"]) == pytest.approx(perplexity, rel=1e-3)


def test_a_stopped_pretraining_goes_on_to_identical_weights(nano, tmp_path):
    whole = pretrained(nano)
    state = tmp_path / "state.pt"
    pretrained(nano, state, stop_after=6)  # the last saved state is that of step 4
    assert same_weights(pretrained(nano, state), whole)


@torch.no_grad()
def test_the_loss_is_the_mean_surprise_at_the_next_token(nano):
    model = pretrain.new_model(SHAPE, seed=1)
    rows = pretrain.rows_of_documents(nano, Random(1), 2, 9, corpus.document)
    chances = torch.softmax(model(rows), dim=-1)
    by_hand = [-math.log(chances[r, t, rows[r, t + 1]]) for r in range(2) for t in range(8)]
    assert pretrain.next_token_loss(model, rows).item() == pytest.approx(
        sum(by_hand) / 16, rel=1e-4
    )


def test_rows_start_with_a_document_and_are_full(nano):
    rows = pretrain.rows_of_documents(nano, Random(1), 3, 100, lambda random: "Mia is happy.")
    start = nano.encode("Mia").ids[0]
    assert rows.shape == (3, 100)
    assert rows[:, 0].tolist() == [start] * 3


def test_the_learning_rate_warms_up_and_decays():
    settings = pretrain.Settings(steps=100, warmup_steps=10, learning_rate=1.0)
    rates = [pretrain.learning_rate(settings, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize(
    "setting",
    [
        {"steps": -1},
        {"row_length": 0},
        {"tokens_per_step": 1.5},
        {"learning_rate": math.nan},
        {"learning_rate": 20.0},
        {"long_share": 1.5},
        {"bfloat16": "yes"},
        {"seed": None},
    ],
    ids=str,
)
def test_a_pretraining_that_cannot_be_is_refused_when_its_settings_are_made(setting):
    with pytest.raises(OptionError, match=next(iter(setting))):
        pretrain.Settings(**setting)


@pytest.mark.parametrize(
    "numbers",
    [
        {"width": 250},
        {"heads": 0},
        {"layers": 1.5},
        {"heads": 3},
        {"kv_heads": 3},
        {"experts": 8},
        {"experts": 2, "used": 3},
    ],
    ids=str,
)
def test_a_shape_whose_numbers_do_not_fit_is_refused(numbers):
    with pytest.raises(OptionError):
        Shape(**numbers)


def test_a_loss_that_is_no_number_leaves_the_weights(nano):
    model = pretrain.new_model(SHAPE, seed=1)
    model.output_norm.weight.data.fill_(math.inf)
    before = [weight.clone() for weight in model.state_dict().values()]
    with pytest.raises(TrainingError, match="not a number"):
        next(pretrain.pretrain(model, nano, PRETRAINING))
    after = model.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))


def test_equal_rewards_have_no_advantage():
    assert torch.equal(grpo.advantages(torch.tensor([[1.0] * 4, [0.0] * 4])), torch.zeros(2, 4))


def test_advantages_are_standard_deviations_from_the_groups_mean():
    result = grpo.advantages(torch.tensor([[1.0, 0.0, 0.0, 0.0]]))
    # mean 1/4, sample standard deviation 1/2
    assert result.tolist()[0] == pytest.approx([1.5, -0.5, -0.5, -0.5], abs=1e-3)


def test_the_clipped_objective_agrees_with_a_calculation_by_hand():
    old = torch.zeros(1, 6)
    ratio = torch.tensor([[1.0, 2.0, 0.5, 2.0, 0.5, 1.1]])
    advantage = torch.tensor([[1.0, 1.0, 1.0, -1.0, -1.0, -2.0]])
    result = grpo.clipped_objective(ratio.log(), old, advantage, 0.2, 0.28)
    # Gains stop at 1.28; losses are never softened: min(r A, clip(r) A).
    assert result.tolist()[0] == pytest.approx([1.0, 1.28, 0.5, -2.0, -0.8, -2.2])


def test_a_clipped_token_has_no_gradient():
    new = torch.tensor([[0.5, -0.1]], requires_grad=True)  # ratios 1.65 and 0.90
    grpo.clipped_objective(new, torch.zeros(1, 2), torch.ones(1, 1), 0.2, 0.28).sum().backward()
    assert new.grad[0, 0] == 0
    assert new.grad[0, 1] == pytest.approx(math.exp(-0.1))


def test_the_first_update_follows_the_policy_gradient(nano):
    """At ratio 1 the gradient is that of the mean of advantage times log-probability."""
    model = export.from_gguf(nano_folder() / "base.gguf")
    prompt = nano.encode(tokenizer.render("What is 325+148?")).ids
    stop = nano.token_to_id(tokenizer.END)
    drawn = sample.sample(
        model,
        [prompt],
        stop=stop,
        copies=4,
        max_tokens=40,
        generator=torch.Generator().manual_seed(1),
    )
    advantage = torch.tensor([1.5, 0.0, -0.5, -1.0])
    loss = 0.0
    for text, weight in zip(drawn.texts(), advantage, strict=True):
        scores = torch.log_softmax(model(torch.tensor([prompt + text])), dim=-1)[0]
        chosen = scores[len(prompt) - 1 : -1].gather(1, torch.tensor(text)[:, None])
        loss = loss - weight * chosen.sum() / drawn.lengths.sum()
    loss.backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters()}

    seen = {}

    class Recorder(torch.optim.SGD):
        def step(self):
            seen.update({name: p.grad.clone() for name, p in model.named_parameters()})

    settings = grpo.Settings(updates=1, micro_batch=2)
    grpo.update(
        model, Recorder(model.parameters(), lr=0.1), [prompt] * 4, drawn, advantage, settings
    )
    # The update may have shortened the gradient to length 1, without turning it.
    length = torch.cat([g.flatten() for g in expected.values()]).norm().clamp(min=1.0)
    for name, gradient in expected.items():
        assert torch.allclose(seen[name], gradient / length, atol=1e-4), name


def test_only_a_finished_right_answer_is_rewarded():
    problem = tasks.Problem("addition", "en", "What is 2+3?", 2, "+", 3)
    thought = "ones: 2+3=5\n"
    assert grpo.reward(problem, thought + "</think>\n\n5<|im_end|>") == 1
    assert grpo.reward(problem, thought + "</think>\n\n6<|im_end|>") == 0
    assert grpo.reward(problem, thought + "</think>\n\n5") == 0  # cut off
    assert grpo.reward(problem, thought + "5<|im_end|>") == 0  # the thought never ends


def test_a_stopped_grpo_run_goes_on_to_identical_weights(nano, tmp_path):
    whole, records = reinforced(nano, steps=2)
    state, log = tmp_path / "state.pt", tmp_path / "log.csv"
    reinforced(nano, 1, state, log)
    again, later = reinforced(nano, 2, state, log)
    assert same_weights(again, whole)
    assert [record["step"] for record in later] == [2]
    rows = list(csv.DictReader(log.open()))
    assert [float(row["reward"]) for row in rows] == [record["reward"] for record in records]
    assert not same_weights(whole, export.from_gguf(nano_folder() / "base.gguf"))
