"""Where can a rerun of the recipe begin? At the first seed's cold-started model, kept as a file.

``python -m course_utils.nano.experiments.recipe_model`` writes ``models/nano/recipe-cold.gguf`` and
its card after the recipe has run with seed 1, whose saved models it reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from course_utils import command_line
from course_utils.nano import cards, export, pretrain
from course_utils.nano.experiments import recipe, recipe_tasks, runs, sums
from course_utils.nano.tokenizer import load as load_tokenizer
from course_utils.paths import nano_folder

NAME = "recipe-cold"
SEED = 1
SUMS = 500


def write(state: Path, folder: Path) -> dict:
    """Export a saved cold-started model and measure it through llama.cpp; returns its card."""
    tokenizer, path = load_tokenizer(), folder / f"{NAME}.gguf"
    model = pretrain.new_model(recipe.SHAPE, SEED)
    model.load_state_dict(torch.load(state))
    about = export.About(
        "nano recipe, cold start", "A tiny model after its cold start, before any reward."
    )
    export.to_gguf(model, tokenizer, path, about, half=True)
    log = recipe.read_log("pretraining", SEED, folder / "runs")
    facts = {
        "title": "nano recipe, cold start",
        "summary": "Where reinforcement learning begins in the recipe of two stages: it has read "
        "right and wrong ways to work sums, write programs and follow instructions, and then a "
        "few careful solutions in maths and code.",
        "made_from": "random weights",
        "command": f"python -m course_utils.nano.experiments.recipe --seed {SEED}, then "
        "python -m course_utils.nano.experiments.recipe_model",
        "seconds": log[-1]["seconds"],
        "cores": 1,
        "training": asdict(recipe.PRETRAINING)
        | {"seed": SEED}
        | {f"cold_start_{name}": value for name, value in asdict(recipe.COLD_START).items()},
        "data": dict(recipe_tasks.SHARES),
    }
    exam = {"addition-en-2, held out": sums.exam(SUMS)}
    return cards.write_card(path, facts, exam, max_tokens=recipe_tasks.MAX_TOKENS)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_line.parser(__doc__)
    parser.parse_args(arguments)
    state = runs.cache_folder() / f"recipe-cold-{SEED}.pt"
    if not state.exists():
        parser.error(
            f"there is no {state.name} yet: run the recipe first, with "
            f"python -m course_utils.nano.experiments.recipe --seed {SEED}"
        )
    print(write(state, nano_folder()))


if __name__ == "__main__":
    command_line.start(main)
