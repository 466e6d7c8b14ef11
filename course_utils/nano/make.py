"""How is every shipped nano model made again? ``python -m course_utils.nano.make`` (``make nano``).

Makes the tokenizer, then the base model, the thinker and the mixture of experts, with their logs
and cards, in ``models/nano/``.  A run that was stopped goes on where it was; ``--only base`` makes
one part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from tqdm import tqdm

from course_utils import command_line
from course_utils.logs import read_log
from course_utils.machine import usable_cores
from course_utils.nano import cards, corpus, export, grpo, measure, moe_training, pretrain, tasks
from course_utils.nano.experiments.runs import cache_folder
from course_utils.nano.model import Shape, Transformer, qwen3
from course_utils.nano.tokenizer import load as load_tokenizer
from course_utils.nano.tokenizer import train as train_tokenizer
from course_utils.paths import nano_folder

COMMAND = "python -m course_utils.nano.make --only {}"
CARD_PROBLEMS = {test: 1000 if test == measure.HEADLINE else 500 for test in measure.TESTS}

BASE_SHAPE = Shape()
BASE_SETTINGS = pretrain.Settings(steps=520, seed=1, bfloat16=True)
BASE_SHARES = corpus.Shares()

THINKER_SETTINGS = grpo.Settings(steps=60, seed=1)
THINKER_TASKS = {"addition": 0.5, "subtraction": 0.2, "story": 0.3}

MOE_SHAPE = qwen3(experts=8, used=2, expert_width=128)
# As many tokens as the base model has read, in more and smaller steps.
MOE_SETTINGS = pretrain.Settings(
    steps=2080, tokens_per_step=2048, learning_rate=3e-3, seed=1, evaluate_every=80
)


def make_tokenizer(folder: Path) -> None:
    """Learn the tokenizer from 20,000 documents of the corpus."""
    random = Random("tokenizer")
    texts = [corpus.document(random, BASE_SHARES) for _ in range(20_000)]
    train_tokenizer(texts, BASE_SHAPE.vocabulary).save(str(folder / "tokenizer.json"))


def make_base(folder: Path) -> None:
    """Pretrain the base model."""
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    state, log_file = cache_folder() / "base.pt", folder / "base-pretraining.csv"
    model = pretrain.new_model(BASE_SHAPE, BASE_SETTINGS.seed)
    run = pretrain.pretrain(
        model,
        tokenizer,
        BASE_SETTINGS,
        document=lambda random: corpus.document(random, BASE_SHARES),
        state_file=state,
        log_file=log_file,
    )
    seconds = _follow(run, "pretraining", BASE_SETTINGS.steps, "train_loss", log_file)
    path = folder / "base.gguf"
    about = export.About(
        "nano base", "A small base model, pretrained on generated sentences and worked sums."
    )
    facts = {
        "summary": "Reads and writes short sentences in English and Chinese, and works sums with a "
        "written thought: fluently, and often wrongly, since most of the worked sums it has read "
        "forget the carries. It has been pretrained only.",
        "made_from": "random weights",
        "command": COMMAND.format("base"),
        "seconds": seconds,
        "training": {"tokens": BASE_SETTINGS.steps * BASE_SETTINGS.tokens_per_step}
        | asdict(BASE_SETTINGS),
        "data": asdict(BASE_SHARES),
    }
    _ship(model, tokenizer, path, about, facts)
    state.unlink()


def draw_thinker_problem(random: Random) -> tasks.Problem:
    """A problem for reinforcement learning, in the shares of ``THINKER_TASKS``."""
    task = random.choices(list(THINKER_TASKS), list(THINKER_TASKS.values()))[0]
    language = "en" if random.random() < BASE_SHARES.english else "zh"
    return corpus.draw_problem(random, task, language, BASE_SHARES)


def make_thinker(folder: Path) -> None:
    """Train the base model with GRPO, on rewards for right answers alone."""
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    model = export.from_gguf(folder / "base.gguf")
    state, log_file = cache_folder() / "thinker.pt", folder / "thinker-grpo.csv"
    # Other held-out problems than those the card is measured on.
    held_out = [
        problem
        for test in measure.TESTS
        for problem in measure.exam_problems(test, 32, seed=THINKER_SETTINGS.seed)
    ]
    run = grpo.train(
        model,
        tokenizer,
        draw_thinker_problem,
        THINKER_SETTINGS,
        held_out=held_out,
        state_file=state,
        log_file=log_file,
    )
    seconds = _follow(run, "GRPO", THINKER_SETTINGS.steps, "reward", log_file)
    path = folder / "thinker.gguf"
    about = export.About(
        "nano thinker", "The nano base model after reinforcement learning on checked answers."
    )
    facts = {
        "summary": "The nano base model after reinforcement learning with GRPO: only the final "
        "answer was checked, right or wrong. It has learned to note its carries. Small talk earned "
        "no reward, and some of it is forgotten: asked for a story, or in Chinese who it is, it "
        "no longer gives the base model's reply.",
        "made_from": "`base.gguf`",
        "command": COMMAND.format("thinker"),
        "seconds": seconds,
        "training": {
            "completions": THINKER_SETTINGS.steps
            * THINKER_SETTINGS.problems
            * THINKER_SETTINGS.group
        }
        | asdict(THINKER_SETTINGS),
        "data": THINKER_TASKS,
    }
    _ship(model, tokenizer, path, about, facts)
    state.unlink()


def make_moe(folder: Path) -> None:
    """Pretrain the mixture of experts on the base model's documents."""
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    state, log_file = cache_folder() / "moe.pt", folder / "moe-pretraining.csv"
    model = pretrain.new_model(MOE_SHAPE, MOE_SETTINGS.seed)
    run = moe_training.train(
        model,
        tokenizer,
        MOE_SETTINGS,
        document=lambda random: corpus.document(random, BASE_SHARES),
        state_file=state,
        log_file=log_file,
    )
    seconds = _follow(run, "pretraining", MOE_SETTINGS.steps, "train_loss", log_file)
    path = folder / "moe.gguf"
    about = export.About(
        "nano moe", "A small mixture of experts, pretrained on generated sentences and worked sums."
    )
    active = MOE_SHAPE.architecture.active_parameters()
    facts = {
        "summary": "A mixture of experts: in each layer a router sends a token to "
        f"{MOE_SHAPE.used} of {MOE_SHAPE.experts} experts, so that {active:,} parameters serve it. "
        "It has read the base model's documents, as many tokens of them, and nothing else: it "
        "works sums with a written thought, and often wrongly. It has been pretrained only.",
        "made_from": "random weights",
        "command": COMMAND.format("moe"),
        "seconds": seconds,
        "training": {"tokens": MOE_SETTINGS.steps * MOE_SETTINGS.tokens_per_step}
        | asdict(MOE_SETTINGS)
        | {
            "experts": MOE_SHAPE.experts,
            "experts_used": MOE_SHAPE.used,
            "expert_width": MOE_SHAPE.expert_width,
            "active_parameters": active,
            "balancing_loss_weight": moe_training.BALANCE,
        },
        "data": asdict(BASE_SHARES),
    }
    _ship(model, tokenizer, path, about, facts)
    state.unlink()


