"""Would a prompt have cured it? Each failing model of notebook 04, asked in twelve ways.

The cures of notebook 04 train.  The control that a sceptic asks for costs nothing: words that ask
for what is missing, examples that show it, or a thought begun as it should go on.  The best of
twelve prompts is chosen on validation problems, by replies that are right and free of the failure,
and then asked the held-out ones, beside the bare question and the cured model.  The bases are asked
too: where reward brought a failure, the cure began before it.

``python -m course_utils.nano.experiments.failure_prompts`` writes
``models/nano/runs/failure-prompts.csv`` in about five minutes on one core.  Bases that are not
shipped are made again, a minute each, if the cache does not have them.  Each is one model of the
first seed, so the questions are the unit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from course_utils import command_line
from course_utils.nano import export, verifiers
from course_utils.nano.experiments import failure_tasks, failures, runs
from course_utils.nano.experiments.failures import FAILURES
from course_utils.nano.tasks import Problem, completion
from course_utils.nano.tokenizer import load as load_tokenizer
from course_utils.nano.tokenizer import render
from course_utils.paths import nano_folder

LOG = "failure-prompts"
COMMAND = "python -m course_utils.nano.experiments.failure_prompts"
VALIDATION, HELD_OUT = 100, 200
"""Problems that the prompt is chosen on, and others that the best one is asked."""


@dataclass(frozen=True)
class Wanted:
    """What a model should do instead of failing: words that ask for it, a reply that shows it, and
    the beginning of a thought that does it."""

    words: str
    reply: Callable[[Random, Problem], str]
    begun: Callable[[Problem], str]


def unchecked_if_easy(random: Random, problem: Problem) -> str:
    """A guess, checked once where a guess does not do."""
    checks = int(failure_tasks.level_of(problem) != "easy")
    return failure_tasks.guess_and_check(random, problem, checks)


def careful(random: Random, problem: Problem) -> str:
    return completion(problem, "careful", random)


def first_word(problem: Problem) -> str:
    return "ones: " if problem.language == "en" else "个位："


WANTED = {
    "mixing": Wanted("Think in one language. ", careful, first_word),
    "loops": Wanted("Do not check. ", careful, first_word),
    "shorthand": Wanted("Show your working. ", failure_tasks.readable_reply, first_word),
    "overthinking": Wanted("Do not check. ", unchecked_if_easy, lambda problem: "So "),
}


@dataclass(frozen=True)
class Prompt:
    """What stands around a question: the words ``before`` it, ``after`` it or as a ``system``
    message, so many ``examples``, and whether the thought is ``begun``."""

    before: int = 0
    after: bool = False
    system: bool = False
    examples: int = 0
    begun: bool = False


PROMPTS: dict[str, Prompt] = {
    "bare": Prompt(),
    "words": Prompt(before=1),
    "words twice": Prompt(before=2),
    "words, after": Prompt(after=True),
    "words, system": Prompt(system=True),
    "one example": Prompt(examples=1),
    "two examples": Prompt(examples=2),
    "four examples": Prompt(examples=4),
    "words and one example": Prompt(before=1, examples=1),
    "thought begun": Prompt(begun=True),
    "words, thought begun": Prompt(before=1, begun=True),
    "one example, thought begun": Prompt(examples=1, begun=True),
}
"""The twelve."""


def begun(name: str, prompt: Prompt, problem: Problem) -> str:
    """What a prompt has written of the thought already."""
    return WANTED[name].begun(problem) if prompt.begun else ""


def text(name: str, prompt: Prompt, problem: Problem) -> str:
    """The text given to the model of one failure."""
    wanted = WANTED[name]
    shown = "".join(asked(wanted, prompt, *example(name, n)) for n in range(prompt.examples))
    return shown + asked(wanted, prompt, problem) + begun(name, prompt, problem)


def asked(wanted: Wanted, prompt: Prompt, problem: Problem, reply: str = "") -> str:
    """A question with a prompt's words around it; a whole document if there is a ``reply``."""
    question = wanted.words * prompt.before + problem.question
    if prompt.after:
        question += " " + wanted.words.strip()
    messages = [{"role": "user", "content": question}]
    if prompt.system:
        messages.insert(0, {"role": "system", "content": wanted.words.strip()})
    return render(messages) + (reply + "\n" if reply else "")


