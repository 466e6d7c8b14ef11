"""What does the live training begin with? One base model of the laboratory of sums, shipped.

``python -m course_utils.nano.experiments.small_base`` pretrains it, and writes
``models/nano/small-base.gguf`` with its card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import torch

from course_utils import command_line
from course_utils.nano import cards, export, pretrain
from course_utils.nano.experiments import runs, sums
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder

SIZE, SEED = "0.7M", 3


def main(arguments: Sequence[str] | None = None) -> None:
    command_line.refuse_arguments(__doc__, arguments)
    torch.set_num_threads(1)
    tokenizer = load()
    settings = sums.pretraining(SIZE, seed=SEED)
    model = pretrain.new_model(sums.SIZES[SIZE].shape, SEED)
    state = runs.cache_folder() / "small-base-state.pt"
    for record in pretrain.pretrain(
        model, tokenizer, settings, document=sums.document, state_file=state
    ):
        if record["step"] % 100 == 0:
            print(record, flush=True)
    state.unlink(missing_ok=True)
    path = nano_folder() / "small-base.gguf"
    about = export.About("nano small base", "A very small base model that has read sums only.")
    export.to_gguf(model, tokenizer, path, about, half=True)
    worked = (1 - sums.SMALL_SHARE) * (1 - sums.TEXTBOOK_SHARE)
    facts = {
        "title": "nano small base",
        "summary": "Has read sums, all of them right: with their working where the question asks "
        "for it, otherwise mostly the bare answer. It has been pretrained only, and is where the "
        "live training of notebook 03 begins.",
        "made_from": "random weights",
        "command": "python -m course_utils.nano.experiments.small_base",
        "seconds": record["seconds"],
        "cores": 1,
        "training": {"tokens": settings.steps * settings.tokens_per_step} | asdict(settings),
        "data": {
            "one_digit_bare_answers": sums.SMALL_SHARE,
            "working_asked_for": (1 - sums.SMALL_SHARE) * sums.TEXTBOOK_SHARE,
            "working_all_the_same": worked * sums.WORKED_SHARE,
            "two_digits_bare_answers": worked * (1 - sums.WORKED_SHARE),
        },
        "tests": "The test holds sums of two-digit numbers; none of its pairs is in the training "
        "data.",
    }
    cards.write_card(path, facts, {"sums-2": sums.exam(500)})


if __name__ == "__main__":
    command_line.start(main)
