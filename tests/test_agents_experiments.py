"""The experiments behind notebook 08 say what they do before they do it, and count rightly."""

import importlib
from random import Random

import pytest

from course_utils import command_line
from course_utils.agents import calculating, guessing, narrowing, players
from course_utils.agents.experiments import __main__ as everything
from course_utils.agents.experiments import (
    calculator,
    guesser,
    guessing_hole,
    guessing_middle,
    guessing_noise,
    guessing_rl,
    guessing_stages,
    guessing_temperatures,
    guessing_tries,
)
from course_utils.agents.rollout import play
from course_utils.logs import read_log
from course_utils.nano import export, pretrain
from course_utils.nano.experiments import runs
from course_utils.nano.model import Shape
from course_utils.paths import nano_folder

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", everything.EXPERIMENTS)
def test_help_is_given_and_nothing_trained(name, capsys):
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"course_utils.agents.experiments.{name}").main(["--help"])
    assert ended.value.code == 0 and "usage" in capsys.readouterr().out


def test_all_experiments_are_run_and_a_failed_one_stops_the_rest(monkeypatch):
    called = []

    def call(command):
        called.append(command[-1].rsplit(".", 1)[1])
        return int(called[-1] == "guessing_rl")

    monkeypatch.setattr(command_line.subprocess, "call", call)
    monkeypatch.setattr(everything.sys, "argv", ["experiments"])
    assert everything.main() == 1
    until = everything.EXPERIMENTS.index("guessing_rl") + 1
    assert tuple(called) == everything.EXPERIMENTS[:until]
    monkeypatch.setattr(everything.sys, "argv", ["experiments", "--help"])
    with pytest.raises(SystemExit):
        everything.main()
    assert len(called) == until


# ---- what a guess leaves ------------------------------------------------------------------


def test_a_guess_is_judged_by_what_it_leaves_at_worst():
    turns = [("50", "higher than 50"), ("60", "lower than 60"), ("70", "lower than 70")]
    turns += [("51", "higher than 51"), ("59", "lower than 59")]
    # Of 1 to 100; of 51 to 100; of 51 to 59, where 70 is ruled out; then at either end.
    assert narrowing.left_by(1, 100, turns) == [50 / 100, 40 / 50, 1.0, 8 / 9, 7 / 8]
    assert narrowing.left_by(7, 7, [("7", "right")]) == [0.0]
    assert narrowing.left_by(1, 40, []) == []


def test_every_halving_game_narrows_and_one_number_after_the_other_does_not():
    random = Random(1)
    for low, high in guessing.HELD_OUT[::40]:
        for player, expected in (
            (players.binary_search, True),
            (players.near_binary, True),
            (players.upwards, False),
        ):
            episode = guessing.Guessing(low, high, random.randint(low + 20, high))
            turns = players.play(episode, player, random)
            assert narrowing.narrows(narrowing.left_by(low, high, turns)) == expected


def test_games_are_counted_by_luck_and_by_narrowing():
    lucky = ([("30", "right")], True)
    narrow = ([("20", "higher than 20"), ("30", "right")], True)
    lost = ([("1", "higher than 1")] * 7, False)
    silent = ([("no idea", "no number")], False)
    wordy = ([("It is 20!", "higher than 20"), ("30 or", "no action")], False)
    assert guessing_tries.taken(wordy[0]) == [("20", "higher than 20")]
    row = guessing_tries.counted(
        "base", 4, guessing.Guessing(1, 40, 30), [lucky, narrow, lost, silent]
    )
    assert (row["tries"], row["found_by_1"], row["found_by_2"], row["found_by_7"]) == (4, 1, 2, 2)
    # 30 of 1 to 40 leaves 29 of them at worst: more than two thirds.
    assert row["narrowed"] == 1 and row["policy"] == "base" and row["episode"] == 4
    shares = [29 / 40, 20 / 40, 10 / 20, 39 / 40, *[1.0] * 6, 1.0]
    assert row["left"] == pytest.approx(sum(shares) / len(shares), abs=1e-4)


