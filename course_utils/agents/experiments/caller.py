"""Which model calls tools in notebook 08? A nano model that has read errands for a calculator.

``python -m course_utils.agents.experiments.caller`` pretrains it and writes
``models/nano/caller.gguf`` with its card.  A run that was stopped goes on where it was.
"""

from __future__ import annotations

from dataclasses import asdict, replace

import torch

from course_utils.agents import errands
from course_utils.agents.experiments.guesser import follow
from course_utils.nano import cards, export, pretrain
from course_utils.nano.model import Shape
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder, repository_root

NAME = "caller"
SHAPE = Shape(width=64, layers=4, heads=4, kv_heads=2, ffn_width=128, context=512)
PRACTISING = pretrain.Settings(
    steps=500,
    tokens_per_step=3072,
    row_length=128,
    long_share=0.0,
    learning_rate=4e-3,
    evaluate_every=50,
)
"""The first stage: to copy numbers."""

RUNNING = replace(PRACTISING, steps=700, row_length=256, learning_rate=2e-3)
"""The second stage: errands."""

STAGES = {
    "practising": (PRACTISING, errands.practice_document),
    "running": (RUNNING, errands.document),
}


def main() -> None:
    path = nano_folder() / f"{NAME}.gguf"
    if path.exists():
        print(f"{path.name} is there: delete it to pretrain it again.")
        return
    torch.set_num_threads(1)
    states = repository_root() / ".cache" / "nano"
    states.mkdir(parents=True, exist_ok=True)
    model, pieces, seconds = pretrain.new_model(SHAPE, PRACTISING.seed), load(), 0.0
    for stage, (settings, document) in STAGES.items():
        state_file, log_file = (states / f"{NAME}-{stage}.{kind}" for kind in ("pt", "csv"))
        run = pretrain.pretrain(
            model, pieces, settings, document=document, state_file=state_file, log_file=log_file
        )
        seconds += follow(run, stage, log_file)
    about = export.About("nano caller", "A very small model that calls a calculator.")
    export.to_gguf(model, pieces, path, about, half=True, template=errands.CHAT_TEMPLATE)
    facts = {
        "title": "nano caller",
        "summary": "Has practised copying numbers, and read errands: requests, the calls of a "
        "calculator that they need, the results and the answers. It has been pretrained only, and "
        "works nothing out itself.",
        "made_from": "random weights",
        "command": "python -m course_utils.agents.experiments.caller",
        "seconds": seconds,
        "cores": 1,
        "training": {
            f"{stage}_{name}": value
            for stage, (settings, _) in STAGES.items()
            for name, value in asdict(settings).items()
        },
        "data": errands.SHARES,
        "tests": "Its calls are scored in notebook 08.",
    }
    cards.write_card(path, facts, {})


if __name__ == "__main__":
    main()
