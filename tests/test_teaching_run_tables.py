"""The tables of notebook 03 say what the rows say, and claim a lead only where seeds show one."""

import pytest
import torch

from course_utils.intervals import Interval
from course_utils.nano import export, grpo, tokenizer
from course_utils.nano.experiments import chains_tables, objectives, sums
from course_utils.nano.sample import sample
from course_utils.nano.tokenizer import render
from course_utils.paths import nano_folder
from course_utils.teaching import run_tables
from course_utils.teaching.one_step import compare_steps
from course_utils.teaching.prompted import prompted_lines
from course_utils.teaching.seeds import verdict

UNIT = chains_tables.UNIT
REWARD, PROMPT = ("0.2M", "rl", 2), ("0.2M", "prompted", 3)


def exam(arm: str, units: int, seed: int, sound: int) -> dict:
    """A row of ``chains``: sound answers of ten to chains of four turns."""
    facts = {"arm": arm, "size": "0.2M", "seed": seed, "reading_tokens": units * UNIT}
    facts |= {"prompt": "request" if arm == "pretrained" else "bare", "temperature": 1}
    return facts | {
        "chosen": 1,
        "length": 4,
        "asked": 10,
        "sound": sound,
        "parameters": 1,
        "total_flops": 1,
    }


def told(reward: list[int], prompted: list[int]) -> str:
    rows = [exam("rl", 2, seed, n) for seed, n in enumerate(reward, 1)]
    rows += [exam("pretrained", 3, seed, n) for seed, n in enumerate(prompted, 1)]
    (line,) = run_tables.lead_lines(rows, [(REWARD, PROMPT)], (4,))
    return line


def test_a_lead_is_claimed_only_where_the_seeds_agree():
    assert told([9, 8, 9], [1, 1, 2]).endswith("3 seeds: ahead")
    assert told([1, 1, 2], [9, 8, 9]).endswith("3 seeds: behind")
    assert told([10, 10, 9], [9, 0, 9]).endswith("3 seeds: cannot tell")


def test_fewer_than_three_seeds_are_told_one_by_one_without_an_interval():
    """Student's interval over two all-or-nothing seeds is six times wider than all that can be."""
    assert told([10, 10], [9, 0]).endswith("+10, +100 points: no interval from 2 seeds")
    assert told([10, 10], [5]).endswith("+50 points: no interval from 1 seed")


def base(before: float, after: float, seed: int = 1) -> chains_tables.Threshold:
    return chains_tables.Threshold("0.2M", seed, 3 * UNIT, before, 0.0, after)


def test_a_bar_is_held_against_what_reward_did_to_new_bases():
    first = [base(0.006, 0), base(0.05, 1)]
    again = [base(0.1, 1.0), base(0.0, 0.0, 2), base(0.03, 0.64, 3)]
    *lines, verdict = run_tables.rule_lines(first, again, 0.02)
    assert "expected left alone;   0% after: left alone" in lines[1]
    assert "expected lifted;  64% after: in between" in lines[2]
    assert verdict == "as the bar predicted: 2 of 3 bases; in its gap, from 0.6% to 5.0%: 1"


def test_an_arm_is_counted_only_over_the_seeds_that_were_run():
    found = {"rl": {1: 0.99, 3: 0.2}}
    reward, imitation = run_tables.arm_lines(found, {"rl": "reward", "sft": "copies"}, (1, 2, 3))
    assert " 99%    -  20%   above 70%: 1 of 2" in reward
    assert imitation.endswith("not run")


def test_a_seed_that_was_not_run_is_a_dash():
    rows = [exam("rl", 2, 1, 10), exam("rl", 2, 3, 5)]
    header, line = run_tables.sound_lines(rows, [REWARD])
    assert all(span in header for span in ("1 to 3 turns", "4 turns", "5 turns", "6 to 8"))
    assert "100%    -  50%" in line


def test_missing_seeds_of_the_committed_chains_are_shown():
    _, line = run_tables.sound_lines(chains_tables.read(), [("3.5M", "prompted", 4)])
    assert line.count("   - ") >= 4


def test_every_objective_is_compared_with_the_one_that_it_changes():
    _, _, *lines, verdict = run_tables.objective_lines(objectives.read_runs())
    for line, variant in zip(lines, objectives.VARIANTS, strict=True):
        assert line.startswith(variant) and len(line) <= 80
        assert line[48:].split("  ")[0] == objectives.PARENTS.get(variant, "")
    assert verdict.endswith("all 10 intervals hold at once: 1 update")


def test_differences_of_objectives_are_taken_seed_by_seed():
    """The seeds lie far apart and both variants move together: only pairs show the lead."""
    runs = [
        {"variant": variant, "seed": seed, "step": step, "reward": reward + lead}
        for variant, lead in (("GRPO", 0.0), ("no KL", 0.1))
        for seed, reward in ((1, 0.1), (2, 0.5), (3, 0.8))
        for step in range(31, 41)
    ]
    assert run_tables.objective_lead(runs, "no KL", "GRPO").low > 0.09


