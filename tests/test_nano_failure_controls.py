"""The controls of notebook 04: a coin for the failing models, and more room for the looper."""

from dataclasses import replace

import pytest

from course_utils.nano import export, verifiers
from course_utils.nano.experiments import failure_controls, failures
from course_utils.nano.experiments.runs import SEEDS
from course_utils.paths import nano_folder

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", failure_controls.CONTROLS)
def test_a_control_is_trained_and_examined_as_its_failure_is(name, monkeypatch, tmp_path):
    control, seen = failure_controls.CONTROLS[name], {}
    shipped = nano_folder() / "looper.gguf"  # any base of this size will do
    monkeypatch.setattr(failures, "base", lambda *_: export.from_gguf(shipped))
    small = replace(failures.REINFORCEMENT, problems=1, group=2)
    monkeypatch.setattr(failures, "REINFORCEMENT", small)
    train = failures.grpo.train

    def noted(model, tokenizer, draw, settings, reward, **others):
        seen.update(room=settings.max_tokens, reward=reward)
        return train(model, tokenizer, draw, settings, reward=reward, **others)

    monkeypatch.setattr(failures.grpo, "train", noted)
    greedy, drawn = failure_controls.run(name, 1, tmp_path, steps=1, asked=2)
    assert (greedy["sampling"], drawn["sampling"]) == ("greedy", "drawn")
    assert (greedy["asked"], greedy["steps"], greedy["control"]) == (2, 1, name)
    failure = failures.FAILURES[control.failure]
    assert seen["room"] == failure.room * (2 if "room" in name else 1)
    if "coin" in name:
        assert {seen["reward"](None, "") for _ in range(40)} == {0.0, 1.0}
    else:
        assert seen["reward"] is verifiers.accuracy


@pytest.mark.parametrize("name", ["mixing", "shorthand"])
def test_a_coin_raises_a_habit_by_less_than_right_answers_do_with_every_seed(name):
    rows = [row for row in failure_controls.read_controls() if row["sampling"] == "drawn"]
    assert {row["control"] for row in rows} == set(failure_controls.CONTROLS)
    coin = failures.shares([row for row in rows if row["control"] == f"coin, {name}"])
    paid = failures.shares(failures.headline(name, "zero"))
    assert set(coin) == set(SEEDS)
    assert all(coin[seed] < paid[seed] for seed in SEEDS)