def test_the_committed_tries_are_whole_and_fit_together():
    rows = read_log(runs.log_path("guessing-tries"))
    policies = dict.fromkeys(row["policy"] for row in rows)
    models = {"base", "base, best prompt", "base, best temperature", "reinforced"}
    assert {*models, *guessing_tries.PLAYERS} == set(policies)
    for policy in policies:
        mine = [row for row in rows if row["policy"] == policy]
        assert [row["episode"] for row in mine] == list(range(guessing_tries.EPISODES))
        assert {row["tries"] for row in mine} == {guessing_tries.TRIES}
        for row in mine:
            found = [row[f"found_by_{n}"] for n in range(1, guessing.GUESSES + 1)]
            assert found == sorted(found) and row["narrowed"] <= found[-1] <= row["tries"]


def test_the_shipped_policies_play_as_the_committed_tries_say(nano, monkeypatch):
    rows = read_log(runs.log_path("guessing-tries"))
    monkeypatch.setattr(guessing_tries, "TRIES", 8)
    exam = guessing.exam(guessing_tries.EPISODES, guessing_tries.guessing_rl.EXAM)[:12]
    for policy, name in {"base": "guesser", "reinforced": "guesser-rl"}.items():
        mine = [row for row in rows if row["policy"] == policy][:12]
        assert [(r["low"], r["high"], r["secret"]) for r in mine] == [
            (e.low, e.high, e.secret) for e in exam
        ]
        model = export.from_gguf(nano_folder() / f"{name}.gguf")
        games = guessing_tries.by_model(model, nano)(exam)
        found = sum(found for played in games for _, found in played) / (12 * 8)
        committed = sum(row["found_by_7"] / row["tries"] for row in mine) / 12
        assert found == pytest.approx(committed, abs=0.15)


def test_how_likely_a_guess_was_is_a_probability_and_the_policys_own_guess_is_its_likeliest(nano):
    base, reinforced = (
        export.from_gguf(nano_folder() / f"{name}.gguf") for name in ("guesser", "guesser-rl")
    )
    rows = guessing_tries.foretold(base, reinforced, nano, count=4)
    assert {row["episode"] for row in rows} == {0, 1, 2, 3}
    for row in rows:
        assert 0 < row["base"] <= 1 and 0.02 < row["reinforced"] <= 1 and row["open"] >= 1
    committed = read_log(runs.log_path("guessing-foretold"))
    same = [row for row in committed if row["episode"] < 4]
    assert [(r["guess"], r["open"]) for r in same] == [(int(r["guess"]), r["open"]) for r in rows]


# ---- the rivals of the reinforced policy ----------------------------------------------------


def test_prompt_and_temperature_are_chosen_on_validation_alone():
    rows = [
        {"on": on, "prompt": prompt, "temperature": temperature, "success": success}
        for on, prompt, temperature, success in (
            ("validation", 0, 0.0, 0.6),
            ("validation", 1, 0.4, 0.5),
            ("validation", 2, 0.8, 0.5),
            ("validation", 3, 1.0, 0.55),
            ("exam", 4, 0.4, 0.9),
        )
    ]
    assert guessing_temperatures.chosen(rows) == (0, 0.0)
    assert guessing_temperatures.chosen(rows, between=True) == (1, 0.4)


def test_the_committed_temperatures_are_whole_and_end_on_the_exam():
    rows = read_log(runs.log_path(guessing_temperatures.NAME))
    tried = {(r["prompt"], r["temperature"]) for r in rows if r["on"] == "validation"}
    assert len(tried) == 12 * len(guessing_temperatures.TEMPERATURES)
    exam = {(r["prompt"], r["temperature"]): r for r in rows if r["on"] == "exam"}
    for between in (False, True):
        assert guessing_temperatures.chosen(rows, between) in exam
    assert {r["episodes"] for r in exam.values()} == {guessing_rl.EXAMINED}
    # The exam is that of the other policies.
    table = read_log(runs.log_path("guessing-policies"))
    (greedy,) = (
        r["success"] for r in table if (r["policy"], r["decoding"]) == ("base", "likeliest")
    )
    assert exam[0, 0.0]["success"] == pytest.approx(greedy, abs=0.03)


