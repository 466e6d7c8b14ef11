"""The shipped guesser fails more often than not before any reward, and plays through an engine."""

import pytest
import torch

from course_utils.agents import guessing, measure
from course_utils.agents.environment import play_with_engine
from course_utils.agents.rollout import opening, play
from course_utils.engines import GREEDY, open_model
from course_utils.nano import export
from course_utils.nano.cards import read_card
from course_utils.paths import nano_folder

pytestmark = pytest.mark.usefixtures("one_thread")

PATH = nano_folder() / "guesser.gguf"


@pytest.fixture(scope="module")
def model():
    return export.from_gguf(PATH)


def test_the_base_succeeds_below_forty_percent_and_hears_something(model, nano):
    drawn = measure.score_policy(model, nano, guessing.exam(120), temperature=1.0)
    assert drawn.success < 0.4
    likeliest = measure.score_policy(model, nano, guessing.exam(120))
    deaf = measure.score_policy(model, nano, guessing.exam(120, noise=True))
    assert likeliest.success > deaf.success + 0.1


@torch.no_grad()
def test_the_guesser_plays_through_an_engine_as_it_does_in_pytorch(model, nano):
    episodes = guessing.exam(3)
    rollouts = play(model, nano, guessing.exam(3), temperature=0)
    with open_model(PATH, threads=1) as engine:
        for episode, rollout in zip(episodes, rollouts, strict=True):
            assert engine.render(episode.messages) == opening(episode.messages)
            turns = play_with_engine(engine, episode, GREEDY.but(max_tokens=8))
            assert [(action, said.text) for action, said in turns] == rollout.turns


def test_the_guesser_is_small_and_has_a_card():
    assert PATH.stat().st_size < 1e6
    assert read_card("guesser")["shape"]["context"] == 384
