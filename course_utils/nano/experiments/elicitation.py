"""Can the right prompt do what reward did? Twelve prompts for any nano model, the best one chosen.

A reinforced model is compared with its base, *prompted as well as we can*: the best of twelve
prompts, chosen on validation problems, then asked the held-out ones.  Few-shot examples (Brown et
al., arXiv 2005.14165) show whole replies, thoughts included; "let's think step by step" is from
Kojima et al., arXiv 2205.11916; a reply that is begun for the model is known as prefilling.

``python -m course_utils.nano.experiments.elicitation`` writes ``models/nano/runs/elicitation.csv``
for the small base of notebook 03, which is also reinforced, and for the main base and the thinker.
``compare(model, validation, problems)`` does the same for any model in a notebook.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch

from course_utils import command_line
from course_utils.engines.checks import place_to_write
from course_utils.errors import CourseError
from course_utils.logs import write_log
from course_utils.nano import export, grpo, measure, tasks
from course_utils.nano.experiments import runs, sums
from course_utils.nano.model import Transformer
from course_utils.nano.tokenizer import load, render, split_reply
from course_utils.paths import nano_folder


@dataclass(frozen=True)
class Prompt:
    """What stands around a question: words before and after it, ``examples`` worked sums in
    front, a ``system`` message, and what the thought is ``begun`` with."""

    before: str = ""
    after: str = ""
    examples: int = 0
    system: str = ""
    begun: str = ""

    def text(self, problem: tasks.Problem, digits: int) -> str:
        """The text given to the model; the examples have numbers of so many digits."""
        question = self.before + problem.question + self.after
        messages = [{"role": "system", "content": self.system}] if self.system else []
        messages.append({"role": "user", "content": question})
        shown = "".join(self.example(number, digits) for number in range(self.examples))
        return shown + render(messages) + self.begun

    def example(self, number: int, digits: int) -> str:
        random = Random(f"example {number}")
        shown = tasks.make_problem(random, digits=digits)
        question = f"{self.before}{shown.first}+{shown.second}=?{self.after}"
        return render(question) + tasks.completion(shown, "careful", random) + "\n"


PROMPTS: dict[str, Prompt] = {
    "bare": Prompt(),
    "show your working": Prompt("Show your working. "),
    "show your working, after": Prompt(after=" Show your working."),
    "show your working, system": Prompt(system="Show your working."),
    "step by step": Prompt("Let's think step by step. "),
    "column by column": Prompt("Work column by column. "),
    "think first": Prompt(after=" Think before you answer."),
    "one example": Prompt(examples=1),
    "three examples": Prompt(examples=3),
    "working and one example": Prompt("Show your working. ", examples=1),
    "thought begun": Prompt(begun="ones: "),
    "working, thought begun": Prompt("Show your working. ", begun="ones: "),
}
"""The twelve."""

MAX_TOKENS = 96


def replies(
    model: Transformer,
    problems: Sequence[tasks.Problem],
    prompt: Prompt,
    *,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[str]:
    """One reply to each problem, with what the prompt has begun."""
    digits = len(str(max(problems[0].first, problems[0].second)))
    texts = [prompt.text(problem, digits) for problem in problems]
    drawn = {"max_tokens": MAX_TOKENS, "temperature": temperature, "seed": seed}
    return [prompt.begun + text for text in runs.continued(model, texts, **drawn)]


def count(problems: Sequence[tasks.Problem], texts: Sequence[str]) -> dict[str, int]:
    """``asked``, ``right``, ``worked`` (with a thought) and ``right_worked``."""
    right = [grpo.reward(p, text) == 1 for p, text in zip(problems, texts, strict=True)]
    worked = [bool(split_reply(text)[0]) for text in texts]
    both = sum(r and w for r, w in zip(right, worked, strict=True))
    return {"asked": len(texts), "right": sum(right), "worked": sum(worked), "right_worked": both}


def compare(
    model: Transformer,
    validation: Sequence[tasks.Problem],
    problems: Sequence[tasks.Problem],
    prompts: dict[str, Prompt] = PROMPTS,
) -> list[dict]:
    """Every prompt on ``validation``, greedily; then the bare question and the best prompt on
    ``problems``, greedily and at temperature 1.  The best is marked ``chosen``."""
    rows = []
    for name, prompt in prompts.items():
        counts = count(validation, replies(model, validation, prompt))
        rows.append({"prompt": name, "exam": "validation", "temperature": 0} | counts)
    best = max(rows, key=lambda row: row["right"])["prompt"]
    for name in dict.fromkeys(["bare", best]):
        for temperature in (0, 1):
            texts = replies(model, problems, prompts[name], temperature=temperature)
            facts = {"prompt": name, "exam": "held out", "temperature": temperature}
            rows.append(facts | count(problems, texts))
    return [row | {"chosen": int(row["prompt"] == best)} for row in rows]


def validation_sums(n: int) -> list[tasks.Problem]:
    """Sums of two digits, none of them in the exam's share."""
    random = Random("validation")
    return [sums.problem(random) for _ in range(n)]


def run(problems: int = 200, validation: int = 100) -> list[dict]:
    """The committed table: two bases and their reinforced models."""
    rows, tokenizer = [], load()
    exam, check = sums.exam(problems), validation_sums(validation)
    model = export.from_gguf(nano_folder() / "small-base.gguf")
    rows += [{"model": "small base"} | row for row in compare(model, check, exam)]
    settings = sums.reinforcement(steps=50, seed=1, learning_rate=2.5e-4)
    for _ in grpo.train(model, tokenizer, sums.problem, settings):
        pass
    rows += [{"model": "small base, reinforced"} | row for row in compare(model, check, exam)]
    exam = measure.exam_problems(n=problems)
    check = measure.exam_problems(n=validation, seed=1)
    for name in ("base", "thinker"):
        model = export.from_gguf(nano_folder() / f"{name}.gguf")
        rows += [{"model": name} | row for row in compare(model, check, exam)]
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_line.parser(__doc__)
    parser.add_argument("--into", type=Path, default=nano_folder() / "runs" / "elicitation.csv")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if not chosen.into.exists():
        try:
            place_to_write(chosen.into)  # rather now than after the run
        except CourseError as error:
            parser.error(str(error))
        write_log(chosen.into, run())
    print(chosen.into.read_text())


if __name__ == "__main__":
    command_line.start(main)
