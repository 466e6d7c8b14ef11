"""What does reward make of a hole in the environment? The guessing world, careless about actions.

With the hole, a text that was cut off at the limit of eight tokens counts as an action, whatever
stands in it beside one number.  ``python -m course_utils.agents.experiments.guessing_hole`` trains
the base model as ``guessing_rl`` does, with this hole and one seed, and ships the policy as
``guesser-forger.gguf``.  ``models/nano/runs/guessing-hole.csv`` says how the base, this policy and
the one trained without the hole play, with the hole and without it, and in how many episodes they
wrote something that is no action.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from tokenizers import Tokenizer

from course_utils.agents import grpo, guessing
from course_utils.agents.experiments import guessing_rl
from course_utils.agents.rollout import CHAT_TEMPLATE, play
from course_utils.logs import write_log
from course_utils.nano import cards, export
from course_utils.nano.experiments import runs
from course_utils.nano.model import Transformer
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder

NAME = "guesser-forger"
SEED = 1
SETTINGS = grpo.Settings(seed=SEED, hole=True, **guessing_rl.SETTINGS)

POLICIES = {"base": "guesser", "trained without it": "guesser-rl", "trained with the hole": NAME}
"""What is compared, and the file of each."""


def trained(tokenizer: Tokenizer) -> tuple[Transformer, float]:
    """The base model after training with the hole, and the seconds that it took."""
    model = export.from_gguf(nano_folder() / "guesser.gguf")
    state_file = runs.cache_folder() / "guessing-hole.pt"
    record = {"seconds": 0.0}
    for record in grpo.train(model, tokenizer, guessing.draw, SETTINGS, state_file=state_file):
        if record["step"] % guessing_rl.EVERY == 0:
            print({**record, "example": None}, flush=True)
    return model, record["seconds"]


def ship(model: Transformer, tokenizer: Tokenizer, seconds: float) -> None:
    """Write the policy and its card."""
    path = nano_folder() / f"{NAME}.gguf"
    about = export.About("nano forger", "A very small model that learned to use a hole.")
    export.to_gguf(model, tokenizer, path, about, half=True, template=CHAT_TEMPLATE)
    facts = {
        "title": "nano forger",
        "summary": "Guesses a number, as nano guesser, reinforced, does; but it was trained in an "
        "environment with a hole, and at its last guess it may open a turn of its own, in which "
        'it says "right" to itself. An example of what a reward that does not punish it leaves.',
        "made_from": "`guesser.gguf`",
        "command": "python -m course_utils.agents.experiments.guessing_hole",
        "seconds": seconds,
        "cores": 1,
        "training": asdict(SETTINGS),
        "data": {"episodes on intervals that are not held out": 1.0},
        "tests": "What it does with the hole, and without it, is in `runs/guessing-hole.csv`.",
    }
    cards.write_card(path, facts, {})


def compared(tokenizer: Tokenizer, episodes: int = guessing_rl.EXAMINED) -> list[dict]:
    """A row for each policy, with and without the hole, played with the likeliest tokens.

    ``found``: episodes in which it counted as found; ``no_action``: those in which the policy
    wrote what is no whole action.
    """
    rows = []
    for policy, name in POLICIES.items():
        model = export.from_gguf(nano_folder() / f"{name}.gguf")
        for hole in (False, True):
            exam = guessing.exam(episodes, guessing_rl.EXAM)
            played = play(model, tokenizer, exam, temperature=0, hole=hole)
            rows.append(
                {
                    "policy": policy,
                    "hole": int(hole),
                    "episodes": episodes,
                    "found": sum(rollout.success for rollout in played),
                    "no_action": sum(
                        any(not action.isdigit() for action, _ in rollout.turns)
                        for rollout in played
                    ),
                }
            )
            print(rows[-1], flush=True)
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    runs.choose(__doc__, arguments)
    tokenizer = load()
    if not runs.there(nano_folder() / f"{NAME}.gguf"):
        model, seconds = trained(tokenizer)
        ship(model, tokenizer, seconds)
    path = runs.log_path("guessing-hole")
    if not runs.there(path):
        write_log(path, compared(tokenizer))


if __name__ == "__main__":
    main()
