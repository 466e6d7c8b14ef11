"""GRPO holds what its formulas say at every temperature, says what it does, and spoils nothing."""

import csv
import math
from dataclasses import replace
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from course_utils.errors import CourseError, OptionError, PromptError, TrainingError
from course_utils.nano import export, grpo, policy_loss, pretrain, sample, tasks, tokenizer
from course_utils.nano.model import Shape
from course_utils.paths import nano_folder
from tests.rooms import most_stays, rooms

TINY = Shape(layers=1, width=64, heads=4, kv_heads=2, ffn_width=64, context=128)
QUICK = grpo.Settings(steps=1, problems=2, group=4, max_tokens=12, updates=1)
PROMPTS = [[1, 2, 3], [4, 5]]
STOP = 7

pytestmark = pytest.mark.usefixtures("one_thread")


def tiny():
    return pretrain.new_model(TINY, seed=1)


def draw(random: Random) -> tasks.Problem:
    return tasks.make_problem(random, "addition", "en", 1)


def by_length(problem, text: str) -> float:
    return len(text) / 10


def trained(nano, settings=QUICK, model=None, reward=by_length, **options):
    model = model or tiny()
    return model, list(grpo.train(model, nano, draw, settings, reward=reward, **options))


def weights_of(model) -> list[torch.Tensor]:
    return [weight.clone() for weight in model.state_dict().values()]


def drawn(model, temperature=1.0, copies=4, max_tokens=10) -> sample.Samples:
    generator = torch.Generator().manual_seed(3)
    options = {"stop": STOP, "copies": copies, "max_tokens": max_tokens}
    return sample.sample(model, PROMPTS, temperature=temperature, generator=generator, **options)


def each_prompt(copies=4) -> list[list[int]]:
    return [prompt for prompt in PROMPTS for _ in range(copies)]


# --- one distribution --------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_an_unchanged_policy_has_ratio_one_at_every_temperature(temperature):
    model = tiny()
    model.output.weight.data *= 20  # surer than a new model, so that temperature matters
    samples = drawn(model, temperature)
    now = grpo.log_probabilities(model, each_prompt(), samples.texts(), temperature)
    assert torch.allclose(now, samples.log_probs, atol=1e-4)
    watched = grpo.update(
        model,
        torch.optim.SGD(model.parameters(), lr=0.0),
        each_prompt(),
        samples,
        torch.linspace(-1, 1, 8),
        replace(QUICK, temperature=temperature, kl=0.1),
        model,
    )
    assert watched["ratio"] == pytest.approx(1, abs=1e-4)
    assert watched["clip_fraction"] == 0


def test_the_gradient_is_that_of_the_distribution_drawn_from():
    """By differences: how the objective changes when one weight does, at temperature 1/2."""
    model = tiny().double()
    model.output.weight.data *= 20
    samples = drawn(model, 0.5)
    advantage = torch.linspace(-1, 1, 8)
    settings = replace(QUICK, temperature=0.5, clip=False)

    def objective() -> float:
        total = 0.0
        with torch.no_grad():
            for row, text in enumerate(samples.texts()):
                prompt = each_prompt()[row]
                scores = model(torch.tensor([prompt + text]))[0, len(prompt) - 1 : -1] / 0.5
                chosen = scores.log_softmax(-1).gather(1, torch.tensor(text)[:, None])[:, 0]
                ratio = (chosen - samples.log_probs[row, : len(text)]).exp()
                total += (ratio * advantage[row]).sum().item()
        return total / samples.lengths.sum().item()

    seen = {}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    optimizer.register_step_pre_hook(
        lambda *_: seen.update({n: p.grad.clone() for n, p in model.named_parameters()})
    )
    watched = grpo.update(model, optimizer, each_prompt(), samples, advantage, settings)
    shortened = max(1.0, watched["grad_norm"])
    weight = model.blk[0].ffn_down.weight
    for place in ((0, 0), (5, 9)):
        with torch.no_grad():
            weight[place] += 1e-4
            up = objective()
            weight[place] -= 2e-4
            down = objective()
            weight[place] += 1e-4
        slope = -(up - down) / 2e-4
        found = seen["blk.0.ffn_down.weight"][place].item() * shortened
        assert found == pytest.approx(slope, rel=0.02, abs=1e-6)


