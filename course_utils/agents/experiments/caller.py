"""Which model calls tools in notebook 08? A nano model that has read errands.

``python -m course_utils.agents.experiments.caller`` pretrains it and writes
``models/nano/caller.gguf`` with its card.  A run that was stopped goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from course_utils import command_line
from course_utils.agents import errands
from course_utils.agents.experiments.guesser import follow
from course_utils.nano import cards, export, pretrain
from course_utils.nano.experiments import runs
from course_utils.nano.model import Shape
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder

NAME = "caller"
SHAPE = Shape(width=64, layers=4, heads=4, kv_heads=2, ffn_width=128, context=512)
SETTINGS = pretrain.Settings(
    steps=1600,
    tokens_per_step=2048,
    row_length=192,
    long_share=0.0,
    learning_rate=4e-3,
    evaluate_every=50,
)


def main(arguments: Sequence[str] | None = None) -> None:
    runs.choose(__doc__, arguments)
    path = nano_folder() / f"{NAME}.gguf"
    if runs.there(path):
        return
    states = runs.cache_folder()
    model, pieces = pretrain.new_model(SHAPE, SETTINGS.seed), load()
    files = {kind: states / f"{NAME}.{kind}" for kind in ("pt", "csv")}
    run = pretrain.pretrain(
        model,
        pieces,
        SETTINGS,
        document=errands.document,
        state_file=files["pt"],
        log_file=files["csv"],
    )
    seconds = follow(run, NAME, files["csv"])
    about = export.About("nano caller", "A very small model that calls a tool.")
    export.to_gguf(model, pieces, path, about, half=True, template=errands.CHAT_TEMPLATE)
    facts = {
        "title": "nano caller",
        "summary": "Has read errands: requests, the calls of a tool for the weather that they "
        "need, the results and the answers. It has been pretrained only.",
        "made_from": "random weights",
        "command": "python -m course_utils.agents.experiments.caller",
        "seconds": seconds,
        "cores": 1,
        "training": asdict(SETTINGS),
        "data": errands.SHARES,
        "tests": "Its calls are scored in notebook 08.",
    }
    cards.write_card(path, facts, {})


if __name__ == "__main__":
    command_line.start(main)