PARTS: dict[str, Callable[[Path], None]] = {
    "tokenizer": make_tokenizer,
    "base": make_base,
    "thinker": make_thinker,
    "moe": make_moe,
}


def _follow(run: Iterator[dict], label: str, steps: int, shown: str, log_file: Path) -> float:
    """Carry a run to its end with a progress bar; gives the seconds that it took, from its log.

    A run that was already finished when its card was interrupted has no steps left to yield.
    """
    with tqdm(total=steps, desc=label) as bar:
        for record in run:
            bar.update(record["step"] - bar.n)
            bar.set_postfix({shown: record[shown]})
    return float(read_log(log_file)[-1]["seconds"])


def _ship(
    model: Transformer, tokenizer: Tokenizer, path: Path, about: export.About, facts: dict
) -> None:
    """Write a model's GGUF file and its card, which holds ``facts``."""
    export.to_gguf(model, tokenizer, path, about, half=True)
    facts = {"title": about.name} | facts | {"cores": usable_cores()}
    cards.write_card(path, facts, CARD_PROBLEMS)


def main() -> None:
    parser = command_line.parser(__doc__)
    parser.add_argument("--only", choices=PARTS, help="make this part, from the parts before it")
    arguments = parser.parse_args()
    torch.set_num_threads(usable_cores())
    folder = nano_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PARTS.items():
        if arguments.only in (None, name):
            print(f"Making {name}.", flush=True)
            make(folder)


if __name__ == "__main__":
    main()
