"""Does a policy learn to listen where listening hardly pays? Numbers in the middle alone.

The hidden number is one of the seven in the middle of its interval, and everything else is as it
was.  Seven guesses find it without a word of feedback; listening saves a guess or two.

``python -m course_utils.agents.experiments.guessing_middle`` trains the base model there with
each seed, as notebook 08 does live where the number may lie anywhere.
``models/nano/runs/guessing-middle.csv`` has how the base, the shipped policy (numbers anywhere,
seed 1) and these policies play in both worlds, with true answers and with a coin's.  A finished
run is left alone; a stopped one goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from tokenizers import Tokenizer

from course_utils.agents import grpo, guessing, measure
from course_utils.agents.experiments import guessing_rl
from course_utils.agents.guessing import GUESSES, Guessing
from course_utils.logs import read_log, write_log
from course_utils.nano import export
from course_utils.nano.experiments import runs
from course_utils.nano.experiments.runs import SEEDS
from course_utils.nano.model import Transformer
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder

NAME = "guessing-middle"

SETTINGS = guessing_rl.SETTINGS | {"steps": 40}
"""Those of ``guessing_rl``, for as many steps as notebook 08 trains live."""

MIDDLE, ANYWHERE = "the middle", "anywhere"
"""Where the hidden number may lie."""

TRUE, COIN = "true", "a coin's"


def middled(episode: Guessing, random: Random) -> Guessing:
    """The same episode, its number moved to one of the seven in the middle."""
    first = (episode.low + episode.high - GUESSES + 1) // 2
    return replace(episode, secret=first + random.randrange(GUESSES))


def draw(random: Random) -> Guessing:
    """An episode to train on."""
    return middled(guessing.draw(random), random)


def exam(n: int, where: str, answers: str) -> list[Guessing]:
    """``n`` episodes on held-out intervals, the same ones in both worlds but for the number."""
    episodes = guessing.exam(n, guessing_rl.EXAM, noise=answers == COIN)
    random = Random("in the middle")
    return [middled(e, random) for e in episodes] if where == MIDDLE else episodes


def measured(
    policy: str,
    seed: int | str,
    model: Transformer,
    tokenizer: Tokenizer,
    episodes: int = guessing_rl.EXAMINED,
) -> list[dict]:
    """A row for each world and kind of answer, played with the likeliest tokens."""
    rows = []
    for where in (MIDDLE, ANYWHERE):
        for answers in (TRUE, COIN):
            score = measure.score_policy(model, tokenizer, exam(episodes, where, answers))
            about = {"policy": policy, "seed": seed, "where": where, "answers": answers}
            rows.append(about | guessing_rl.row(score))
            print(rows[-1], flush=True)
    return rows


def trained(seed: int, tokenizer: Tokenizer, **changes) -> Transformer:
    """The base model after training in the middle; ``changes`` go to the settings."""
    model = export.from_gguf(nano_folder() / "guesser.gguf")
    settings = grpo.Settings(seed=seed, **(SETTINGS | changes))
    state_file = runs.cache_folder() / f"{NAME}-{seed}.pt"
    for record in grpo.train(model, tokenizer, draw, settings, state_file=state_file):
        if record["step"] % guessing_rl.EVERY == 0:
            print(seed, {**record, "example": None}, flush=True)
    return model


def main(arguments: Sequence[str] | None = None) -> None:
    seeds = runs.choose(__doc__, arguments, seed=SEEDS).seed
    path, tokenizer = runs.log_path(NAME), load()
    rows = read_log(path)
    policies = {
        ("base", ""): lambda: export.from_gguf(nano_folder() / "guesser.gguf"),
        ("reinforced, anywhere", 1): lambda: export.from_gguf(nano_folder() / "guesser-rl.gguf"),
    }
    for seed in seeds:
        policies["reinforced, the middle", seed] = lambda seed=seed: trained(seed, tokenizer)
    for (policy, seed), model in policies.items():
        if not any((row["policy"], row["seed"]) == (policy, seed) for row in rows):
            rows += measured(policy, seed, model(), tokenizer)
            write_log(path, rows)


if __name__ == "__main__":
    main()
