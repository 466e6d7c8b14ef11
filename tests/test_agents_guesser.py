"""The shipped guesser fails more often than not before any reward, and listens after it."""

import csv

import pytest
import torch

from course_utils.agents import guessing, measure
from course_utils.agents.experiments import guessing_rl
from course_utils.agents.rollout import opening, play
from course_utils.agents.watching import watch
from course_utils.engines import GREEDY, open_model
from course_utils.hashing import hash_file
from course_utils.intervals import over_seeds
from course_utils.nano import export
from course_utils.nano.cards import read_card
from course_utils.paths import nano_folder

pytestmark = pytest.mark.usefixtures("one_thread")

PATH = nano_folder() / "guesser.gguf"
REINFORCED = nano_folder() / "guesser-rl.gguf"


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
            events = watch(engine, episode, sampling=GREEDY.but(max_tokens=8)).events
            said = [event.text for event in events if event.kind != "thought"]
            assert list(zip(said[::2], said[1::2], strict=True)) == rollout.turns


def committed(name: str) -> list[dict]:
    with (nano_folder() / "runs" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def successes(policy: str, decoding: str) -> dict[str, float]:
    """The committed share of successes of each seed."""
    rows = committed("guessing-policies")
    return {
        row["seed"]: float(row["success"])
        for row in rows
        if (row["policy"], row["decoding"]) == (policy, decoding)
    }


@pytest.mark.parametrize("decoding", guessing_rl.DECODINGS)
def test_reward_teaches_to_listen_with_every_committed_seed(decoding):
    reinforced = successes("reinforced", decoding)
    assert set(reinforced) == {str(seed) for seed in guessing_rl.SEEDS}
    likely = successes("any number still possible", "exact")[""]
    assert over_seeds(reinforced).low > successes("base", decoding)[""] + 0.2
    # With noise for feedback it falls to what seven guesses are worth without any.
    blind = successes("best blind policy", "exact")[""]
    for seed, share in successes("reinforced, noise for feedback", decoding).items():
        assert share < blind + 0.06 < reinforced[seed] and share < likely


@pytest.mark.parametrize("seed", guessing_rl.SEEDS)
def test_a_committed_run_is_whole(seed):
    steps = guessing_rl.SETTINGS["steps"]
    log, replays = committed(f"guessing-rl-{seed}"), committed(f"guessing-replay-{seed}")
    assert [int(row["step"]) for row in log] == list(range(1, steps + 1))
    shown = range(0, steps + 1, guessing_rl.EVERY)
    assert sorted({int(row["step"]) for row in replays}) == list(shown)


@torch.no_grad()
def test_the_reinforced_guesser_plays_as_the_committed_comparison_says(nano):
    model = export.from_gguf(REINFORCED)
    share = successes("reinforced", "likeliest")["1"]
    exam = guessing.exam(150, guessing_rl.EXAM)
    assert measure.score_policy(model, nano, exam).success == pytest.approx(share, abs=0.08)
    deaf = guessing.exam(150, guessing_rl.EXAM, noise=True)
    assert measure.score_policy(model, nano, deaf).success < 0.25


def test_the_reinforced_guesser_has_a_card_with_its_settings():
    card = read_card("guesser-rl")
    assert card["sha256"] == hash_file(REINFORCED) and REINFORCED.stat().st_size < 1e6
    for name, value in guessing_rl.SETTINGS.items():
        assert card["training"][name] == value


def test_the_guesser_is_small_and_has_a_card():
    assert PATH.stat().st_size < 1e6
    assert read_card("guesser")["shape"]["context"] == 384
