"""A number that no machine can carry out is refused with one message, before anything is taken."""

import math

import numpy as np
import pytest
import torch

from course_utils.agents import grpo as agents_grpo
from course_utils.agents import loop
from course_utils.agents.rollout import play
from course_utils.engines import Sampling
from course_utils.errors import CourseError, MachineError, OptionError
from course_utils.nano import grpo, pretrain, sample
from course_utils.nano.experiments import chains_rl
from course_utils.nano.model import Shape, Transformer

HUGE = (10**9, 10**400, -1, math.nan, math.inf, "10" * 40, None, [1])


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    return Transformer(Shape(width=32, layers=1, heads=2, kv_heads=1, ffn_width=32, context=64))


def check_message(error: CourseError, name: str) -> None:
    """One short message that names the setting."""
    assert name in error.problem and error.remedy
    assert len(str(error)) < 400 and "10101010" not in str(error)


COUNTED = {
    grpo.Settings: ("group", "problems", "max_tokens", "dynamic_sampling", "updates"),
    agents_grpo.Settings: ("group", "episodes", "max_action_tokens", "updates"),
    chains_rl.Settings: ("group", "problems", "new_tokens", "updates"),
    pretrain.Settings: ("tokens_per_step", "row_length"),
    loop.Limits: ("turns", "repeats", "calls", "result_characters"),
}


@pytest.mark.parametrize(
    "settings, name",
    [(settings, name) for settings, names in COUNTED.items() for name in names],
    ids=lambda each: getattr(each, "__module__", each),
)
def test_a_count_beyond_reason_is_refused_when_the_settings_are_made(settings, name):
    for value in HUGE:
        with pytest.raises(OptionError) as error:
            settings(**{name: value})
        check_message(error.value, name)


@pytest.mark.parametrize("settings", [grpo.Settings, agents_grpo.Settings, chains_rl.Settings])
def test_counts_that_are_each_possible_are_not_together(settings):
    drawn = "episodes" if settings is agents_grpo.Settings else "problems"
    settings(**{drawn: 4096, "group": 16})
    with pytest.raises(OptionError, match=drawn):
        settings(**{drawn: 4097, "group": 16})


@pytest.mark.parametrize("name", ["learning_rate", "last_rate", "discount", "turn_penalty"])
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, 10**400, "0.1", None, True])
def test_agents_are_trained_with_numbers_only(name, value):
    with pytest.raises(OptionError) as error:
        agents_grpo.Settings(**{name: value})
    check_message(error.value, name)


@pytest.mark.parametrize(
    "wrong", [{"seconds": 10**400}, {"tool_seconds": math.nan}, {"tokens": 2**40}, {"turns": True}]
)
def test_a_limit_that_no_clock_can_count_is_refused(wrong):
    with pytest.raises(OptionError, match="is not a limit"):
        loop.Limits(**wrong)


def test_settings_at_their_bounds_are_taken():
    grpo.Settings(group=2, problems=2**15, max_tokens=2**17, seed=np.int64(3))
    agents_grpo.Settings(group=1, episodes=2**16, credit="turn", last_rate=0, discount=0)
    loop.Limits(seconds=math.inf, tool_seconds=1e12, turns=10_000)


def test_a_batch_that_memory_cannot_hold_is_refused_before_it_is_taken(model, nano):
    for copies in (10**9, 10**15):
        with pytest.raises(MachineError, match=r"texts of up to .* more than this machine has"):
            sample.sample(model, [[1, 2]], stop=0, copies=copies, max_tokens=8)
    with pytest.raises(OptionError, match="max_action_tokens"):
        play(model, nano, [], max_action_tokens=0)


@pytest.mark.parametrize("name", ["temperature", "top_k", "max_tokens", "seed"])
@pytest.mark.parametrize("value", [10**400, "10" * 40, [1], math.nan])
def test_sampling_takes_what_can_be_sent(name, value):
    with pytest.raises(OptionError) as error:
        Sampling(**{name: value})
    check_message(error.value, name)