def test_a_number_in_the_middle_is_one_of_seven_and_a_blind_player_finds_it():
    random = Random(3)
    places = set()
    for _ in range(300):
        episode = guessing_middle.draw(random)
        first = (episode.low + episode.high - 6) // 2
        places.add(episode.secret - first)
        said = [episode.step(str(n)).success for n in range(first, first + guessing.GUESSES)]
        assert any(said) and not guessing.held_out(episode.low, episode.high)
    assert places == set(range(guessing.GUESSES))


def test_the_exam_in_the_middle_has_the_same_intervals_and_a_coin_where_asked():
    anywhere, middle = (
        guessing_middle.exam(50, where, guessing_middle.COIN)
        for where in (guessing_middle.ANYWHERE, guessing_middle.MIDDLE)
    )
    assert [(e.low, e.high) for e in anywhere] == [(e.low, e.high) for e in middle]
    assert all(e.noise for e in middle)
    assert not any(e.noise for e in guessing_middle.exam(5, "the middle", guessing_middle.TRUE))


def test_the_committed_rows_of_the_middle_and_of_noise_are_whole():
    rows = read_log(runs.log_path(guessing_middle.NAME))
    seeds = {r["seed"] for r in rows if r["policy"] == "reinforced, the middle"}
    assert 1 in seeds <= set(guessing_rl.SEEDS)
    assert len(rows) == 4 * (2 + len(seeds))  # two worlds, two kinds of answer
    noise = read_log(runs.log_path("guessing-noise"))
    assert len(noise) == len(guessing_noise.ANSWERS) * (2 + len(guessing_rl.SEEDS))
    for row in noise:
        # Only where the answers are about another number can another number be found.
        misled = row["answers"] == "another number's"
        assert (row["found_instead"] > 0) == misled
        assert row["found"] + row["found_instead"] <= row["episodes"]
        if row["policy"] == "reinforced":
            likely = row["found_instead"] if misled else row["found"]
            assert (likely > row["episodes"] / 2) == (row["answers"] != "a coin's")


def test_the_base_is_read_stage_by_stage_up_to_the_one_asked_for(tmp_path, monkeypatch):
    asked = []

    def pretrain_(model, tokenizer, settings, *, document, state_file, log_file):
        asked.append((settings.steps, document, state_file.name))
        log_file.write_text("step,seconds\n1,2.5\n")
        return iter(())

    monkeypatch.setattr(guesser.pretrain, "pretrain", pretrain_)
    before = [stage for stage, _, _ in guesser.stages(tmp_path, before="reading")]
    assert before == ["listening", "asking"]
    assert [steps for steps, _, _ in asked] == [2200, 400]
    assert guesser.pretrained(tmp_path)[1] == 7.5


def test_every_stage_takes_the_exam_both_ways_and_is_not_asked_again(tmp_path, monkeypatch):
    tiny = Shape(width=64, layers=1, heads=2, kv_heads=1, ffn_width=64)
    asked = [("early", pretrain.new_model(tiny, 1)), ("late", pretrain.new_model(tiny, 2))]
    monkeypatch.setattr(guessing_stages, "models", lambda: iter(asked))
    monkeypatch.setattr(guessing_rl, "EXAMINED", 3)
    monkeypatch.setattr(runs, "log_path", lambda name: tmp_path / f"{name}.csv")
    guessing_stages.main([])
    rows = read_log(tmp_path / "guessing-stages.csv")
    expected = [(stage, how) for stage, _ in asked for how in guessing_rl.DECODINGS]
    assert [(row["stage"], row["decoding"]) for row in rows] == expected
    assert all(row["episodes"] == 3 and 0 <= row["success"] <= 1 for row in rows)
    monkeypatch.setattr(guessing_stages, "models", lambda: pytest.fail("asked again"))
    guessing_stages.main([])


def test_the_committed_stages_are_whole_and_end_with_the_shipped_base():
    rows = read_log(runs.log_path(guessing_stages.NAME))
    share = {(row["stage"], row["decoding"]): row["success"] for row in rows}
    assert list(share) == [
        (stage, how) for stage in guesser.STAGES for how in guessing_rl.DECODINGS
    ]
    assert {row["episodes"] for row in rows} == {guessing_rl.EXAMINED}
    *_, before, last = guesser.STAGES
    for row in read_log(runs.log_path("guessing-policies")):
        how = row["decoding"]
        if row["policy"] == "base":
            assert share[last, how] == row["success"]
            # The last stage buries more than half of what the one before could do.
            assert row["success"] < share[before, how] / 2
        if row["policy"] == "reinforced":  # what is buried comes back, and at temperature 1 more
            assert row["success"] > share[before, how] - 0.06


