"""The chains experiment asks what it says it asks, and its steps are the course's own GRPO."""

from random import Random

import pytest
import torch

from course_utils.logs import write_log
from course_utils.nano import grpo, pretrain, tokenizer
from course_utils.nano.experiments import (
    chains,
    chains_above,
    chains_begun,
    chains_corpus,
    chains_exam,
    chains_imitation,
    chains_learning,
    chains_prompts,
    chains_rates,
    chains_rl,
    chains_sampling,
    chains_tables,
    chains_task,
    sums,
)
from course_utils.nano.experiments.chains_task import Chain, judge
from course_utils.nano.tokenizer import END_OF_TEXT, render

CHAIN = Chain(7, (8, 3, 9))


@pytest.fixture(scope="module")
def pieces():
    return tokenizer.load()


@pytest.fixture
def model(one_thread):
    return pretrain.new_model(sums.SIZES["0.2M"].shape, 1)


def test_a_thought_fills_in_the_form_row_by_row():
    assert CHAIN.thought == "7\n7+8=5\n5+3=8\n8+9=7" and CHAIN.answer == "7"
    assert CHAIN.question.startswith("7\n_+8=_\n_+3=_\n_+9=_\n_+0=_")
    assert CHAIN.question.count("\n") == chains_task.ROWS


def test_a_lucky_answer_is_right_but_not_sound():
    sound = CHAIN.completion()
    assert judge(CHAIN, sound) == chains_task.Verdict(True, True, True)
    lucky = sound.replace("5+3=8\n8+9=7", "5+3=1\n1+9=7")
    assert judge(CHAIN, lucky) == chains_task.Verdict(True, True, False)
    assert judge(CHAIN, CHAIN.completion(worked=False)) == chains_task.Verdict(True, False, False)
    assert not judge(CHAIN, sound.removesuffix("<|im_end|>")).right


@pytest.mark.parametrize("worked", [True, False])
@pytest.mark.parametrize("asked", [True, False])
def test_documents_are_spelt_as_the_tokenizer_spells_them(pieces, worked, asked):
    for steps in (1, 3, 8):
        chain = chains_task.draw(Random(steps), steps)
        request = chains_task.REQUEST if asked else ""
        text = render(request + chain.question) + chain.completion(worked) + END_OF_TEXT
        spelt = chains_corpus.prompt(chain, asked) + chains_corpus.solution(chain, worked)
        assert spelt + chains_corpus.spelling()[1]["stop"] == pieces.encode(text).ids


def test_a_page_of_single_turns_is_right_and_spelt_as_text(pieces):
    tokens, weights = chains_corpus.page(Random(1))
    text = pieces.decode(tokens, skip_special_tokens=False)
    assert pieces.encode(text).ids == tokens and len(weights) == len(tokens)
    for line in text.removesuffix(END_OF_TEXT).split("\n"):
        turn, result = line.split("=")
        assert sum(map(int, turn.split("+"))) % 10 == int(result)
    counted = [pieces.decode([t]) for t, w in zip(tokens, weights, strict=True) if w]
    assert len(counted) == 20 and all(t.isdigit() for t in counted)


def test_training_never_draws_a_chain_of_the_exam():
    asked = {c.question for steps in range(3, 9) for c in chains_task.exam(steps, 50)}
    random = Random(1)
    drawn = {chains_task.draw(random, steps).question for steps in range(3, 9) for _ in range(300)}
    assert not asked & drawn
    validation = {c.question for steps in range(4, 9) for c in chains_task.exam(steps, 50, "other")}
    assert not asked & validation


def test_only_short_chains_are_ever_worked_in_what_the_bases_read():
    random, reading = Random(2), chains_corpus.Reading()
    done = chains_corpus.spelling()[1]["done"]
    lengths = []
    for _ in range(500):
        _, reply = chains_corpus.document(random, reading)
        if done[1] in reply[1:]:  # the end of a thought that is not the first token
            lengths.append(reply.count(chains_corpus.spelling()[0]["="]))
    assert set(lengths) == {1, 2, 3}


def test_questions_are_read_and_not_learnt():
    rows, weights = chains_corpus.rows(Random(1), 4, chains_corpus.Reading(pages=0))
    assert rows.shape == (4, 129) and weights.shape == (4, 128)
    everything = chains_corpus.rows(Random(1), 4, chains_corpus.Reading(pages=0, questions=True))
    assert everything[1].min() == 1 and 0.05 < weights.mean() < 0.6


