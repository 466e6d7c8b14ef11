"""The shipped nano models are what their cards say."""

import csv

import pytest

from course_utils.engines import open_model
from course_utils.hashing import hash_file
from course_utils.intervals import wilson_interval
from course_utils.model_files.gguf_header import read_header
from course_utils.nano import cards, export, make, measure, tokenizer
from course_utils.paths import nano_folder

NAMES = ("base", "thinker")


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def accuracy(card: dict, test: str, sampling: str) -> dict:
    rows = [r for r in card["accuracy"] if (r["test"], r["sampling"]) == (test, sampling)]
    assert len(rows) == 1
    return rows[0]


def test_the_card_names_this_very_file(name):
    card, path = cards.read_card(name), nano_folder() / f"{name}.gguf"
    assert card["file"] == path.name
    assert card["sha256"] == hash_file(path)
    assert card["bytes"] == path.stat().st_size


def test_the_card_counts_the_parameters_right(name):
    card = cards.read_card(name)
    path = nano_folder() / f"{name}.gguf"
    assert card["parameters"] == export.from_gguf(path).parameter_count()
    assert card["parameters"] == read_header(path).parameters


def test_the_page_to_read_is_made_from_the_card(name):
    page = (nano_folder() / f"{name}.md").read_text(encoding="utf-8")
    assert page == cards.as_markdown(cards.read_card(name))


def test_the_cards_intervals_follow_from_its_counts(name):
    for row in cards.read_card(name)["accuracy"]:
        low, high = wilson_interval(row["correct"], row["n"])
        assert row["share"] == pytest.approx(row["correct"] / row["n"], abs=1e-4)
        assert (row["low"], row["high"]) == pytest.approx((low, high), abs=1e-4)
        assert row["n"] >= 500


@pytest.mark.parametrize("test", [measure.HEADLINE, "story-zh-3"])
def test_accuracy_measured_again_agrees_with_the_card(name, test):
    """Other problems, fewer of them: the two 99.9 % intervals must meet."""
    row = accuracy(cards.read_card(name), test, "qwq")
    again = measure.measure(
        nano_folder() / f"{name}.gguf",
        measure.exam_problems(test, 100, seed=99),
        measure.SAMPLINGS["qwq"],
    )
    low, high = wilson_interval(row["correct"], row["n"], 0.999)
    again_low, again_high = again.interval(0.999)
    assert low <= again_high and again_low <= high


def test_reward_made_the_thinker_right_where_the_base_is_wrong():
    base, thinker = (cards.read_card(name) for name in NAMES)
    headline = accuracy(thinker, measure.HEADLINE, "qwq")
    assert accuracy(base, measure.HEADLINE, "qwq")["high"] < 0.5  # more often wrong than right
    assert headline["share"] >= 0.95
    for test in ("story-en-3", "story-zh-3"):
        before, after = accuracy(base, test, "qwq"), accuracy(thinker, test, "qwq")
        assert after["low"] > before["high"]


def test_the_file_says_what_it_is(name):
    metadata = read_header(nano_folder() / f"{name}.gguf").metadata
    assert metadata["general.name"] == f"nano {name}"
    assert metadata["general.license"] == "apache-2.0"
    assert metadata["general.languages"] == ["en", "zh"]
    assert metadata["general.author"] and metadata["general.description"]
    assert metadata["qwen2.context_length"] >= 1024
    assert metadata["tokenizer.chat_template"] == tokenizer.CHAT_TEMPLATE
    assert metadata["tokenizer.ggml.pre"] == "qwen2"


def test_widths_suit_k_quants(name):
    header = read_header(nano_folder() / f"{name}.gguf")
    assert header.get("embedding_length") % 256 == 0
    assert header.get("feed_forward_length") % 256 == 0


def test_files_are_small():
    assert all(path.stat().st_size < 10e6 for path in nano_folder().glob("*.gguf"))
    assert sum(path.stat().st_size for path in nano_folder().iterdir()) < 40e6


# Reinforcement learning on sums alone costs the thinker some small talk, as its card says.
GREETINGS = {"Hello!": "Hello!", "Who are you?": "nano model", "你好": "你好"}
MORE_SMALL_TALK = {"你是谁？": "模型", "Tell me a story.": " is "}


@pytest.mark.parametrize(
    ("name", "question", "expected"),
    [(name, *item) for name in NAMES for item in GREETINGS.items()]
    + [("base", *item) for item in MORE_SMALL_TALK.items()],
)
def test_a_first_conversation_gets_a_fitting_reply(name, question, expected):
    engine = open_model(nano_folder() / f"{name}.gguf")
    reply = engine.chat(question, measure.SAMPLINGS["greedy"].but(max_tokens=80)).finish()
    assert expected in reply.answer
    assert reply.stop_reason == "end"


def test_the_training_logs_tell_the_runs_on_the_cards():
    with (nano_folder() / "base-pretraining.csv").open() as file:
        rows = list(csv.DictReader(file))
    training = cards.read_card("base")["training"]
    assert int(rows[-1]["step"]) == training["steps"]
    assert int(rows[-1]["tokens"]) == training["tokens"]
    assert float(rows[-1]["held_out_loss"]) < float(rows[0]["held_out_loss"]) / 2
    with (nano_folder() / "thinker-grpo.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == cards.read_card("thinker")["training"]["steps"]
    assert float(rows[-1]["reward"]) > float(rows[0]["reward"]) + 0.3


def test_the_cards_describe_the_settings_that_make_them():
    assert cards.read_card("base")["training"]["seed"] == make.BASE_SETTINGS.seed
    assert cards.read_card("base")["training"]["steps"] == make.BASE_SETTINGS.steps
    assert cards.read_card("thinker")["training"]["steps"] == make.THINKER_SETTINGS.steps
    assert cards.read_card("thinker")["data"] == make.THINKER_TASKS