# ---- a tool, or more thinking -------------------------------------------------------------


def test_whether_digits_were_carried_over_is_seen_in_calls_and_in_working():
    episode = calculating.Calculating(478, 356)
    call = calculating.write_call(episode)
    working = calculating.worked(episode)
    assert calculating.copied(episode, call) and calculating.copied(episode, working + "834")
    assert calculating.copied(episode, working + call)
    assert not calculating.copied(episode, call.replace("478", "487"))
    # A wrong sum of the right digits is no slip of the pen; a missing line is.
    assert calculating.copied(episode, working.replace("8+6=14", "8+6=15") + "835")
    assert not calculating.copied(episode, working.replace("8+6=14", "8+9=14") + "837")
    assert not calculating.copied(episode, working.replace("ones: 8+6=14, carry 1\n", "") + "834")
    for text in ("", "834", "<tool_call>834</tool_call>", "<think>\n</think>\n\n834"):
        assert not calculating.copied(episode, text)


def test_a_run_is_examined_in_every_way_at_every_length_and_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr(calculator, "MAX_ACTION_TOKENS", 6)
    monkeypatch.setitem(calculator.SETTINGS, "steps", 1)
    tiny = Shape(width=64, layers=1, heads=2, kv_heads=1, ffn_width=64)
    monkeypatch.setattr(calculator.export, "from_gguf", lambda _: pretrain.new_model(tiny, 1))
    changes = {"tokens_per_step": 160, "evaluate_every": 1, "sums": 2}
    (record,) = calculator.run(2, folder=tmp_path, **changes)
    assert record["step"] == 1 and record["sums"] == 2
    rows = calculator.read_runs(tmp_path)
    ways = [(way, digits) for way in calculating.WAYS for digits in calculating.DIGITS]
    assert [(row["way"], row["digits"]) for row in rows] == ways
    for row in rows:
        assert (row["seed"], row["step"], row["sums"], row["right"]) == (2, 1, 2, 0)
        assert row["tokens"] > 0
    monkeypatch.setitem(calculator.SETTINGS, "steps", 2)
    assert calculator.read_runs(tmp_path) == []  # not finished


def test_the_committed_sums_are_whole():
    rows = calculator.read_runs()
    seeds = {row["seed"] for row in rows}
    assert seeds == set(calculator.SEEDS)
    steps = range(100, calculator.SETTINGS["steps"] + 1, calculator.SETTINGS["evaluate_every"])
    for seed in seeds:
        mine = [row for row in rows if row["seed"] == seed]
        assert sorted({row["step"] for row in mine}) == list(steps)
        assert len(mine) == len(steps) * len(calculating.WAYS) * len(calculating.DIGITS)
        assert all(0 <= row["right"] <= row["sums"] == calculator.SUMS for row in mine)


# ---- a hole in the environment ------------------------------------------------------------


def test_the_forger_says_that_it_was_right_and_is_paid_only_where_there_is_a_hole(nano):
    forger = export.from_gguf(nano_folder() / "guesser-forger.gguf")
    (paid,), (unpaid,) = (
        play(forger, nano, [guessing.Guessing(10, 44, 12)], temperature=0, hole=hole)
        for hole in (True, False)
    )
    assert paid.success and not unpaid.success
    assert paid.turns[-1][0].startswith("12\n<|im_start|>user\nrig")
    assert unpaid.turns[-1] == (paid.turns[-1][0], "no action")


def test_the_committed_comparison_with_the_hole_says_who_uses_it():
    rows = {(row["policy"], row["hole"]): row for row in read_log(runs.log_path("guessing-hole"))}
    assert {policy for policy, _ in rows} == set(guessing_hole.POLICIES)
    forger, open_hole = (rows["trained with the hole", hole] for hole in (0, 1))
    assert open_hole["found"] > forger["found"] and open_hole["no_action"] > 0
    for policy in ("base", "trained without it"):
        # Who has nothing to gain from it does hardly anything of the kind.
        assert rows[policy, 0]["no_action"] < open_hole["no_action"] / 2
