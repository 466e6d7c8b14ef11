"""Players keep their habits, and the base model's documents show them as they are."""

from random import Random

import pytest

from course_utils.agents import guessing, measure, players
from course_utils.agents.experiments.guessing_prompts import PROMPTS
from course_utils.agents.rollout import Rollout


def games(player, n: int = 400) -> list[list[tuple[str, str]]]:
    return [players.play(episode, player, Random(1)) for episode in guessing.exam(n)]


def test_who_listens_guesses_only_what_is_still_possible():
    for player in (players.possible, players.near_binary, players.binary_search):
        for episode in guessing.exam(100):
            players.play(episode, player, Random(2))
            low, high = episode.low, episode.high
            for guess in episode.guesses:
                assert low <= guess <= high
                low, high = (guess + 1, high) if guess < episode.secret else (low, guess - 1)


def test_success_follows_from_the_habit():
    def success(player) -> float:
        ends = [turns[-1][1] for turns in games(player)]
        return ends.count("right") / len(ends)

    assert success(players.binary_search) == 1
    assert success(players.near_binary) > 0.95
    assert 0.6 < success(players.possible) < 0.8
    assert success(players.anything) < 0.2
    assert success(players.upwards) < 0.2


def test_the_corpus_as_a_whole_succeeds_below_forty_percent():
    random = Random(3)
    shares = players.EVERYONE[guessing.PROMPT][1]
    won = 0
    for episode in guessing.exam(600):
        player = random.choices(list(shares), list(shares.values()))[0]
        won += players.play(episode, player, random)[-1][1] == "right"
    assert 0.25 < won / 600 < 0.4


def test_the_exact_scores_agree_with_playing():
    intervals = guessing.HELD_OUT[::30]
    exact = measure.score_player(players.binary_search, intervals)
    assert exact.success == pytest.approx(1)
    random = Random(4)
    turns, won = [], 0
    for _ in range(4000):
        low, high = random.choice(intervals)
        guesses = random.sample(range(low, high + 1), 7)
        episode = guessing.Guessing(low, high, random.randint(low, high))
        while not (said := episode.step(str(guesses[len(episode.guesses)]))).done:
            pass
        turns.append(len(episode.guesses))
        won += said.success
    blind = measure.best_blind_score(intervals)
    assert won / 4000 == pytest.approx(blind.success, abs=0.02)
    assert sum(turns) / 4000 == pytest.approx(blind.turns, abs=0.1)
    low, high = intervals[0]
    one = measure.score_player(players.binary_search, [(low, high)])
    by_hand = [
        len(players.play(guessing.Guessing(low, high, n), players.binary_search, random))
        for n in range(low, high + 1)
    ]
    assert one.turns == pytest.approx(sum(by_hand) / len(by_hand))
    games = []
    for _ in range(4000):
        low, high = random.choice(intervals)
        episode = guessing.Guessing(low, high, random.randint(low, high))
        games.append(players.play(episode, players.possible, random))
    likely = measure.any_possible_score(intervals)
    won = sum(game[-1][1] == guessing.RIGHT for game in games)
    assert won / 4000 == pytest.approx(likely.success, abs=0.02)
    assert sum(map(len, games)) / 4000 == pytest.approx(likely.turns, abs=0.1)


def test_a_score_counts_failures_with_all_their_turns():
    won = Rollout([], [], [], [("1", "right")], success=True)
    lost = Rollout([], [], [], [("1", "higher than 1")] * 7)
    assert measure.score([won, lost]) == measure.Score(0.5, 4.0, 2)


def test_a_document_is_a_conversation_in_the_agents_chat_format():
    text = players.document(Random(5), players.IN_FEW, players.near_binary, games=2)
    assert text.startswith("<|im_start|>user\nFind the number from ")
    assert text.endswith("<|im_end|>\n<|endoftext|>")
    first, second = text.split("right\nFind the number")
    assert first.count("assistant") >= 1 and second.count("assistant") >= 1


def test_no_document_shows_a_held_out_interval():
    import re

    random = Random(6)
    for _ in range(300):
        for low, high in re.findall(r"from (\d+) to (\d+)", players.everyones_document(random)):
            assert not guessing.held_out(int(low), int(high))


def test_there_are_twelve_prompts_and_half_of_them_and_more_show_an_example():
    asked = [prompt.apply(guessing.Guessing(20, 60, 33)).messages for prompt in PROMPTS]
    assert len(asked) == len({str(messages) for messages in asked}) == 12
    assert sum(len(messages) > 1 for messages in asked) == 8
    for messages in asked:
        roles = [message["role"] for message in messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
        assert "20 to 60" in messages[-1]["content"]
