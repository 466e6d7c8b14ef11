"""What goes wrong on the way to a reasoning model, and what cures it? Four failures, measured.

Every base model has learnt adding from a school book, and has then read a corpus of its own, with
a bias (``failure_tasks``).  The stage "zero" is GRPO on accuracy alone, from the base, as in
R1-Zero.  The stage "cured" differs in one thing: a second reward (language consistency or length),
or, for unreadable thoughts, a cold start before the same GRPO.  After each stage the same held-out
sums are asked.

``python -m course_utils.nano.experiments.failures --only loops --seed 1`` runs one failure with one
seed and writes ``models/nano/runs/failure-loops-*.csv``.  A run that was stopped goes on.

The module is long because a failure is told in one place: what is read, how it shows, what cures
it, and the stages and the exam that all four go through alike.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random

from tokenizers import Tokenizer

from course_utils import command_line
from course_utils.logs import write_log
from course_utils.nano import export, grpo, pretrain, readability, verifiers
from course_utils.nano.experiments import failure_tasks, runs, sums
from course_utils.nano.experiments.runs import SEEDS
from course_utils.nano.model import Transformer
from course_utils.nano.tasks import Problem
from course_utils.nano.tokenizer import END_THINK, split_reply
from course_utils.nano.tokenizer import load as load_tokenizer
from course_utils.nano.verifiers import Verifier
from course_utils.paths import nano_folder

SIZE = sums.SIZES["0.7M"]
"""The shape of all these models, of 0.7 million parameters."""

STAGES = ("base", "zero", "cold", "cured")
SHIPPED = {
    ("mixing", "base"): "mixer-base",
    ("mixing", "zero"): "mixer",
    ("mixing", "cured"): "mixer-cured",
    ("loops", "base"): "looper",
    ("loops", "cured"): "looper-cured",
    ("shorthand", "zero"): "scribbler",
    ("shorthand", "cured"): "scribbler-cured",
    ("overthinking", "zero"): "overthinker",
    ("overthinking", "cured"): "overthinker-cured",
}
"""The first seed's models that come with the course, by failure and stage."""

ASKED = 300
"""Held-out problems after each stage; each is answered once."""
TEMPERATURES = {"greedy": 0.0, "drawn": 0.6}
"""Greedy, and drawn at the temperature of QwQ's card, without its top-p and top-k."""

SCHOOL = pretrain.Settings(
    steps=1500,
    tokens_per_step=2048,
    row_length=96,
    long_share=0.0,
    learning_rate=SIZE.learning_rate,
    evaluate_every=100,
)
"""How every model learns to add, once for each seed."""
PRETRAINING = replace(SCHOOL, steps=400, row_length=128, learning_rate=2e-3, evaluate_every=50)
"""How a base then reads the corpus of its failure."""
COLD_DOCUMENTS = 200
COLD_START = replace(PRETRAINING, steps=40, learning_rate=1e-3, warmup_steps=4, evaluate_every=40)
REINFORCEMENT = grpo.Settings(
    steps=60, problems=8, group=16, learning_rate=1.5e-4, max_tokens=64, evaluate_every=10**6
)
"""Groups of 16: a good thought that is rare in the base is often missing from a group of 8, and
what is never drawn cannot be rewarded.  (With 8 a quarter of the language mixing stayed.)"""


@dataclass(frozen=True)
class Failure:
    """One failure: what the base reads, what is asked, how it shows, and what cures it.

    ``shows(problem, text)`` says whether a reply has the failure.  ``cure(tokenizer)`` is the cured
    stage's reward.  With ``cold_start`` a few such replies are read before.  ``room`` is the
    longest reply in GRPO, ``patience`` in the exam, in tokens; ``row_length`` is how much is read
    at once.  ``parts`` are the levels that the exam counts apart.  ``headline`` is where the
    failure is told: the stage that has it, the way of drawing, and the part.
    """

    title: str
    draw: Callable[..., Problem]
    reply: Callable[[Random, Problem], str]
    shows: Callable[[Problem, str], bool]
    cure: Callable[[Tokenizer], Verifier]
    room: int
    patience: int
    headline: tuple[str, str, str] = ("zero", "drawn", "all")
    row_length: int = 128
    cold_start: Callable[[Random, Problem], str] | None = None
    parts: tuple[str, ...] = ("all",)

    @property
    def stages(self) -> tuple[str, ...]:
        return tuple(stage for stage in STAGES if stage != "cold" or self.cold_start)

    def document(self, random: Random) -> str:
        """A document of this failure's base corpus."""
        problem = self.draw(random)
        return failure_tasks.document(problem, self.reply(random, problem))


