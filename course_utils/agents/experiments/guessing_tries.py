"""Did reward discover how to halve, or select it? Many tries of the base, and of what reward made.

Each policy plays each of a hundred held-out episodes 32 times, its guesses drawn at temperature 1:
the base, asked plainly and by the best of twelve prompts for drawn guesses, the reinforced policy
that is shipped (seed 1), and three players of the base's corpus.  The base also plays at the
temperature between 0 and 1, and with the prompt, that suit it best (``guessing_temperatures``).
Of each episode's tries, ``models/nano/runs/guessing-tries.csv`` counts how many found the number,
within each number of guesses, and how many found it while every guess narrowed the interval
(``narrowing``), which luck alone hardly does.

``guessing-foretold.csv`` asks the other way round: for each guess that the reinforced policy makes
with its likeliest tokens, how likely was that very guess under the base, given the same game so
far?

``python -m course_utils.agents.experiments.guessing_tries`` makes both from the shipped models, in
some minutes on one core, without any training.  A policy that is there already is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import torch
from tokenizers import Tokenizer

from course_utils.agents import grpo, guessing, players
from course_utils.agents.environment import NO_ACTION
from course_utils.agents.experiments import guessing_rl, guessing_temperatures
from course_utils.agents.experiments.guessing_prompts import PROMPTS
from course_utils.agents.narrowing import left_by, narrows
from course_utils.agents.rollout import play
from course_utils.logs import read_log, write_log
from course_utils.nano import export
from course_utils.nano.experiments import runs
from course_utils.nano.model import Transformer
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder

EPISODES, TRIES = 100, 32
BATCH = 5  # episodes played at once, all their tries side by side

Game = tuple[list[tuple[str, str]], bool]
"""The turns of one try as (guess, answer), and whether it found the number."""

PLAYERS: dict[str, players.Player] = {
    "a player who ignores the answers": players.anything,
    "a player who only listens": players.possible,
    "a player near the middle": players.near_binary,
}


def counted(policy: str, number: int, episode: guessing.Guessing, games: Sequence[Game]) -> dict:
    """A row: what the games of one policy in one episode came to.

    ``found_by_N``: how many found the number within N guesses; ``narrowed``: how many found it
    with guesses that all narrowed the interval; ``left``: the mean over all guesses of all games
    of the share that a guess may leave, where an action that is no number leaves all.
    """
    shares, narrowed, lengths = [], 0, []
    for turns, found in games:
        numbers = taken(turns)
        each = left_by(episode.low, episode.high, numbers)
        each += [1.0] * (len(turns) - len(numbers))
        shares += each
        narrowed += found and narrows(each)
        lengths += [len(turns)] if found else []
    within = range(1, guessing.GUESSES + 1)
    return {
        "policy": policy,
        "episode": number,
        "low": episode.low,
        "high": episode.high,
        "secret": episode.secret,
        "tries": len(games),
        **{f"found_by_{n}": sum(length <= n for length in lengths) for n in within},
        "narrowed": narrowed,
        "left": round(sum(shares) / len(shares), 4),
    }


def taken(turns: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The turns in which the environment took a number, each with the number alone."""
    return [
        (str(guessing.read_guess(action)), told)
        for action, told in turns
        if told not in (guessing.OUT, NO_ACTION.text)
    ]


def by_model(
    model: Transformer,
    tokenizer: Tokenizer,
    prompt: Callable | None = None,
    temperature: float = 1.0,
) -> Callable[[Sequence[guessing.Guessing]], list[list[Game]]]:
    """Plays ``TRIES`` games of each episode with a model; ``prompt`` says how it is asked."""
    generator = torch.Generator().manual_seed(1)

    def games(episodes: Sequence[guessing.Guessing]) -> list[list[Game]]:
        fresh = [new(episode) for episode in episodes for _ in range(TRIES)]
        asked = [prompt(episode) for episode in fresh] if prompt else fresh
        played = [
            (rollout.turns, rollout.success)
            for rollout in play(
                model, tokenizer, asked, temperature=temperature, generator=generator
            )
        ]
        return [played[start : start + TRIES] for start in range(0, len(played), TRIES)]

    return games


