"""Who plays before any policy learns? Players with habits; a base model reads their games.

Most of them ignore what they are told.  Some pick any number that is still possible, and a few
pick one near the middle.  None halves the interval exactly: ``binary_search`` is what the others
are measured by, and is in no document of the corpus.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from course_utils.agents.guessing import GUESSES, HIGHER, PROMPT, RIGHT, TRAINING, Guessing
from course_utils.agents.rollout import conversation
from course_utils.engines.protocol import Message
from course_utils.nano.tokenizer import END_OF_TEXT

Player = Callable[[Random, int, int, Sequence[int], Sequence[str]], int]
"""(random, low, high, guesses so far, answers to them) to the next guess."""


def open_interval(low: int, high: int, guesses: Sequence[int], answers: Sequence[str]):
    """The numbers still possible after these answers, as (lowest, highest)."""
    for guess, told in zip(guesses, answers, strict=True):
        if told.startswith(HIGHER):
            low = max(low, guess + 1)
        else:
            high = min(high, guess - 1)
    return low, high


def binary_search(random, low, high, guesses, answers) -> int:
    """Halve what is left: no strategy needs fewer guesses on average."""
    return sum(open_interval(low, high, guesses, answers)) // 2


def near_binary(random, low, high, guesses, answers) -> int:
    """Somewhere around the middle of what is left."""
    low, high = open_interval(low, high, guesses, answers)
    slack = (high - low) // 8
    return random.randint((low + high) // 2 - slack, (low + high) // 2 + slack)


def possible(random, low, high, guesses, answers) -> int:
    """Any number that is still possible."""
    return random.randint(*open_interval(low, high, guesses, answers))


def anything(random, low, high, guesses, answers) -> int:
    """Any number of the interval, whatever was answered."""
    return random.randint(low, high)


def upwards(random, low, high, guesses, answers) -> int:
    """One number after the other, from some number on."""
    if not guesses:
        return random.randint(low, high - GUESSES)
    return min(high, guesses[-1] + 1)


def play(episode: Guessing, player: Player, random: Random) -> list[tuple[str, str]]:
    """Let a player finish an episode; gives (action, answer) of each turn."""
    turns: list[tuple[str, str]] = []
    while not (turns and (turns[-1][1] == RIGHT or len(turns) == GUESSES)):
        answers = [told for _, told in turns]
        guess = player(random, episode.low, episode.high, episode.guesses, answers)
        turns.append((str(guess), episode.step(str(guess)).text))
    return turns


# ---- documents ----------------------------------------------------------------------------

IN_FEW = "Find the number from {low} to {high} in few guesses."
WHICH = "Which number from {low} to {high} do I think of?"
TOGETHER = "Let us play: a number from {low} to {high}."

LISTENERS: dict[Player, float] = {possible: 0.35, near_binary: 0.65}
"""Players who use what they are told."""

EVERYONE: dict[str, tuple[float, dict[Player, float]]] = {
    PROMPT: (0.45, {anything: 0.42, upwards: 0.28, possible: 0.14, near_binary: 0.16}),
    TOGETHER: (0.15, {anything: 0.42, upwards: 0.28, possible: 0.14, near_binary: 0.16}),
    WHICH: (0.20, {anything: 0.70, upwards: 0.10, possible: 0.10, near_binary: 0.10}),
    IN_FEW: (0.20, {anything: 0.15, upwards: 0.10, possible: 0.35, near_binary: 0.40}),
}
"""For each wording its share of the games, and who plays them: as in any corpus, how one asks
says something about who answers."""

ANOTHER_GAME = 0.2
"""Chance that a player goes on with another game in the same document."""


def listeners_document(random: Random) -> str:
    """A document of the first stage of pretraining: one game of a player who listens."""
    return document(random, PROMPT, _pick(random, LISTENERS), games=1)


def asked_document(random: Random) -> str:
    """A document of the second stage: one or two games of listeners, asked in every way."""
    return document(random, _wording(random), _pick(random, LISTENERS), _games(random))


def everyones_document(random: Random) -> str:
    """A document of the last stage: one or two games of anybody."""
    wording = _wording(random)
    return document(random, wording, _pick(random, EVERYONE[wording][1]), _games(random))


def document(random: Random, wording: str, player: Player, games: int) -> str:
    """Games of one player, as one conversation that ends with the last guess."""
    messages: list[Message] = []
    for _ in range(games):
        low, high = random.choice(TRAINING)
        asked = asking(wording, messages)
        messages = game(Guessing(low, high, random.randint(low, high), **asked), player, random)
    return conversation(messages[:-1]) + END_OF_TEXT


def asking(wording: str, messages: Sequence[Message] = ()) -> dict:
    """How an episode is asked after an earlier game, as fields of ``Guessing``."""
    if not messages:
        return {"wording": wording}
    *before, last = messages
    return {"wording": f"{last['content']}\n{wording}", "before": tuple(before)}


def game(episode: Guessing, player: Player, random: Random) -> list[Message]:
    """A whole game as messages, from the question to the answer to the last guess."""
    messages = list(episode.messages)
    for action, said in play(episode, player, random):
        messages += [{"role": "assistant", "content": action}, {"role": "user", "content": said}]
    return messages


def _wording(random: Random) -> str:
    return _pick(random, {wording: share for wording, (share, _) in EVERYONE.items()})


def _games(random: Random) -> int:
    return 1 + (random.random() < ANOTHER_GAME)


def _pick(random: Random, shares: dict):
    return random.choices(list(shares), list(shares.values()))[0]