@pytest.mark.parametrize("temperature", [0, 0.0, -1.0, math.nan, math.inf, None, "1"])
def test_training_at_a_temperature_that_cannot_teach_is_refused(temperature):
    with pytest.raises(OptionError, match="temperature"):
        grpo.Settings(temperature=temperature)


# --- the objective -----------------------------------------------------------------------------


def test_a_wrong_clip_would_be_noticed():
    """The gradient of a second update equals one written down without min and clamp."""
    model = tiny()
    samples = drawn(model)
    with torch.no_grad():  # the policy has moved since the tokens were drawn
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn(
                parameter.shape, generator=torch.Generator().manual_seed(5)
            )
    advantage = torch.tensor([1.5, -0.5, -1.0, 0.0, 0.7, -0.7, 1.0, -1.0])
    settings = replace(QUICK, clip_low=0.1, clip_high=0.15)
    total, cut_high, cut_low, tokens = 0.0, 0, 0, samples.lengths.sum().item()
    for row, text in enumerate(samples.texts()):
        prompt = each_prompt()[row]
        scores = model(torch.tensor([prompt + text]))[0, len(prompt) - 1 : -1]
        chosen = scores.log_softmax(-1).gather(1, torch.tensor(text)[:, None])[:, 0]
        ratio = (chosen - samples.log_probs[row, : len(text)]).exp()
        for own in ratio:
            high = own.item() > 1.15 and advantage[row] > 0
            low = own.item() < 0.9 and advantage[row] < 0
            cut_high, cut_low = cut_high + high, cut_low + low
            if not high and not low:
                total = total - own * advantage[row] / tokens
    assert min(cut_high, cut_low) >= 3  # both clips act
    total.backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters()}
    seen = {}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    optimizer.register_step_pre_hook(
        lambda *_: seen.update({n: p.grad.clone() for n, p in model.named_parameters()})
    )
    watched = grpo.update(model, optimizer, each_prompt(), samples, advantage, settings)
    for name, gradient in expected.items():
        found = seen[name] * max(1.0, watched["grad_norm"])
        assert torch.allclose(found, gradient, rtol=1e-3, atol=1e-5), name
    assert watched["clip_fraction"] == pytest.approx((cut_high + cut_low) / tokens)
    unclipped = grpo.update(
        model, optimizer, each_prompt(), samples, advantage, replace(settings, clip=False)
    )
    assert unclipped["clip_fraction"] == 0
    assert unclipped["grad_norm"] != pytest.approx(watched["grad_norm"], rel=0.01)


def test_each_papers_mean_weighs_the_tokens_as_its_formula():
    mask = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0]]).bool()
    part = torch.arange(2)

    def weights(name):
        settings = grpo.Settings(**grpo.OBJECTIVES[name], max_tokens=8)
        return policy_loss.token_weights(mask, part, settings).tolist()

    def near(*rows):
        return [pytest.approx(row) for row in rows]

    assert weights("DAPO") == near([0.2] * 4, [0.2, 0, 0, 0])
    assert weights("GRPO") == near([0.125] * 4, [0.5, 0, 0, 0])  # each completion counts as much
    assert weights("Dr. GRPO") == near([0.0625] * 4, [0.0625, 0, 0, 0])


@pytest.mark.parametrize("name", grpo.OBJECTIVES)
def test_each_papers_objective_trains(nano, name):
    model, (record,) = trained(nano, replace(QUICK, **grpo.OBJECTIVES[name]))
    assert any(
        not torch.equal(a, b) for a, b in zip(weights_of(model), weights_of(tiny()), strict=True)
    )
    assert record["zero_std_groups"] < 1