def example(name: str, number: int) -> tuple[Problem, str]:
    """A worked example that is not in any exam."""
    random = Random(f"example {name} {number}")
    problem = FAILURES[name].draw(random)
    return problem, WANTED[name].reply(random, problem)


def replies(name: str, model, problems: Sequence[Problem], prompt: Prompt) -> list[str]:
    """One reply to each problem, with what the prompt has begun; drawn as the failure is told."""
    failure = FAILURES[name]
    written = runs.continued(
        model,
        [text(name, prompt, problem) for problem in problems],
        max_tokens=failure.patience,
        temperature=failures.TEMPERATURES[failure.headline[1]],
    )
    return [begun(name, prompt, p) + t for p, t in zip(problems, written, strict=True)]


def count(name: str, problems: Sequence[Problem], texts: Sequence[str]) -> dict[str, int]:
    """``asked``; ``failed``; ``right``; ``good``, right without the failure."""
    shows = FAILURES[name].shows
    failed = [shows(p, t) for p, t in zip(problems, texts, strict=True)]
    right = [verifiers.accuracy(p, t) == 1 for p, t in zip(problems, texts, strict=True)]
    good = sum(r and not f for r, f in zip(right, failed, strict=True))
    return {"asked": len(texts), "failed": sum(failed), "right": sum(right), "good": good}


def problems(name: str, n: int, *, testing: bool) -> list[Problem]:
    """``n`` problems of the part in which a failure is told: held-out ones for ``testing``."""
    failure, random = FAILURES[name], Random(f"{name} {'held out' if testing else 'validation'}")
    part = failure.headline[2]
    level = {} if part == "all" else {"level": part}
    return [failure.draw(random, testing=testing, **level) for _ in range(n)]


def compare(
    name: str, stage: str, validation: int = VALIDATION, held_out: int = HELD_OUT
) -> list[dict]:
    """Rows of one model: all prompts on validation problems, the bare question and the best prompt
    on held-out ones.  The best is marked ``chosen``."""
    if (name, stage) in failures.SHIPPED:
        model = export.from_gguf(nano_folder() / f"{failures.SHIPPED[name, stage]}.gguf")
    else:
        model = failures.base(name, runs.SEEDS[0], load_tokenizer(), runs.cache_folder())
    facts, rows = {"failure": name, "stage": stage}, []

    def ask(prompt: str, exam: str, some: Sequence[Problem]) -> None:
        counts = count(name, some, replies(name, model, some, PROMPTS[prompt]))
        rows.append(facts | {"prompt": prompt, "exam": exam} | counts)

    some = problems(name, validation, testing=False)
    for prompt in PROMPTS:
        ask(prompt, "validation", some)
    best = max(rows, key=lambda row: row["good"])["prompt"]
    some = problems(name, held_out, testing=True)
    for prompt in dict.fromkeys(["bare", best]):
        ask(prompt, "held out", some)
    return [row | {"chosen": int(row["prompt"] == best), "command": COMMAND} for row in rows]


def models() -> list[tuple[str, str]]:
    """All bases, and the shipped models that fail after reward, by failure and stage."""
    return [
        (name, stage)
        for name in FAILURES
        for stage in ("base", "zero")
        if stage == "base" or (name, stage) in failures.SHIPPED
    ]


def read_prompts() -> list[dict]:
    """The committed rows."""
    return runs.read_all([LOG])


def main(arguments: Sequence[str] | None = None) -> None:
    runs.choose(__doc__, arguments)
    runs.write_prompts(LOG, lambda: [row for pair in models() for row in compare(*pair)])


if __name__ == "__main__":
    command_line.start(main)