def test_a_step_of_reward_is_the_step_of_grpo(model, monkeypatch):
    """Same draws, same advantages, same two updates: the same weights as ``grpo.update``."""
    monkeypatch.setattr(
        chains_task, "judge", lambda c, t: chains_task.Verdict(len(t) % 2 == 0, True, False)
    )
    settings = chains_rl.Settings(problems=4, group=4, new_tokens=12)
    mine, theirs = (pretrain.new_model(model.shape, 1) for _ in range(2))
    next(chains_rl.reinforce(mine, settings, chains_rl.Spent(1)))
    random = Random("1 1")
    problems = [chains_task.draw(random, random.choice(settings.steps)) for _ in range(4)]
    prompts = [chains_corpus.prompt(problem) for problem in problems for _ in range(4)]
    sampler = chains_sampling.Sampler(theirs, 16, 62, 12)
    samples = sampler.draw(prompts, seed=random.getrandbits(62))
    rewards = [float(len(text) % 2 == 0) for text in chains_sampling.texts(samples)]
    advantage = grpo.advantages(torch.tensor(rewards).view(4, 4)).flatten()
    rate = settings.learning_rate
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.0)
    shared = {"problems": 4, "group": 4, "updates": settings.updates, "max_tokens": 12}
    grpo.update(theirs, optimizer, prompts, samples, advantage, grpo.Settings(**shared))
    for one, other in zip(mine.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    assert any((a != b).any() for a, b in zip(mine.parameters(), model.parameters(), strict=True))


def test_operations_of_reward_are_counted_as_in_the_scaling_experiment():
    spent = chains_rl.Spent(10, drawn=3, read=2, trained=5)
    assert spent.flops == 10 * (2 * (3 + 2) + 6 * 5)


def test_imitation_learns_the_solutions_within_its_budget(model):
    solutions = chains_imitation.again_and_again(
        [(chains_corpus.prompt(CHAIN), chains_corpus.solution(CHAIN))], Random(1)
    )
    pair = [chains_corpus.prompt(CHAIN)], [chains_corpus.solution(CHAIN)]
    before = grpo.log_probabilities(model, *pair)[0]
    spent = chains_rl.Spent(1)
    budget = 6 * 64 * 80 * 6
    shares = list(chains_imitation.imitate(model, solutions, lambda _: 3e-3, budget, spent))
    assert shares[-1] >= 1 > shares[-2] and spent.flops >= budget
    learnt = grpo.log_probabilities(model, *pair)[0]
    assert learnt.sum() > before.sum() + 25


@pytest.mark.parametrize("prompt", ["bare", "thought begun with the start"])
def test_own_right_answers_are_kept_as_answers_to_the_plain_question(model, monkeypatch, prompt):
    """However they were drawn: what the prompt has begun belongs to the solution."""
    monkeypatch.setattr(
        chains_task,
        "judge",
        lambda c, t: chains_task.Verdict(True, True, t.startswith(f"{c.start}")),
    )
    spent = chains_rl.Spent(1)
    kept = chains_imitation.right_answers(model, (3,), 1, spent, 1, rows=4, prompt=prompt)
    assert len(kept) == 4 and spent.flops > 0
    for asked, solution in kept:
        text = tokenizer.decode(chains_sampling.load_once(), asked)
        assert text.endswith("=?<|im_end|>\n<|im_start|>assistant\n<think>\n")
        assert "working" not in text
        begun = tokenizer.decode(chains_sampling.load_once(), solution).split("\n")[0]
        start = text.split("user\n")[1][0]
        assert prompt == "bare" or begun == start


def test_a_branch_of_the_reading_leaves_the_trunk_as_it_was(model):
    batch = chains_corpus.rows(Random(1), 2, chains_corpus.Reading())
    learner = chains_learning.Learner(model, *batch, 0.1)
    learner.learn(*batch, 1e-3)
    trunk = learner.snapshot()
    first = learner.learn(*batch, 1e-3).item()
    learner.learn(*batch, 1e-3)
    learner.restore(trunk)
    assert learner.learn(*batch, 1e-3).item() == pytest.approx(first, abs=1e-6)


def test_twelve_prompts_fit_and_end_where_a_reply_begins(pieces):
    assert len(chains_prompts.PROMPTS) == 12
    for name in chains_prompts.PROMPTS:
        text = chains_prompts.PROMPTS[name](CHAIN)
        assert CHAIN.question in text
        assert text.endswith("<think>\n" + chains_prompts.begun(name)(CHAIN))
        longest = chains_task.draw(Random(3), 8)
        assert len(pieces.encode(chains_prompts.PROMPTS[name](longest)).ids) <= 330


def test_the_committed_table_has_every_run_of_the_plan_and_no_other():
    assert chains.missing() == []
    planned = {
        (arm, size, seed, reading * chains.UNIT)
        for size in chains.SIZES
        for seed in chains.SEEDS
        for arm, reading in chains.plan(size, seed)
    }
    assert {chains_tables.key(row) for row in chains_tables.read()} == planned


def test_every_base_of_an_arm_is_in_the_plan_too():
    for size, plan in chains.PLAN.items():
        assert set(plan) >= {("pretrained", reading) for _, reading in plan}, size


def test_the_committed_runs_have_every_length_prompt_and_temperature():
    runs: dict[tuple, list[dict]] = {}
    for row in chains_tables.read():
        runs.setdefault((*chains_tables.key(row), row["step"], row["prompt"]), []).append(row)
    for rows in runs.values():
        seen = sorted((row["temperature"], row["length"]) for row in rows)
        assert seen == [(t, n) for t in (0, 1) for n in chains_exam.LENGTHS]


def test_operations_in_the_table_follow_from_its_tokens():
    for row in chains_tables.read():
        assert row["pretraining_flops"] == 6 * row["working_parameters"] * row["reading_tokens"]
        assert row["total_flops"] == row["pretraining_flops"] + row["arm_flops"]


def test_reward_lifts_the_bases_that_are_sound_now_and_then_and_no_others():
    """The threshold that notebook 03 draws, from the committed tables."""
    points = chains_tables.thresholds(chains_tables.read())
    points += chains_tables.thresholds(chains_tables.read("chains-above"))
    assert len(points) >= 17
    for point in points:
        if (point.size, point.seed) == ("1.5M", 3):
            assert point.after == pytest.approx(0.75, abs=0.01), "three turns of four"
        elif point.before > 0.04:
            assert point.after > 0.85
        elif point.before < 0.01:
            assert point.after < 0.05
    # One lies in the gap between them, and so does what reward made of it.
    assert [
        point.seed for point in points if 0.01 <= point.before <= 0.04 < point.after < 0.85
    ] == [3]


def test_the_twelve_prompts_are_kept_and_the_best_is_the_one_examined():
    best = {
        (size, seed, tokens): rows[0]["prompt"]
        for (_, size, seed, tokens), rows in chains_tables.best(
            chains_tables.read(), prompt=None
        ).items()
    }
    counted: dict[tuple, dict[str, int]] = {}
    for row in chains_tables.read("chains-prompts"):
        run = counted.setdefault((row["size"], row["seed"], row["reading_tokens"]), {})
        run[row["prompt"]] = run.get(row["prompt"], 0) + row["sound"]
    for run, prompts in counted.items():
        assert set(prompts) == set(chains_prompts.PROMPTS)
        assert prompts[best[run]] == max(n for name, n in prompts.items() if name != "bare")


def test_the_arms_above_the_line_begin_at_a_base_of_their_own_seed():
    """As far as they are run: a seed has its base before its arms, all with every length."""
    rows = chains_tables.read("chains-above")
    seeds = {row["seed"] for row in rows}
    done = {(row["seed"], row["arm"]) for row in rows}
    assert {(seed, "pretrained") for seed in seeds} <= done
    assert not done & set(chains_above.missing())
    reading = chains_above.READING * chains.UNIT
    assert {(row["size"], row["reading_tokens"]) for row in rows} <= {(chains_above.SIZE, reading)}


def test_other_learning_rates_leave_the_result_as_it_is():
    """Above the bar imitation gets there at every rate; reward does so at every rate or at none,
    depending on the base; below the bar neither does.  Reward's usual rate is the one chosen."""
    assert not chains_rates.missing()
    found: dict[tuple, list[float]] = {}
    tried = chains_rates.tried((4,))
    for run in tried:
        found.setdefault((run.size, run.seed, run.arm), []).append(run.sound)
    below = "0.2M", 2
    lifted = {("0.2M", 1), ("1.5M", 1)}
    for (*base, arm), shares in found.items():
        if tuple(base) == below:
            assert max(shares) < 0.05
        elif arm == "sft" or tuple(base) in lifted:
            assert min(shares) > 0.9
        else:
            assert max(shares) < 0.7
    for size in chains_rates.BASES:
        assert chains_rates.chosen_rate(tried, size, "rl") == "same"


def test_a_base_in_the_gap_ends_up_in_between():
    """The bar said that 0.7M, read again, would be lifted; reward brought it part of the way."""
    rows = [row for row in chains_tables.read(chains_rates.TABLE) if row["rate"] == "same"]
    (base,) = chains_tables.thresholds(rows)
    assert 0.02 < base.before < 0.047
    assert 0.1 < base.after < 0.5


def test_a_thought_is_begun_with_its_own_first_lines():
    assert [begin(CHAIN) for begin in chains_begun.BEGUN.values()] == [
        "",
        "7\n7+8=5\n5+3=8\n",
        "7\n7+8=5\n5+3=8\n8+",
    ]


def test_what_is_begun_counts_as_part_of_the_thought(model, monkeypatch):
    """A model that writes what is missing of the thought is sound, however much was begun."""
    monkeypatch.setattr(chains_begun, "CHAINS", 2)
    problems = [c for steps in chains_begun.LENGTHS for c in chains_task.exam(steps, 2)]
    drawing = chains_sampling.Sampler(model, len(problems), chains_begun.LONGEST, 60)
    for begin in chains_begun.BEGUN.values():
        rest = [c.completion().removeprefix(begin(c)) for c in problems]
        monkeypatch.setattr(chains_begun, "texts", lambda samples, rest=rest: rest)
        for row in chains_begun.examine(drawing, begin, 0):
            assert row["asked"] == row["went_on"] == row["right_row"] == row["sound"] == 2
    monkeypatch.setattr(chains_begun, "texts", lambda samples: ["</think>\n\n1<|im_end|>"] * 8)
    for row in chains_begun.examine(drawing, chains_begun.all_but_the_last, 0):
        assert row["went_on"] == row["right_row"] == row["sound"] == 0


def test_the_right_row_may_be_added_up_wrongly():
    right, last = CHAIN.completion(), CHAIN.thought.split("\n")[-1]
    assert chains_begun.reads_the_row(CHAIN, right)
    assert chains_begun.reads_the_row(CHAIN, right.replace(last, last[:-1] + "0"))
    assert not chains_begun.reads_the_row(CHAIN, right.replace(last, "8+1=9"))
    assert not chains_begun.reads_the_row(CHAIN, right.replace(last + "\n", ""))


def test_bases_take_a_third_step_for_sure_and_a_fourth_seldom_even_where_it_is_begun():
    rows = [r for r in chains_tables.read(chains_begun.TABLE) if r["arm"] == "pretrained"]
    assert {row["seed"] for row in rows} == set(chains.SEEDS)
    begun = "and the last begun"
    for row in rows:
        share = row["sound"] / row["asked"]
        if row["length"] == 3:
            assert share > 0.97
        elif (row["length"], row["begun"]) == (4, begun):
            assert 0.15 < share < 0.5, "more than guessing, and far from sure"
        elif (row["length"], row["seed"]) == (4, 1):
            assert 0.15 < share < 0.5 and row["went_on"] > 0.9 * row["asked"]
        elif row["length"] == 4:
            assert share == 0 and row["went_on"] < 0.05 * row["asked"], "it stops after three"


def test_reward_taught_the_sum_of_a_fourth_line_to_every_seed():
    """Even to the one that never begins such a line; finding its row was no difficulty before."""
    sound, found = {}, {}
    for row in chains_tables.read(chains_begun.TABLE):
        if (row["length"], row["begun"], row["temperature"]) == (4, "and the last begun", 0):
            sound[row["arm"], row["seed"]] = row["sound"] / row["asked"]
            found[row["arm"], row["seed"]] = row["right_row"] / row["asked"]
    for seed in chains.SEEDS:
        assert sound["rl", seed] > sound["pretrained", seed] + 0.25
        assert found["pretrained", seed] > 0.85


def test_new_runs_are_added_to_a_table_once(tmp_path, monkeypatch):
    monkeypatch.setattr(chains_tables, "log_path", lambda name: tmp_path / f"{name}.csv")
    run = {"arm": "sft", "size": "0.2M", "seed": 1, "reading_tokens": 3, "sound": 5}
    write_log(tmp_path / "sft-0.2M-3-1.csv", [run])
    for _ in range(2):
        chains_tables.collect(tmp_path, {"table": ("sft",)})
    assert chains_tables.read("table") == [run]