def thought_of(text: str) -> str:
    return split_reply(text)[0]


def mixes(problem: Problem, text: str) -> bool:
    """Language mixing: both scripts stand in the thought."""
    return readability.mixes_scripts(thought_of(text))


def never_closes(problem: Problem, text: str) -> bool:
    """An endless loop: the thought is not closed when the room for it is used up."""
    return END_THINK not in text


def unreadable(problem: Problem, text: str) -> bool:
    """Fewer than half of the thought's lines are steps that a reader knows."""
    return readability.known_steps(thought_of(text)) < 0.5


def checks_in_vain(problem: Problem, text: str) -> bool:
    """Over-thinking: the right result stands there already, and the thought checks again."""
    return readability.checks_when_right(thought_of(text), problem.answer) > 0


def consistent(tokenizer: Tokenizer) -> Verifier:
    """Accuracy plus language consistency, with equal weights as in DeepSeek-R1."""
    return verifiers.weighted((1.0, verifiers.accuracy), (1.0, verifiers.language_consistency))


def short(free: int, limit: int) -> Callable[[Tokenizer], Verifier]:
    """Accuracy times a price on length: a wrong answer gains nothing by being short."""

    def cure(tokenizer: Tokenizer) -> Verifier:
        return verifiers.product(verifiers.accuracy, verifiers.length_aware(tokenizer, free, limit))

    return cure


FAILURES = {
    "mixing": Failure(
        "language mixing",
        failure_tasks.mixing_problem,
        failure_tasks.mixing_reply,
        mixes,
        consistent,
        room=64,
        patience=64,
    ),
    "loops": Failure(
        "endless loops",
        sums.problem,
        failure_tasks.loops_reply,
        never_closes,
        short(40, 160),
        room=160,
        patience=224,
        headline=("base", "greedy", "all"),
        row_length=256,
    ),
    "shorthand": Failure(
        "unreadable thoughts",
        sums.problem,
        failure_tasks.shorthand_reply,
        unreadable,
        lambda tokenizer: verifiers.accuracy,
        room=64,
        patience=64,
        cold_start=failure_tasks.readable_reply,
    ),
    "overthinking": Failure(
        "over-thinking",
        failure_tasks.overthinking_problem,
        failure_tasks.overthinking_reply,
        checks_in_vain,
        short(10, 160),
        room=160,
        patience=192,
        headline=("zero", "drawn", "easy"),
        row_length=256,
        parts=failure_tasks.LEVELS,
    ),
}


def log_name(name: str, seed: int, stage: str | None = None) -> str:
    """What the exams of one failure and seed are called, or the training log of a stage."""
    return f"failure-{name}-{stage}-{seed}" if stage else f"failure-{name}-{seed}"


def exam(name: str, n: int | None = None, seed: int = 2026) -> list[Problem]:
    """``n`` problems of each part of a failure's exam (``ASKED``), none of them trained on.

    Sums of one digit are the exception: they are too few to hold any out.
    """
    failure, random = FAILURES[name], Random(f"{name} {seed}")
    return [
        failure.draw(random, testing=True, **({} if part == "all" else {"level": part}))
        for part in failure.parts
        for _ in range(n or ASKED)
    ]


