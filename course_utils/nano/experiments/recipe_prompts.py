"""Would a prompt do what a stage of the recipe does? Its cold-started model, asked in twelve ways.

The control of every comparison in the course: words that ask for what is wanted, examples that show
it, or a thought begun as it should go on.  For each kind of question the best of the twelve prompts
of ``failure_prompts`` is chosen on training questions, and then sits the recipe's exam beside the
plain question.

``python -m course_utils.nano.experiments.recipe_prompts`` writes
``models/nano/runs/recipe-prompts.csv`` from the shipped ``recipe-cold.gguf``, in a few minutes on
one core.  It is the model of seed 1 alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from course_utils import command_line
from course_utils.nano import export
from course_utils.nano.experiments import recipe, recipe_model, recipe_tasks, runs, talk
from course_utils.nano.experiments.failure_prompts import PROMPTS, Prompt, Wanted, asked
from course_utils.nano.experiments.recipe_tasks import Kind, Task
from course_utils.nano.verifiers import CodeVerifier
from course_utils.paths import nano_folder

LOG = "recipe-prompts"
COMMAND = "python -m course_utils.nano.experiments.recipe_prompts"
VALIDATION = 80
"""Questions of each kind that its prompt is chosen on."""


def careful(random: Random, task: Task) -> str:
    return recipe_tasks.careful(task, random)


def obedient(random: Random, task: Task) -> str:
    """A reply that does as it is told, with the thought that such replies have in the corpus."""
    if task.kind == "talk":
        thought = talk.THOUGHTS[task.topic]
    else:
        first, second = task.numbers
        thought = task.told_and_asked or f"{first}+{second}={first + second}"
    return recipe_tasks.written(thought, task.answer)


def addends(task: Task) -> str:
    return "{}+{}=".format(*task.numbers)


WANTED: dict[Kind, Wanted] = {
    "maths": Wanted("Show your working. ", careful, lambda task: "ones: "),
    "code": Wanted("Use brackets. ", careful, lambda task: "x"),
    "words": Wanted("Answer in words. ", obedient, addends),
    "chinese": Wanted("Answer in Chinese. ", obedient, addends),
    "brackets": Wanted("Answer in brackets. ", obedient, addends),
    "fact": Wanted("Say so if you do not know. ", obedient, lambda task: "It has "),
    "talk": Wanted("Be kind and brief. ", obedient, lambda task: talk.THOUGHTS[task.topic] + "\n"),
}
"""What each kind of question asks for, in words, by example, and as the beginning of a thought."""


def text(prompt: Prompt, task: Task) -> str:
    """The text given to the model."""
    wanted, shown = WANTED[task.kind], ""
    for number in range(prompt.examples):
        random = Random(f"example {task.kind} {number}")
        example = recipe_tasks.draw(random, task.kind)
        shown += asked(wanted, prompt, example, wanted.reply(random, example))
    return shown + asked(wanted, prompt, task) + begun(prompt, task)


def begun(prompt: Prompt, task: Task) -> str:
    """What a prompt has written of the thought already."""
    return WANTED[task.kind].begun(task) if prompt.begun else ""


def replies(model, exam: Sequence[Task], prompt: Prompt) -> list[str]:
    """One reply to each question, with what the prompt has begun; drawn as the recipe's exam is."""
    written = runs.continued(
        model,
        [text(prompt, task) for task in exam],
        max_tokens=recipe_tasks.MAX_TOKENS,
        temperature=recipe.TEMPERATURE,
    )
    return [begun(prompt, task) + t for task, t in zip(exam, written, strict=True)]


def validation(kind: Kind, n: int) -> list[Task]:
    """``n`` questions of the part that training draws from."""
    random = Random(f"recipe prompts {kind}")
    return [recipe_tasks.draw(random, kind) for _ in range(n)]


def compare(
    model,
    code: Callable[[Task, str], float],
    kinds: dict[Kind, int] = recipe.EXAM,
    checked: int = VALIDATION,
) -> list[dict]:
    """Rows of one model: for each kind all prompts on ``checked`` validation questions, then the
    plain question and the best prompt on the exam's.  The best is marked ``chosen``."""
    rows = []
    for kind, asked_of in kinds.items():
        mine: list[dict] = []

        def ask(name: str, exam: str, some: Sequence[Task], into: list[dict] = mine) -> None:
            texts = replies(model, some, PROMPTS[name])
            right = [recipe_tasks.right(t, r, code) for t, r in zip(some, texts, strict=True)]
            facts = {"kind": some[0].kind, "area": some[0].area, "prompt": name, "exam": exam}
            into.append(facts | {"asked": len(some), "right": int(sum(right))})

        some = validation(kind, checked)
        for name in PROMPTS:
            ask(name, "validation", some)
        best = max(mine, key=lambda row: row["right"])["prompt"]
        for name in dict.fromkeys(["bare", best]):
            ask(name, "held out", recipe_tasks.exam(kind, asked_of))
        rows += [row | {"chosen": int(row["prompt"] == best), "command": COMMAND} for row in mine]
    return rows


def read_prompts() -> list[dict]:
    """The committed rows."""
    return runs.read_all([LOG])


def by_area() -> dict[str, tuple[float, float]]:
    """Shares of the exam's questions answered rightly by the cold-started model of seed 1, by
    area: asked plainly, and with the best prompt for each kind."""
    rows = [row for row in read_prompts() if row["exam"] == "held out"]
    shares = {}
    for area in recipe_tasks.AREAS:
        plain = [row for row in rows if row["area"] == area and row["prompt"] == "bare"]
        best = [row for row in rows if row["area"] == area and row["chosen"]]
        shares[area] = tuple(
            sum(row["right"] for row in some) / sum(row["asked"] for row in some)
            for some in (plain, best)
        )
    return shares


def main(arguments: Sequence[str] | None = None) -> None:
    runs.choose(__doc__, arguments)
    runs.write_prompts(LOG, _compare_shipped)


def _compare_shipped() -> list[dict]:
    model = export.from_gguf(nano_folder() / f"{recipe_model.NAME}.gguf")
    with CodeVerifier() as code:
        return compare(model, code)


if __name__ == "__main__":
    command_line.start(main)