def by_player(
    player: players.Player,
) -> Callable[[Sequence[guessing.Guessing]], list[list[Game]]]:
    """Plays ``TRIES`` games of each episode with a player of the corpus."""
    random = Random(1)

    def games(episodes: Sequence[guessing.Guessing]) -> list[list[Game]]:
        return [
            [
                (turns, turns[-1][1] == guessing.RIGHT)
                for turns in (players.play(new(episode), player, random) for _ in range(TRIES))
            ]
            for episode in episodes
        ]

    return games


def new(episode: guessing.Guessing) -> guessing.Guessing:
    """The same episode, not yet begun."""
    return guessing.Guessing(episode.low, episode.high, episode.secret)


@torch.no_grad()
def foretold(
    base: Transformer, reinforced: Transformer, tokenizer: Tokenizer, count: int = EPISODES
) -> list[dict]:
    """A row for each guess of the reinforced policy's greedy games: how likely under either model.

    ``base`` and ``reinforced``: the probability that each gives to the whole guess, its end
    included, in the game so far.  ``open``: how many numbers were still possible.
    """
    episodes = guessing.exam(count, guessing_rl.EXAM)
    rollouts = play(reinforced, tokenizer, [new(e) for e in episodes], temperature=0)
    rows = []
    for number, (episode, rollout) in enumerate(zip(episodes, rollouts, strict=True)):
        turn_of = torch.tensor(rollout.turn_numbers()[1:])
        own = (turn_of >= 0)[None]
        chances = {}
        for name, model in {"base": base, "reinforced": reinforced}.items():
            each = grpo.own_log_probabilities(model, [rollout], own)
            whole = torch.zeros(len(rollout.turns)).index_add_(0, turn_of[own[0]], each)
            chances[name] = whole.exp().tolist()
        numbers = taken(rollout.turns)
        left = left_by(episode.low, episode.high, numbers)
        for turn, (guess, _) in enumerate(numbers):
            told = [answer for _, answer in numbers[:turn]]
            guesses = [int(guess) for guess, _ in numbers[:turn]]
            bottom, top = players.open_interval(episode.low, episode.high, guesses, told)
            rows.append(
                {
                    "episode": number,
                    "turn": turn + 1,
                    "guess": guess,
                    "open": top - bottom + 1,
                    "left": round(left[turn], 4),
                    **{name: round(values[turn], 6) for name, values in chances.items()},
                }
            )
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    runs.choose(__doc__, arguments)
    tokenizer, folder = load(), nano_folder()
    base, reinforced = (export.from_gguf(folder / f"{n}.gguf") for n in ("guesser", "guesser-rl"))
    number, _ = guessing_rl.choose_prompt(base, tokenizer, folder / "runs", ["drawn"])
    temperatures = read_log(runs.log_path(guessing_temperatures.NAME))
    suited, temperature = guessing_temperatures.chosen(temperatures, between=True)
    policies = {
        "base": by_model(base, tokenizer),
        "base, best prompt": by_model(base, tokenizer, PROMPTS[number].apply),
        "base, best temperature": by_model(base, tokenizer, PROMPTS[suited].apply, temperature),
        "reinforced": by_model(reinforced, tokenizer),
        **{name: by_player(player) for name, player in PLAYERS.items()},
    }
    path = runs.log_path("guessing-tries")
    rows = read_log(path)
    episodes = guessing.exam(EPISODES, guessing_rl.EXAM)
    for policy, games in policies.items():
        if any(row["policy"] == policy for row in rows):
            continue
        for start in range(0, EPISODES, BATCH):
            part = episodes[start : start + BATCH]
            for at, (episode, played) in enumerate(zip(part, games(part), strict=True)):
                rows.append(counted(policy, start + at, episode, played))
            print(policy, rows[-1], flush=True)
        write_log(path, rows)
    path = runs.log_path("guessing-foretold")
    if not runs.there(path):
        write_log(path, foretold(base, reinforced, tokenizer))


if __name__ == "__main__":
    main()