def count(
    name: str, tokenizer: Tokenizer, problems: Sequence[Problem], texts: Iterable[str]
) -> dict:
    """One row of counts: how many replies have the failure, are right, closed, and how long."""
    texts = list(texts)
    tokens = [tokenizer.encode(text).ids for text in texts]
    both = list(zip(problems, texts, strict=True))
    repeated = sum(readability.repeated_ngrams(ids) for ids in tokens) / len(texts)
    return {
        "asked": len(texts),
        "failed": sum(FAILURES[name].shows(*pair) for pair in both),
        "right": sum(verifiers.accuracy(*pair) == 1 for pair in both),
        "closed": sum(not never_closes(*pair) for pair in both),
        "tokens": sum(map(len, tokens)),
        "checks": sum(readability.checks(thought_of(text)) for text in texts),
        "repeated": round(repeated, 4),
        "own_language": round(
            sum(verifiers.language_consistency(*pair) for pair in both) / len(texts), 4
        ),
    }


def sit_exam(
    name: str, model: Transformer, tokenizer: Tokenizer, n: int | None = None, seed: int = 2026
) -> list[dict]:
    """A row of counts per way of drawing and part of the exam."""
    failure, rows, n = FAILURES[name], [], n or ASKED
    problems = exam(name, n, seed)
    for sampling, temperature in TEMPERATURES.items():
        texts, _ = runs.replies(
            model,
            tokenizer,
            problems,
            temperature=temperature,
            max_tokens=failure.patience,
            generator=seed,
        )
        for number, part in enumerate(failure.parts):
            own = slice(number * n, (number + 1) * n)
            counted = count(name, tokenizer, problems[own], texts[own])
            rows.append({"sampling": sampling, "part": part} | counted)
    return rows


def schooled(seed: int, tokenizer: Tokenizer, cache: Path) -> Transformer:
    """A model that has read the school book with this seed; made if ``cache`` does not have it."""
    model, path = pretrain.new_model(SIZE.shape, seed), cache / f"failure-school-{seed}.pt"
    settings = replace(SCHOOL, seed=seed)
    runs.read_corpus(model, tokenizer, settings, failure_tasks.school_document, state_file=path)
    return model


def read_corpus(
    name: str, model: Transformer, tokenizer: Tokenizer, seed: int, **files: Path
) -> None:
    """Let ``model`` read the corpus of one failure: that makes it the failure's base model."""
    failure = FAILURES[name]
    settings = replace(PRETRAINING, seed=seed, row_length=failure.row_length)
    runs.read_corpus(model, tokenizer, settings, failure.document, **files)


def base(name: str, seed: int, tokenizer: Tokenizer, cache: Path) -> Transformer:
    """The base model of one failure and seed; made if ``cache`` does not have it."""
    model, state = schooled(seed, tokenizer, cache), cache / f"failure-{name}-base-{seed}.pt"
    read_corpus(name, model, tokenizer, seed, state_file=state)
    return model


def cold_start(name: str, model: Transformer, tokenizer: Tokenizer, seed: int) -> None:
    """Show ``model`` the same few good replies again and again."""
    failure = FAILURES[name]

    def document(random: Random) -> str:
        problem = failure.draw(random)
        return failure_tasks.document(problem, failure.cold_start(random, problem))

    runs.cold_start(model, tokenizer, replace(COLD_START, seed=seed), document, COLD_DOCUMENTS)


def reinforce(
    name: str,
    model: Transformer,
    tokenizer: Tokenizer,
    stage: str,
    seed: int,
    settings: grpo.Settings | None = None,
    reward: Verifier | None = None,
    room: int | None = None,
    **files: Path,
):
    """Train ``model`` in place as ``stage`` asks, yielding GRPO's records.

    They say, beside the reward, which share of the replies drawn is ``right`` and has ``failed``.
    ``reward`` is taken in place of the stage's own, and ``room`` (tokens of the longest reply) in
    place of the failure's.
    """
    failure = FAILURES[name]
    if reward is None:
        reward = failure.cure(tokenizer) if stage == "cured" else verifiers.accuracy

    def watch(problems: Sequence[Problem], texts: Sequence[str]) -> dict[str, float]:
        both = list(zip(problems, texts, strict=True))
        return {
            "right": round(sum(verifiers.accuracy(*pair) for pair in both) / len(both), 4),
            "failed": round(sum(failure.shows(*pair) for pair in both) / len(both), 4),
        }

    yield from grpo.train(
        model,
        tokenizer,
        failure.draw,
        replace(settings or REINFORCEMENT, seed=seed, max_tokens=room or failure.room),
        reward=reward,
        watch=watch,
        **files,
    )