@pytest.mark.parametrize("value", [0.1, 0.2, 0.3, 1 / 3, 0.7, 1e7 + 0.1, -0.9])
@pytest.mark.parametrize("group", [3, 6, 7, 16])
def test_equal_rewards_teach_nothing_whatever_they_are(value, group):
    """verl#4598, miles#570: eight rewards of 0.2 have a mean that is not 0.2."""
    rewards = torch.full((2, group), value)
    assert torch.equal(grpo.advantages(rewards), torch.zeros(2, group))
    assert torch.equal(grpo.advantages(rewards, deviation=False), torch.zeros(2, group))


def test_a_penalty_needs_the_model_that_it_holds_on_to():
    model = tiny()
    optimizer, settings = torch.optim.SGD(model.parameters(), lr=0.1), replace(QUICK, kl=0.1)
    with pytest.raises(OptionError, match="reference"):
        grpo.update(model, optimizer, each_prompt(), drawn(model), torch.ones(8), settings)


# --- what is watched ---------------------------------------------------------------------------


def test_a_step_reports_what_a_practitioner_watches(nano, tmp_path):
    settings = replace(QUICK, steps=3, updates=4, learning_rate=3e-3)
    _, records = trained(nano, settings, log_file=tmp_path / "log.csv")
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    watched = {
        *("reward", "entropy", "length", "length_right", "length_wrong", "loss", "grad_norm"),
        *("ratio", "clip_fraction", "zero_std_groups", "kl", "truncated"),
    }
    assert watched <= set(rows[0])
    # Training begins at its reference, and leaves it.
    assert records[0]["kl"] == pytest.approx(0, abs=1e-5)
    assert records[-1]["kl"] > 1e-4
    assert all(record["grad_norm"] > 0 for record in records)
    assert 0 < records[-1]["clip_fraction"] < 1  # four updates on one batch: the clip acts
    assert records[0]["ratio"] != 1


def test_with_one_update_nothing_is_clipped(nano):
    _, (record,) = trained(nano, replace(QUICK, learning_rate=1.0))
    assert record["clip_fraction"] == 0
    assert record["ratio"] == pytest.approx(1, abs=1e-4)
    assert record["loss"] == pytest.approx(0, abs=1)


def test_a_batch_without_spread_says_so_and_leaves_the_weights(nano):
    model, (record,) = trained(nano, reward=lambda problem, text: 1)
    assert (record["zero_std_groups"], record["loss"], record["grad_norm"]) == (1, 0, 0)
    assert all(
        torch.equal(a, b) for a, b in zip(weights_of(model), weights_of(tiny()), strict=True)
    )


def test_length_is_split_by_right_and_wrong(nano):
    marks = iter([1.0] * 3 + [0.0] * 5)
    texts = []

    def watch(problems, completions):
        texts.extend(nano.encode(text).ids for text in completions)
        return {}

    _, (record,) = trained(nano, reward=lambda problem, text: next(marks), watch=watch)
    # Every completion is as long as there is room for, so both means are known.
    assert record["length_right"] == record["length_wrong"] == record["length"] == 12
    _, (record,) = trained(nano, reward=lambda problem, text: 1.0)
    assert record["length_wrong"] == ""


def test_dynamic_sampling_replaces_groups_without_spread(nano):
    """Half of the groups earn equal rewards; a step redraws them, and not for ever."""
    asked = []

    def uneven(problem, text):
        """Every second problem's group is flat."""
        if problem not in asked:
            asked.append(problem)
        return by_length(problem, text) if asked.index(problem) % 2 else 0.5

    settings = replace(QUICK, problems=4, dynamic_sampling=6)
    sizes = []

    def watch(problems, texts):
        sizes.append(len(texts))
        return {}

    _, (record,) = trained(nano, settings, reward=uneven, watch=watch)
    assert sizes[0] > 16  # more than four groups were drawn
    assert record["zero_std_groups"] == pytest.approx(0.5, abs=0.2)
    _, (flat,) = trained(nano, settings, reward=lambda problem, text: 1.0, watch=watch)
    assert sizes[1] == 7 * 16  # bounded
    assert flat["zero_std_groups"] == 1


