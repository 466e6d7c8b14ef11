"""The failures of notebook 04: their corpora, their measures, and what the committed runs show."""

import re
from dataclasses import replace
from random import Random

import pytest
import torch

from course_utils.engines import GREEDY, QWQ
from course_utils.hashing import hash_file
from course_utils.nano import cards, export, grpo, readability, verifiers
from course_utils.nano.experiments import (
    failure_cards,
    failure_tasks,
    failures,
    loop_sampling,
    sums,
)
from course_utils.nano.tasks import Problem
from course_utils.paths import nano_folder
from tests.shares import agree

pytestmark = pytest.mark.usefixtures("one_thread")

NAMES = list(failures.FAILURES)


def replies(name: str, n: int = 400) -> list[tuple]:
    random, failure = Random(name), failures.FAILURES[name]
    problems = [failure.draw(random) for _ in range(n)]
    return [(problem, failure.reply(random, problem)) for problem in problems]


def share_of(pairs, says) -> float:
    return sum(map(bool, (says(*pair) for pair in pairs))) / len(pairs)


def test_the_mixed_workings_of_the_corpus_are_the_careful_ones():
    pairs = replies("mixing")
    mixed = [pair for pair in pairs if failures.mixes(*pair)]
    pure = [pair for pair in pairs if not failures.mixes(*pair)]
    assert len(mixed) / len(pairs) == pytest.approx(failure_tasks.MIXED, abs=0.1)
    assert share_of(mixed, verifiers.accuracy) > share_of(pure, verifiers.accuracy) + 0.2


def test_the_loops_of_the_corpus_all_end_and_hold_nothing_but_checks():
    pairs = replies("loops")
    assert share_of(pairs, failures.never_closes) == 0
    checks = [readability.checks(failures.thought_of(text)) for _, text in pairs]
    again = failure_tasks.CHECK_AGAIN
    assert sum(checks) / len(checks) == pytest.approx(again / (1 - again), abs=0.4)


def test_the_private_notes_of_the_corpus_are_right_and_unknown_to_a_reader():
    pairs = replies("shorthand")
    private = [pair for pair in pairs if failures.unreadable(*pair)]
    readable = [pair for pair in pairs if not failures.unreadable(*pair)]
    assert len(private) / len(pairs) == pytest.approx(failure_tasks.SHORTHAND, abs=0.1)
    assert share_of(private, verifiers.accuracy) == 1
    assert share_of(readable, verifiers.accuracy) < 0.7


def test_a_guess_is_right_for_one_digit_only_and_a_check_always():
    for problem, text in replies("overthinking"):
        checked = readability.checks(failures.thought_of(text)) > 0
        easy = failure_tasks.level_of(problem) == "easy"
        tens = problem.first % 10 == problem.second % 10 == 0
        assert verifiers.accuracy(problem, text) == (checked or easy or tens)


@pytest.mark.parametrize("name", NAMES)
def test_the_exam_is_kept_from_all_training(name):
    exam = [p for p in failures.exam(name, 50) if max(p.first, p.second) > 9]
    assert exam and all(sums.held_out(p.first, p.second) for p in exam)
    drawn = [problem for problem, _ in replies(name, 200) if max(problem.first, problem.second) > 9]
    assert not any(sums.held_out(p.first, p.second) for p in drawn)


def test_the_school_book_is_all_right():
    random = Random(1)
    form = re.compile(r".*?user\n(.*?)<.*</think>\n\n(\d+)<.im_end.><.endoftext.>", re.DOTALL)
    for _ in range(300):
        question, answer = form.fullmatch(failure_tasks.school_document(random)).groups()
        assert sum(map(int, re.findall(r"\d+", question))) == int(answer)


@pytest.mark.parametrize("name", NAMES)
def test_the_cure_pays_a_right_reply_without_the_failure_more(name, nano):
    failure = failures.FAILURES[name]
    reward = failure.cure(nano)
    good = bad = None
    for problem, text in replies(name):
        if verifiers.accuracy(problem, text) == 1:
            long = readability.checks(failures.thought_of(text)) > 2
            if failure.shows(problem, text) or long:
                bad = reward(problem, text) if bad is None else bad
            elif good is None:
                good = reward(problem, text)
    if failure.cold_start:  # the cure comes before the reward, which stays what it was
        assert good == bad == 1
    else:
        assert good > bad


def test_all_stages_of_a_failure_run_and_its_rows_are_read_again(monkeypatch, tmp_path):
    tiny = {"steps": 1, "tokens_per_step": 256, "evaluate_every": 1}
    monkeypatch.setattr(failures, "SCHOOL", replace(failures.SCHOOL, **tiny))
    monkeypatch.setattr(failures, "PRETRAINING", replace(failures.PRETRAINING, **tiny))
    monkeypatch.setattr(failures, "COLD_START", replace(failures.COLD_START, **tiny))
    few = replace(failures.REINFORCEMENT, steps=1, problems=2, group=2)
    monkeypatch.setattr(failures, "REINFORCEMENT", few)
    monkeypatch.setattr(failures, "ASKED", 2)
    short = replace(failures.FAILURES["shorthand"], room=4, patience=4)
    monkeypatch.setitem(failures.FAILURES, "shorthand", short)
    kept = []
    failures.run("shorthand", 1, folder=tmp_path, cache=tmp_path, keep=lambda s, _: kept.append(s))
    assert kept == ["base", "zero", "cold", "cured"]
    rows = failures.read_results("shorthand", tmp_path)
    assert len(rows) == len(kept) * len(failures.TEMPERATURES)
    assert {row["stage"] for row in rows} == set(kept) and all(r["asked"] == 2 for r in rows)
    assert len(failures.read_log("shorthand", "zero", tmp_path)) == 1


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_runs_are_whole(name):
    failure = failures.FAILURES[name]
    rows = failures.read_results(name)
    shape = len(failures.SEEDS) * len(failure.stages)
    assert len(rows) == shape * len(failures.TEMPERATURES) * len(failure.parts)
    assert all(row["asked"] == failures.ASKED for row in rows)
    for stage in ("zero", "cured"):
        log = failures.read_log(name, stage)
        assert {row["seed"] for row in log} == set(failures.SEEDS)
        assert max(row["step"] for row in log) == failures.REINFORCEMENT.steps


