"""What is the smallest world in which reward teaches? Sums of two-digit numbers, on one core.

The small base model of notebook 03 reads sums that are all right.  Textbooks ask for the working
and show it; where nobody asks, most sums come with the bare answer, as on most pages of the web.
Working a sum is easy to learn, knowing its answer at once is hard.  So the base has the skill and
not the habit: three words in front of the question bring it out, and so does reward.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tokenizers import Tokenizer

from course_utils.nano import grpo, pretrain, tasks
from course_utils.nano.experiments import runs
from course_utils.nano.model import Shape, Transformer
from course_utils.nano.tokenizer import END, END_OF_TEXT, END_THINK, render, split_reply

SMALL_SHARE = 0.2
"""Share of the sums that the base model reads which are of one digit, with bare answers."""

TEXTBOOK_SHARE = 0.5
"""Share of the two-digit sums that ask for the working, and have it."""

WORKED_SHARE = 0.35
"""Share of the other two-digit sums that have it all the same."""

REQUEST = "Show your working. "

MAX_TOKENS = 48
"""Room for a reply: a worked sum takes about 35 tokens, a bare answer 6."""


def shape_of_width(width: int, layers: int, head_width: int = 32) -> Shape:
    """QwQ's shape at a small size: two query heads to a key head."""
    heads = width // head_width
    return Shape(width=width, layers=layers, heads=heads, kv_heads=heads // 2, ffn_width=2 * width)


@dataclass(frozen=True)
class Size:
    """A model's shape, and the learning rate that suits it: smaller for wider models."""

    shape: Shape
    learning_rate: float


SIZES = {
    # With two heads of 32, two of three seeds never learnt to copy the digits they are to add.
    "0.2M": Size(shape_of_width(64, 3, head_width=16), 3e-3),
    "0.7M": Size(shape_of_width(128, 3), 2.5e-3),
    "1.5M": Size(shape_of_width(192, 4), 2e-3),
    "3.5M": Size(shape_of_width(256, 5), 1.5e-3),
}
"""Models of the course's small experiments, by their parameters."""


def held_out(first: int, second: int) -> bool:
    """Is this pair kept from all training? One pair in eight is."""
    return zlib.crc32(f"{first}+{second}".encode()) % 8 == 0


def problem(random: Random, *, testing: bool = False) -> tasks.Problem:
    """A sum of two numbers from 10 to 99; ``testing`` asks for a held-out pair."""
    while True:
        first, second = random.randint(10, 99), random.randint(10, 99)
        if held_out(first, second) == testing:
            return tasks.Problem("addition", "en", f"{first}+{second}=?", first, "+", second)


def one_digit(random: Random) -> tasks.Problem:
    """A sum of two numbers from 0 to 9."""
    first, second = random.randint(0, 9), random.randint(0, 9)
    return tasks.Problem("addition", "en", f"{first}+{second}=?", first, "+", second)


def exam(n: int = 400, seed: int = 2026) -> list[tasks.Problem]:
    """``n`` different problems that no model has trained on."""
    random, found = Random(f"exam {seed}"), {}
    while len(found) < n:
        drawn = problem(random, testing=True)
        found[drawn.question] = drawn
    return list(found.values())


def document(random: Random, worked: float = WORKED_SHARE) -> str:
    """A sum in QwQ's chat format, answered rightly: after its working, or at once.

    ``worked`` is the share with working among two-digit sums that do not ask for it.
    """
    if random.random() < SMALL_SHARE:
        return bare(one_digit(random))
    drawn = problem(random)
    textbook = random.random() < TEXTBOOK_SHARE
    if not textbook and random.random() >= worked:
        return bare(drawn)
    question = REQUEST + drawn.question if textbook else drawn.question
    return render(question) + tasks.completion(drawn, "careful", random) + END_OF_TEXT


def bare(drawn: tasks.Problem) -> str:
    """A document that gives the answer at once."""
    return render(drawn.question) + f"{END_THINK}\n\n{drawn.answer}{END}" + END_OF_TEXT


def pretraining(size: str, *, steps: int = 1000, seed: int = 1) -> pretrain.Settings:
    """How a base model of one size is pretrained: 2,048 tokens a step, on short rows."""
    return pretrain.Settings(
        steps=steps,
        tokens_per_step=2048,
        row_length=96,
        long_share=0.0,
        learning_rate=SIZES[size].learning_rate,
        seed=seed,
        evaluate_every=100,
        bfloat16=True,
    )


def reinforcement(*, steps: int = 60, seed: int = 1, **changes) -> grpo.Settings:
    """How a model of this laboratory is trained with GRPO; ``changes`` go to its settings."""
    settings = {
        "problems": 16,
        "group": 8,
        "learning_rate": 5e-4,
        "max_tokens": MAX_TOKENS,
        "evaluate_every": 5,
    }
    return grpo.Settings(steps=steps, seed=seed, **(settings | changes))


@dataclass(frozen=True)
class Answers:
    """What a model did on an exam: counts, of ``asked`` replies.

    ``right``; ``thought``: how many worked the sum in writing; ``right_after_thought``: how many
    of those were right.  ``tokens``: mean length of a reply.
    """

    asked: int
    right: int
    thought: int
    right_after_thought: int
    tokens: float


def thinks(text: str) -> bool:
    """Does a reply work the sum in writing before it answers?"""
    return bool(split_reply(text)[0])


def ask(
    model: Transformer,
    tokenizer: Tokenizer,
    problems: Sequence[tasks.Problem],
    *,
    temperature: float = 1.0,
    seed: int = 0,
) -> Answers:
    """Let ``model`` answer each problem once; the same seed draws the same replies."""
    texts, samples = runs.replies(
        model,
        tokenizer,
        problems,
        max_tokens=MAX_TOKENS,
        temperature=temperature,
        generator=seed,
    )
    right = [grpo.reward(p, text) == 1 for p, text in zip(problems, texts, strict=True)]
    thought = [thinks(text) for text in texts]
    both = sum(r and t for r, t in zip(right, thought, strict=True))
    length = samples.lengths.float().mean().item()
    return Answers(len(problems), sum(right), sum(thought), both, length)