def test_what_dynamic_sampling_keeps_are_groups_with_spread(nano):
    model = tiny()
    calls = []

    def step_reward(problem, text):
        calls.append(text)
        return len(calls) % 2 if len(calls) > 8 else 0.0  # the first two groups are flat

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    settings = replace(QUICK, dynamic_sampling=1)
    everything, watched = grpo.step(model, nano, optimizer, draw, settings, 1, reward=step_reward)
    assert len(everything.texts) == 16 and watched["zero_std_groups"] == 0.5
    assert watched["grad_norm"] > 0


# --- rewards and settings ----------------------------------------------------------------------


@pytest.mark.parametrize("value", [1, True, np.bool_(True), np.float32(1), np.int64(1), 1.0])
def test_rewards_may_be_any_kind_of_number(nano, value):
    """trlx#520, OpenRLHF#1334: whole numbers and truth values are rewards."""
    _, (record,) = trained(nano, reward=lambda problem, text: value)
    assert record["reward"] == 1


@pytest.mark.parametrize(
    "value",
    [None, math.nan, math.inf, -math.inf, "1", torch.tensor(1.0), [1.0], (), 1j, 10**400, 1e30],
)
def test_a_reward_that_is_no_number_is_named_at_once(nano, value):
    """trl#3079, trl#5775 (None), trl#6533 (a list of one reward): refused before any update."""

    def my_reward(problem, text):
        return value

    model = tiny()
    with pytest.raises(OptionError, match="my_reward") as caught:
        trained(nano, model=model, reward=my_reward)
    assert f"{value!r:.80}" in caught.value.problem
    assert all(
        torch.equal(a, b) for a, b in zip(weights_of(model), weights_of(tiny()), strict=True)
    )


@pytest.mark.parametrize(
    "setting",
    [
        {"group": 1},  # ms-swift#3980
        {"group": 0},
        {"group": True},
        {"problems": 0},
        {"problems": 2.0},
        {"steps": -1},
        {"updates": 0},
        {"updates": 10**6},
        {"max_tokens": 0},
        {"micro_batch": 0},
        {"evaluate_every": 0},
        {"seed": 1.5},
        {"learning_rate": math.nan},
        {"learning_rate": -1e-4},
        {"learning_rate": 1e38},
        {"learning_rate": "1e-4"},
        {"clip_low": 1.5},
        {"clip_high": math.inf},
        {"kl": -0.1},
        {"kl": None},
        {"clip": 1},
        {"mean_over": "solution"},
        {"dynamic_sampling": -1},
        {"dynamic_sampling": 0.5},
        {"baseline": False},
    ],
    ids=str,
)
def test_a_setting_no_run_can_have_is_refused_when_it_is_made(setting):
    with pytest.raises(OptionError) as caught:
        grpo.Settings(**setting)
    assert next(iter(setting)) in str(caught.value)


def test_settings_that_make_sense_are_taken():
    grpo.Settings(steps=0, group=2, problems=1, learning_rate=0, seed=np.int64(3))
    grpo.Settings(baseline=False, deviation=False)


def test_a_problem_without_a_question_is_named(nano):
    with pytest.raises(OptionError, match="no question"):
        next(grpo.train(tiny(), nano, lambda random: {"question": "1+1"}, QUICK))


@pytest.mark.parametrize(
    ("prompts", "options"),
    [
        ([], {}),
        ([[]], {}),
        ([[1], []], {}),
        ([[1] * 126], {"max_tokens": 3}),
        ([[1]], {"max_tokens": 0}),
        ([[1]], {"copies": 0}),
        ([[1]], {"temperature": math.nan}),
        ([[1]], {"temperature": -1}),
    ],
)
def test_what_cannot_be_continued_gets_one_clear_message(prompts, options):
    with pytest.raises((PromptError, OptionError)):
        sample.sample(tiny(), prompts, stop=STOP, **options)


# --- nothing is spoilt -------------------------------------------------------------------------


