"""How is a draft for the nano thinker made? A fifth of its size, taught by its own replies.

``python -m course_utils.nano.experiments.draft`` lets the thinker answer training problems, trains
a small model on what it wrote, and writes ``models/nano/draft.gguf`` with its card.  A draft need
not be right: it has to guess what this one model will write.  (Zhou et al. 2023, DistillSpec,
arXiv 2310.08461, find the same for large models.)  Takes some three minutes on one core.
"""

from __future__ import annotations

from dataclasses import asdict
from random import Random

import torch
from tokenizers import Tokenizer

from course_utils import command_line
from course_utils.logs import read_log
from course_utils.nano import cards, corpus, export, make, measure, pretrain
from course_utils.nano.experiments import runs
from course_utils.nano.model import Shape
from course_utils.nano.tokenizer import END_OF_TEXT, load, render
from course_utils.paths import nano_folder
from course_utils.progress import Progress

SHAPE = Shape(layers=2, width=128, ffn_width=256)
SETTINGS = pretrain.Settings(
    steps=1200,
    tokens_per_step=2048,
    row_length=128,
    long_share=0.0,
    learning_rate=3e-3,
    seed=1,
    evaluate_every=100,
)
REPLIES, AT_ONCE = 8192, 256
MAX_TOKENS = 96


def taught(tokenizer: Tokenizer) -> list[str]:
    """Questions with what the thinker wrote to them, at temperature 1."""
    thinker = export.from_gguf(nano_folder() / "thinker.gguf")
    random, texts = Random("draft"), []
    with Progress("asking the thinker", REPLIES, " questions") as progress:
        for seed in range(REPLIES // AT_ONCE):
            problems = [make.draw_thinker_problem(random) for _ in range(AT_ONCE)]
            replies, _ = runs.replies(
                thinker, tokenizer, problems, max_tokens=MAX_TOKENS, generator=seed
            )
            texts += [
                render(problem.question) + reply + END_OF_TEXT
                for problem, reply in zip(problems, replies, strict=True)
            ]
            progress.reach(len(texts))
    return texts


def main() -> None:
    torch.set_num_threads(1)
    tokenizer = load()
    state, log = runs.cache_folder() / "draft-state.pt", nano_folder() / "draft-pretraining.csv"
    texts = taught(tokenizer)
    model = pretrain.new_model(SHAPE, SETTINGS.seed)
    runs.read_corpus(
        model,
        tokenizer,
        SETTINGS,
        lambda random: random.choice(texts),
        state_file=state,
        log_file=log,
    )
    path = nano_folder() / "draft.gguf"
    about = export.About("nano draft", "A very small model that guesses what the thinker writes.")
    export.to_gguf(model, tokenizer, path, about, half=True)
    facts = {
        "title": "nano draft",
        "summary": "Has read nothing but what the nano thinker wrote, right or wrong. It proposes "
        "tokens that the thinker checks several at a time (speculative decoding, notebook 06). "
        "Alone it is often wrong.",
        "made_from": "random weights, and replies of `thinker.gguf`",
        "command": "python -m course_utils.nano.experiments.draft",
        "seconds": read_log(log)[-1]["seconds"],
        "cores": 1,
        "training": {"tokens": SETTINGS.steps * SETTINGS.tokens_per_step, "replies": REPLIES}
        | asdict(SETTINGS),
        "data": make.THINKER_TASKS | {"english": corpus.Shares().english},
    }
    cards.write_card(path, facts, {measure.HEADLINE: 500})
    state.unlink(missing_ok=True)


if __name__ == "__main__":
    command_line.refuse_arguments(__doc__)
    command_line.start(main)