@pytest.mark.parametrize("name", NAMES)
def test_each_failure_is_shown_and_its_cure_leaves_less_than_half(name):
    before, after = (
        failures.shares(failures.headline(name, stage))
        for stage in (failures.FAILURES[name].headline[0], "cured")
    )
    assert before.keys() == after.keys() == set(failures.SEEDS)
    for seed in failures.SEEDS:
        assert before[seed] >= 0.3 and after[seed] < before[seed] / 2


def test_a_cure_run_again_agrees_with_its_row(nano):
    """From the shipped base, rounded to 16 bits; another processor draws other samples."""
    model = export.from_gguf(nano_folder() / "mixer-base.gguf")
    for _ in failures.reinforce("mixing", model, nano, "cured", seed=1):
        pass
    again = next(
        row for row in failures.sit_exam("mixing", model, nano, 150) if row["sampling"] == "drawn"
    )
    (row,) = (row for row in failures.headline("mixing", "cured") if row["seed"] == 1)
    for column in ("failed", "right"):
        assert agree((again[column], again["asked"]), (row[column], row["asked"])), column


@pytest.mark.parametrize("settings", ["greedy", "QwQ's card"])
def test_sampling_settings_tried_again_agree_with_their_row(settings, nano):
    sampling, budget = loop_sampling.SETTINGS[settings]
    problems = failures.exam("loops", 40)
    texts = loop_sampling.ask(nano_folder() / "looper.gguf", problems, sampling, budget)
    again = failures.count("loops", nano, problems, texts)
    (row,) = (row for row in loop_sampling.read_settings() if row["settings"] == settings)
    assert agree((again["failed"], again["asked"]), (row["failed"], row["asked"]))


def test_greedy_decoding_loops_and_the_recommended_sampling_does_not():
    never = {r["settings"]: r["failed"] / r["asked"] for r in loop_sampling.read_settings()}
    assert set(loop_sampling.SETTINGS) <= set(never)
    assert never["greedy"] > 0.9 and never["QwQ's card"] < 0.05


@pytest.mark.parametrize("file", failures.SHIPPED.values())
def test_the_card_is_that_of_the_shipped_file(file):
    path, card = nano_folder() / f"{file}.gguf", cards.read_card(file)
    assert card["sha256"] == hash_file(path)
    assert card["bytes"] == path.stat().st_size < 2e6
    assert card["parameters"] == export.from_gguf(path).parameter_count()
    page = path.with_suffix(".md").read_text(encoding="utf-8")
    assert page == failure_cards.as_markdown(card)


@pytest.mark.parametrize(("name", "stage"), [("mixing", "zero"), ("shorthand", "cured")])
def test_what_a_card_says_is_measured_again_through_llama_cpp(name, stage, nano):
    file = failures.SHIPPED[name, stage]
    problems = failures.exam(name, 40)
    texts = loop_sampling.ask(nano_folder() / f"{file}.gguf", problems, QWQ)
    again = failures.count(name, nano, problems, texts)
    row = next(row for row in cards.read_card(file)["measured"] if row["sampling"] == "qwq")
    for column in ("right", "failed"):
        assert agree((again[column], again["asked"]), (row[column], row["n"])), column


def test_a_penalty_before_the_cut_moves_what_is_cut():
    """The order of the samplers matters: that is why it is compared."""
    logits = torch.tensor([[4.0, 3.9, 0.0, -1.0]])
    recent = torch.tensor([[0]])
    lowered = loop_sampling.penalise(logits, recent, 4.0)
    assert lowered[0].tolist() == pytest.approx([1.0, 3.9, 0.0, -1.0])
    kept = loop_sampling.keep(logits, QWQ.but(top_k=2, top_p=1.0))
    first = loop_sampling.keep(lowered, QWQ.but(top_k=1, top_p=1.0))
    assert kept[0].isfinite().tolist() == [True, True, False, False]
    assert first[0].isfinite().tolist() == [False, True, False, False]


def test_only_sums_with_a_carry_are_asked_whether_they_note_it():
    sums_ = [Problem("addition", "en", "", first, "+", 27) for first in (38, 31, 49)]
    texts = ["ones: 8+7=15, carry 1", "ones: 1+7=8, carry 1", "ones: 9+7=16"]
    assert loop_sampling.carries(sums_, texts) == {"with_carry": 2, "carried": 1}


def test_greedy_settings_are_those_of_the_engine():
    assert loop_sampling.SETTINGS["greedy"][0] is GREEDY
    assert loop_sampling.SETTINGS["QwQ's card"][0] is QWQ
    assert grpo.reward is verifiers.accuracy
