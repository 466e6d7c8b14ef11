"""The environments answer as they say, a perfect policy solves them, and a blind one does not."""

import re
from random import Random

import pytest

from course_utils.agents import calculating, guessing, players
from course_utils.agents.environment import Observation


def said(episode) -> str:
    """What the policy reads first."""
    (message,) = episode.messages
    return message["content"]


def test_guesses_are_told_higher_or_lower_and_end_after_seven():
    episode = guessing.Guessing(10, 60, 42)
    assert said(episode) == "Guess a number from 10 to 60."
    assert episode.step("35") == Observation("higher than 35")
    assert episode.step(" 50!") == Observation("lower than 50")
    assert episode.step("42") == Observation("right", done=True, success=True)
    late = guessing.Guessing(10, 60, 42)
    assert [late.step("10").done for _ in range(7)] == [False] * 6 + [True]


@pytest.mark.parametrize("action", ["", "thirty", "30 or 40", "1000000", "3 0"])
def test_what_is_not_one_number_ends_the_episode(action):
    assert guessing.Guessing(10, 60, 42).step(action) == Observation("no number", done=True)


def test_intervals_are_wide_and_some_are_held_out():
    for low, high in guessing.TRAINING + guessing.HELD_OUT:
        assert low >= 1 and high <= 99 and high - low + 1 >= 32
    assert not set(guessing.TRAINING) & set(guessing.HELD_OUT)
    assert 0.1 < len(guessing.HELD_OUT) / len(guessing.TRAINING) < 0.2
    assert {(e.low, e.high) for e in guessing.exam(300)} <= set(guessing.HELD_OUT)


def test_binary_search_always_succeeds():
    for low, high in guessing.HELD_OUT[::20]:
        for secret in range(low, high + 1):
            episode = guessing.Guessing(low, high, secret)
            turns = players.play(episode, players.binary_search, Random(1))
            assert turns[-1] == (str(secret), "right")


def test_noise_says_nothing_of_the_number():
    told = [
        guessing.Guessing(1, 99, 99, noise=Random(seed)).step("1").text.split()[0]
        for seed in range(200)
    ]
    assert 70 < told.count("higher") < 130


def test_answers_can_be_those_for_another_number_and_then_right_is_not_success():
    episode = guessing.Guessing(1, 99, 20, told_of=70)
    assert episode.step("40") == Observation("higher than 40")
    assert episode.step("70") == Observation("right", done=True)
    lucky = guessing.Guessing(1, 99, 20, told_of=70)
    assert lucky.step("20") == Observation("right", done=True, success=True)


def test_the_other_number_is_another_of_the_same_interval_and_the_game_is_new():
    exam = guessing.exam(60)
    exam[0].step("50")
    for episode, other in zip(exam, guessing.misled(exam), strict=True):
        assert (other.low, other.high, other.secret) == (episode.low, episode.high, episode.secret)
        assert other.low <= other.told_of <= other.high and other.told_of != other.secret
        assert other.guesses == [] and episode.told_of is None
    assert guessing.misled(exam) == guessing.misled(exam) != guessing.misled(exam, seed=1)


def test_the_calculator_answers_calls_and_the_answer_ends_the_sum():
    episode = calculating.Calculating(12, 34)
    assert said(episode) == "Use the calculator for 12+34."
    call = calculating.write_call(episode)
    assert (
        call == '<tool_call>\n{"name": "calculator", "arguments": {"sum": "12+34"}}\n</tool_call>'
    )
    assert episode.step(call) == Observation("<tool_response>\n46\n</tool_response>")
    assert episode.step("46") == Observation("", done=True, success=True)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ('<tool_call>{"name": "search", "arguments": {}}</tool_call>', "there is no such tool"),
        ("<tool_call>12+34</tool_call>", "there is no such tool"),
        ('<tool_call>{"name": "calculator", "arguments": {"sum": "12"}}</tool_call>', "not a sum"),
        ('<tool_call>{"name": "calculator", "arguments": {}}</tool_call>', "not a sum"),
        ('<think><tool_call>{"name"</think><tool_call>{"name": "calculator", "arguments": '
         '{"sum": "9 + 9"}}</tool_call>', "18"),
    ],
)  # fmt: skip
def test_a_call_that_is_wrong_is_told_so(action, said):
    assert said in calculating.Calculating(12, 34).step(action).text


@pytest.mark.parametrize(("action", "right"), [("46", True), ("47", False), ("46 or 47", False)])
def test_one_right_number_is_a_success(action, right):
    thought = "<think>\nones: 2+4=6\ntens: 1+3=4\n</think>\n\n"
    for text in (action, thought + action):
        assert calculating.Calculating(12, 34).step(text).success == right


def test_calls_without_end_end_the_episode():
    episode = calculating.Calculating(12, 34)
    call = calculating.write_call(episode)
    assert [episode.step(call).done for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("way", ["think", "calculator", "both"])
@pytest.mark.parametrize("digits", calculating.DIGITS)
def test_a_perfect_policy_gets_every_sum_right(way, digits):
    for episode in calculating.exam(20, digits, way):
        assert len(str(episode.first)) == digits
        assert calculating.held_out(episode.first, episode.second)
        action, _ = calculating.solve(episode)[-1]
        fresh = calculating.Calculating(episode.first, episode.second, way)
        assert fresh.step(action).success


def test_a_broken_calculator_shows_who_trusts_it():
    episode = calculating.Calculating(12, 34, broken=Random(1))
    result = int(episode.step(calculating.write_call(episode)).text.split()[1])
    assert 46 < result < 56


def test_documents_of_sums_are_solved_rightly_in_every_way():
    random, ways = Random(7), set()
    for _ in range(60):
        text = calculating.document(random)
        first, second = map(int, re.findall(r"(\d+)\+(\d+)", text)[0])
        answer = re.findall(r"(\d+)<\|im_end\|>\n<\|endoftext\|>", text)
        assert answer == [str(first + second)]
        assert not calculating.held_out(first, second)
        ways.add(("<think>" in text, "<tool_call>" in text))
    assert ways == {(True, False), (False, True), (True, True)}