def test_a_change_is_told_by_seed_and_with_its_interval():
    shares = {"late": {"maths": {1: 0.9, 2: 0.8}}, "early": {"maths": {1: 0.5, 2: 0.5}}}
    _, line = run_tables.change_lines(shares, [("late", "early")])
    assert "+40  +30 by seed" in line and "+35.0 points" in line


def test_a_change_has_a_verdict_only_where_its_interval_lets_go_of_zero():
    said = [verdict(Interval(x, x - 0.1, x + 0.1)) for x in (0.2, 0.05, 0.1, -0.1, -0.2)]
    assert said == ["ahead", "cannot tell", "cannot tell", "cannot tell", "behind"]


def test_a_prompted_table_has_both_temperatures():
    *_, line = prompted_lines(["small base"])
    assert line.split()[2:6] == ["14", "200", "83", "196"]


@pytest.fixture
def batch(one_thread):
    model, pieces = export.from_gguf(nano_folder() / "small-base.gguf"), tokenizer.load()
    prompts = [pieces.encode(render("47+38=?")).ids] * 8
    samples = sample(
        model,
        prompts[:1],
        stop=pieces.token_to_id(tokenizer.END),
        copies=8,
        max_tokens=sums.MAX_TOKENS,
        generator=torch.Generator().manual_seed(1),
    )
    rewards = torch.tensor([[1.0, 0, 0, 1, 0, 0, 1, 0]])
    return model, prompts, samples, grpo.advantages(rewards)


def test_a_learners_step_is_compared_and_a_spoilt_one_is_found(batch):
    def learn(policy, optimizer, reference, prompts, samples, advantage, **lines):
        settings = sums.reinforcement(
            updates=1,
            mean_over="completion",
            clip_high=lines.get("high", 0.2),
            kl=lines.get("kl", 0.04),
        )
        flat = advantage.flatten()
        return grpo.update(policy, optimizer, prompts, samples, flat, settings, reference)

    found = compare_steps(learn, *batch, [{"kl": 0.5}, {"high": 9.0}])
    assert found["the same step as the course's"] and found["the clip acts on some tokens"]
    assert not found["the same with kl = 0.5"]


def test_a_prompt_and_reward_are_compared_on_the_same_base_and_only_above_the_bar():
    def base(seed: int, bare: int, prompted: int, greedily: int, after: int) -> list[dict]:
        read = exam("pretrained", 2, seed, 0)
        return [
            read | {"prompt": "bare", "sound": bare},
            read | {"prompt": "request", "sound": prompted},
            read | {"prompt": "request", "sound": greedily, "temperature": 0},
            exam("rl", 2, seed, after),
            exam("rl", 2, seed, after) | {"temperature": 0},
        ]

    rows = [*base(1, 1, 8, 9, 9), *base(2, 0, 9, 9, 0), *base(3, 2, 7, 5, 6)]
    twelve = [
        {key: row[key] for key in ("size", "seed", "reading_tokens", "length", "asked")}
        | {"prompt": prompt, "sound": sound}
        for row in rows[:1]
        for prompt, sound in (("bare", 1), ("request", 4), ("step by step", 7))
    ]
    lines = run_tables.same_base_lines({"CPU": rows}, 0.05, prompts={"CPU": twelve})
    _, _, one, three, count, ahead = lines
    assert one.split()[-5:] == ["80%", "90%", "70%", "90%", "90%"] and "seed 1" in one
    assert three.split()[-5:] == ["70%", "50%", "-", "60%", "60%"] and "seed 3" in three
    assert count == "of 2 bases, above 70%: 1 with a prompt, 1 with reward"
    assert ahead == "reward is more than 5 points ahead with 1, greedily with 1"
    *_, nothing, _ = run_tables.same_base_lines({"": rows}, 0.5)
    assert nothing.startswith("of 0 bases")


def test_a_base_is_asked_for_its_working_before_any_reward():
    read = exam("pretrained", 2, 1, 0)
    rows = [
        read | {"prompt": "bare", "sound": 0, "worked": 1},
        read | {"prompt": "request", "sound": 1, "worked": 9},
        read | {"prompt": "request", "sound": 2, "worked": 10, "temperature": 0},
        exam("rl", 2, 1, 0),
    ]
    (point,) = chains_tables.thresholds(rows)
    head, line = run_tables.told_lines([point], rows)
    assert line.split()[-3:] == ["90%", "10%", "20%"] and "seed 1" in line
    assert len(line) == len(head)


def test_the_columns_of_what_was_drawn_stand_under_their_names():
    points = chains_tables.thresholds(chains_tables.read())
    head, *lines = run_tables.practice_lines(points, chains_tables.read("chains-rl"))
    for name in ("drawn", "right", "with a thought", "sound"):
        end = head.index(name) + len(name)
        assert all(line[end - 1].isdigit() and line[end] == " " for line in lines), name
