"""Where does the reinforcement learning of notebook 08 begin? A base model that has read games.

``python -m course_utils.agents.experiments.guesser`` pretrains it in three stages, first on the
games of players who listen, asked in one way and then in several, and at last on everybody's.  It
writes ``models/nano/guesser.gguf`` with its card.  A run that was stopped goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from course_utils import command_line
from course_utils.agents import players
from course_utils.agents.rollout import CHAT_TEMPLATE
from course_utils.logs import read_log
from course_utils.nano import cards, export, pretrain
from course_utils.nano.experiments import runs
from course_utils.nano.model import Shape, Transformer
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder

NAME = "guesser"
SEED = 1
SHAPE = Shape(width=64, layers=4, heads=4, kv_heads=2, ffn_width=128, context=384)

LISTENING = pretrain.Settings(
    steps=2200,
    tokens_per_step=3072,
    row_length=192,
    long_share=0.0,
    learning_rate=4e-3,
    evaluate_every=100,
    seed=SEED,
)
"""The first stage: how to listen is learnt fastest from those who do."""

ASKING = replace(LISTENING, steps=400, tokens_per_step=3840, row_length=320, learning_rate=1.5e-3)
"""The second stage: the same players, asked in other words, and for another game."""

READING = replace(ASKING, steps=200, learning_rate=5e-4)
"""The last stage: everybody's games, as they come."""

STAGES = {
    "listening": (LISTENING, players.listeners_document),
    "asking": (ASKING, players.asked_document),
    "reading": (READING, players.everyones_document),
}


def stages(folder: Path, before: str = "") -> Iterator[tuple[str, Transformer, float]]:
    """Pretrain, stopping after each stage: its name, the model by then, the seconds it took.

    It is one model, which the next stage goes on with; states lie in ``folder``.  ``before``: the
    stage to stop before, if any.
    """
    model, tokenizer = pretrain.new_model(SHAPE, SEED), load()
    for stage, (settings, document) in STAGES.items():
        if stage == before:
            return
        state_file, log_file = (folder / f"{NAME}-{stage}.{kind}" for kind in ("pt", "csv"))
        run = pretrain.pretrain(
            model, tokenizer, settings, document=document, state_file=state_file, log_file=log_file
        )
        yield stage, model, follow(run, stage, log_file)


def pretrained(folder: Path) -> tuple[Transformer, float]:
    """The base model after all stages, and the seconds they took."""
    done = list(stages(folder))
    return done[-1][1], sum(seconds for _, _, seconds in done)


def follow(run: Iterator[dict], label: str, log_file: Path) -> float:
    """Carry a run to its end, printing its losses; gives the seconds that it took, from its log."""
    for record in run:
        if "held_out_loss" in record:
            seconds = f"{record['seconds']:.0f} s"
            print(label, record["step"], record["held_out_loss"], seconds, flush=True)
    return read_log(log_file)[-1]["seconds"]


def main(arguments: Sequence[str] | None = None) -> None:
    runs.choose(__doc__, arguments)
    path = nano_folder() / f"{NAME}.gguf"
    if runs.there(path):
        return
    states = runs.cache_folder()
    model, seconds = pretrained(states)
    about = export.About("nano guesser", "A very small base model that has read guessing games.")
    export.to_gguf(model, load(), path, about, half=True, template=CHAT_TEMPLATE)
    facts = {
        "title": "nano guesser",
        "summary": "Has read games of guessing a number: first those of players who use what they "
        "are told, then everybody's, most of whom do not. It has been pretrained only, and is "
        "where the live training of notebook 08 begins.",
        "made_from": "random weights",
        "command": "python -m course_utils.agents.experiments.guesser",
        "seconds": seconds,
        "cores": 1,
        "training": {
            f"{stage}_{name}": value
            for stage, (settings, _) in STAGES.items()
            for name, value in asdict(settings).items()
        },
        "data": {f"asked {wording!r}": share for wording, (share, _) in players.EVERYONE.items()},
        "tests": "How often it finds the number is in `runs/guessing-policies.csv`.",
    }
    cards.write_card(path, facts, {})


if __name__ == "__main__":
    command_line.start(main)