@pytest.mark.parametrize(("updates", "rate"), [(1, 1e20), (2, 1e20), (2, 1e30), (2, 1e38)])
def test_a_run_that_blows_up_stops_with_the_last_good_weights(updates, rate):
    model, settings = tiny(), replace(QUICK, updates=updates)
    samples, before = drawn(model), weights_of(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    advantage = torch.linspace(-1, 1, 8)
    with pytest.raises(TrainingError, match="learning rate"):
        grpo.update(model, optimizer, each_prompt(), samples, advantage, settings)
    assert all(torch.equal(a, b) for a, b in zip(weights_of(model), before, strict=True))
    assert drawn(model).texts() == samples.texts()  # it still writes


def test_a_gradient_that_is_not_finite_is_not_taken():
    model = tiny()
    samples, before = drawn(model), weights_of(model)
    broken = replace_log_probs(samples, -math.inf)
    optimizer = torch.optim.AdamW(model.parameters())
    with pytest.raises(TrainingError):
        grpo.update(model, optimizer, each_prompt(), broken, torch.ones(8), QUICK)
    assert all(torch.equal(a, b) for a, b in zip(weights_of(model), before, strict=True))


def replace_log_probs(samples, value):
    return replace(samples, log_probs=torch.full_like(samples.log_probs, value))


def test_a_spoilt_model_is_told_so_when_it_is_to_write():
    model = tiny()
    model.output.weight.data.fill_(math.nan)
    with pytest.raises(CourseError, match="spoilt"):
        drawn(model)


def test_a_run_that_goes_on_holds_on_to_the_model_it_began_with(nano, tmp_path):
    """NeMo-RL#3722: in a notebook the model at hand has been trained when the cell runs again."""
    settings = replace(QUICK, steps=3, kl=0.5, learning_rate=1e-2)
    whole, records = trained(nano, settings)
    state = tmp_path / "state.pt"
    model, _ = trained(nano, replace(settings, steps=2), state_file=state)
    model, later = trained(nano, settings, model=model, state_file=state)
    assert [record["step"] for record in later] == [3]
    assert later[0]["kl"] == records[-1]["kl"] > 0
    assert all(torch.equal(a, b) for a, b in zip(weights_of(model), weights_of(whole), strict=True))


def test_completions_that_were_cut_off_are_counted(nano):
    """CoursIA#13596: every completion was cut off, and the run was judged by its beginnings."""
    _, (record,) = trained(nano)
    assert record["truncated"] == 1  # a new model does not know how to end
    model = export.from_gguf(nano_folder() / "small-base.gguf")
    _, (record,) = trained(nano, replace(QUICK, max_tokens=48), model=model)
    assert record["truncated"] < 0.5


# --- as it was ---------------------------------------------------------------------------------


def test_a_step_draws_what_the_committed_runs_drew(nano):
    """The seeds of runs that are shipped give the same problems, completions and rewards again."""
    model = export.from_gguf(nano_folder() / "small-base.gguf")
    settings = grpo.Settings(steps=2, problems=4, group=6, max_tokens=48, learning_rate=1e-3)
    run = grpo.train(model, nano, lambda r: tasks.make_problem(r, "addition", "en", 2), settings)
    found = [(r["reward"], r["entropy"], r["length"]) for r in run]
    assert found == [(0.0, 0.338, 7.7), (0.0833, 0.1904, 12.0)]


def test_a_problem_of_any_kind_is_trained_on(nano):
    """Whatever has a question will do: the reward alone looks into it."""
    question = SimpleNamespace(question="Say something long.")
    model = tiny()
    records = list(grpo.train(model, nano, lambda random: question, QUICK, reward=by_length))
    assert records[0]["question"] == "Say something long."
    assert tokenizer.END not in records[0]["question"]


# --- the code can be followed ------------------------------------------------------------------


def test_a_step_goes_through_few_modules_and_never_back_and_forth(nano):
    """Six rooms at most, none entered again after it was left twice; draw and reward are ours."""
    model = tiny()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    problem = SimpleNamespace(question="1+1=?")

    def one_step():
        grpo.step(
            model,
            nano,
            optimizer,
            lambda random: problem,
            QUICK,
            1,
            reward=by_length,
            reference=model,
        )

    one_step()
    stays = rooms(one_step)
    assert len(set(stays)) <= 6, stays
    assert most_stays(stays) <= 2, stays
