"""The control of the live training: what a coin makes of the small base, beside the verifier."""

import pytest

from course_utils.intervals import over_seeds
from course_utils.nano.experiments import coin, runs, sums
from course_utils.nano.experiments.runs import SEEDS

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_coin_pays_half_of_all_replies_whatever_they_say():
    reward = coin.tossed(1)
    paid = [reward(None, text) for text in ("right", "wrong") * 200]
    assert set(paid) == {0.0, 1.0} and 160 < sum(paid) < 240
    again = coin.tossed(1)
    assert paid == [again(None, "other") for _ in paid]
    assert paid != [coin.tossed(2)(None, "") for _ in paid]


def test_a_run_says_what_its_model_solves(monkeypatch):
    settings = sums.reinforcement
    small = {"problems": 1, "group": 2}
    monkeypatch.setattr(sums, "reinforcement", lambda **changes: settings(**(changes | small)))
    row = coin.run("coin", 1, steps=1, exam=4)
    assert (row["asked"], row["steps"]) == (4, 1) and 0 <= row["right"] <= 4


def test_a_run_that_is_in_the_file_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "log_path", lambda name: tmp_path / f"{name}.csv")
    made = []

    def make(reward, seed):
        made.append((reward, seed))
        return [{"reward": reward, "seed": seed, "right": n} for n in (1, 2)]

    runs.write_missing("log", ("reward", "seed"), [("coin", 1)], make)
    runs.write_missing("log", ("reward", "seed"), [("coin", 1), ("coin", 2)], make)
    assert made == [("coin", 1), ("coin", 2)]
    assert [row["seed"] for row in runs.read_log(runs.log_path("log"))] == [1, 1, 2, 2]


def test_the_committed_coins_do_not_do_what_the_verifier_does():
    rows = coin.read_runs()
    solved = {
        reward: {
            row["seed"]: row["right"] / row["asked"] for row in rows if row["reward"] == reward
        }
        for reward in coin.REWARDS
    }
    assert all(set(seeds) == set(SEEDS) for seeds in solved.values())
    assert over_seeds(solved["verifier"], solved["coin"]).low > 0