def run(
    name: str, seed: int, *, folder: Path, cache: Path, keep: Callable | None = None
) -> list[dict]:
    """All stages of one failure with one seed; writes the logs and the exams' rows.

    ``keep(stage, model)`` is given each trained model.
    """
    tokenizer, failure, rows, models = load_tokenizer(), FAILURES[name], [], {}
    command = f"python -m course_utils.nano.experiments.failures --only {name} --seed {seed}"
    for stage in failure.stages:
        started = time.perf_counter()
        if stage == "base":
            models[stage] = base(name, seed, tokenizer, cache)
        else:
            state = {"state_file": cache / f"failure-{name}-{stage}-{seed}.pt"}
            before = "cold" if stage == "cured" and failure.cold_start else "base"
            models[stage] = copy.deepcopy(models[before])
            if stage == "cold":
                cold_start(name, models[stage], tokenizer, seed)
            else:
                log = {"log_file": runs.log_path(log_name(name, seed, stage), folder)}
                for _ in reinforce(name, models[stage], tokenizer, stage, seed, **state, **log):
                    pass
        seconds = round(time.perf_counter() - started, 1)
        print(f"{name} {seed} {stage}: {seconds} s", flush=True)
        for row in sit_exam(name, models[stage], tokenizer):
            rows.append({"failure": name, "stage": stage, "seed": seed} | row)
            rows[-1] |= {"seconds": seconds, "command": command}
            print({k: v for k, v in rows[-1].items() if k != "command"}, flush=True)
        if keep:
            keep(stage, models[stage])
    write_log(runs.log_path(log_name(name, seed), folder), rows)
    return rows


def read_results(name: str, folder: Path | None = None) -> list[dict]:
    """The exams of one failure, all committed seeds."""
    return runs.read_all([log_name(name, seed) for seed in SEEDS], folder)


def read_log(name: str, stage: str, folder: Path | None = None) -> list[dict]:
    """The steps of one stage of GRPO, all committed seeds, each row with its seed and stage."""
    return [
        row | {"seed": seed, "stage": stage}
        for seed in SEEDS
        for row in runs.read_all([log_name(name, seed, stage)], folder)
    ]


def headline(name: str, stage: str, folder: Path | None = None) -> list[dict]:
    """One row per seed: the exam of a stage where the failure is told."""
    _, sampling, part = FAILURES[name].headline
    wanted = (stage, sampling, part)
    return [
        row
        for row in read_results(name, folder)
        if (row["stage"], row["sampling"], row["part"]) == wanted
    ]


def shares(rows: Sequence[dict], what: str = "failed") -> dict[int, float]:
    """The share of the replies that failed (or are ``right``), for each seed."""
    return {row["seed"]: row[what] / row["asked"] for row in rows}


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = runs.choose(__doc__, arguments, only=FAILURES, seed=SEEDS)
    folders = {"folder": runs.runs_folder(), "cache": runs.cache_folder()}
    for seed in chosen.seed:
        for name in chosen.only:
            if not runs.there(runs.log_path(log_name(name, seed))):
                run(name, seed, **folders, keep=partial(_ship, name, seed))


def _ship(name: str, seed: int, stage: str, model: Transformer) -> None:
    """Make a stage's model a file of the course, if it is of the first seed and ``SHIPPED``."""
    if seed != SEEDS[0] or (name, stage) not in SHIPPED:
        return
    file, words = SHIPPED[name, stage], FAILURES[name].title
    shows = "cured of" if stage == "cured" else "that shows"
    about = export.About(f"nano {file}", f"A small model {shows} {words}.")
    export.to_gguf(model, load_tokenizer(), nano_folder() / f"{file}.gguf", about, half=True)


if __name__ == "__main__":
    command_line.start(main)
