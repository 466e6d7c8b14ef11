"""How well does the base play between greedy and drawn? Twelve prompts at six temperatures.

Reward makes a policy surer of itself.  So does a lower temperature, without any training: the
fairest rival of the reinforced policy is the base at the temperature that suits it.  Prompt and
temperature are chosen on the validation episodes, as in ``guessing_rl``, whose rows for
temperatures 0 and 1 are used.  ``python -m course_utils.agents.experiments.guessing_temperatures``
writes ``models/nano/runs/guessing-temperatures.csv``: all of them on the validation episodes, and
on the exam the base asked plainly at each temperature, the best of all, and the best of those
between 0 and 1, which ``guessing_tries`` plays on with.  It takes some minutes on one core, without
any training, and a stopped run goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer

from course_utils.agents import guessing, measure
from course_utils.agents.experiments import guessing_rl
from course_utils.agents.experiments.guessing_prompts import PROMPTS
from course_utils.logs import read_log, write_log
from course_utils.nano import export
from course_utils.nano.experiments import runs
from course_utils.nano.model import Transformer
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

NAME = "guessing-temperatures"

SETS = {
    "validation": (guessing_rl.VALIDATED, guessing_rl.VALIDATION),
    "exam": (guessing_rl.EXAMINED, guessing_rl.EXAM),
}
"""The episodes: how many, and their seed."""


def scored(
    model: Transformer, tokenizer: Tokenizer, number: int, temperature: float, on: str
) -> dict:
    """A row: the base with one prompt at one temperature, on one of ``SETS``."""
    prompt = PROMPTS[number]
    episodes = [prompt.apply(episode) for episode in guessing.exam(*SETS[on])]
    score = measure.score_policy(model, tokenizer, episodes, temperature=temperature)
    asked = {"on": on, "prompt": number, "wording": prompt.wording, "example": prompt.example}
    row = {**asked, "temperature": temperature, **guessing_rl.row(score)}
    print(row, flush=True)
    return row


def known() -> list[dict]:
    """The validation rows at temperatures 0 and 1, which ``guessing_rl`` has measured."""
    return [
        {
            "on": "validation",
            **{name: row[name] for name in ("prompt", "wording", "example")},
            "temperature": guessing_rl.DECODINGS[row["decoding"]],
            **{name: row[name] for name in ("success", "turns", "episodes")},
        }
        for row in read_log(runs.log_path("guessing-prompts"))
    ]


def chosen(rows: Sequence[dict], between: bool = False) -> tuple[int, float]:
    """Prompt and temperature that did best on the validation episodes, the first of equals.

    ``between``: of those between 0 and 1 alone.
    """
    tried = [row for row in rows if row["on"] == "validation"]
    if between:
        tried = [row for row in tried if 0 < row["temperature"] < 1]
    best = max(tried, key=lambda row: row["success"])
    return best["prompt"], best["temperature"]


def main(arguments: Sequence[str] | None = None) -> None:
    runs.choose(__doc__, arguments)
    path, tokenizer = runs.log_path(NAME), load()
    base = export.from_gguf(nano_folder() / "guesser.gguf")
    guessing_rl.choose_prompt(base, tokenizer, runs.runs_folder())  # measures what is missing
    rows = read_log(path) or known()
    done = {(row["on"], row["prompt"], row["temperature"]) for row in rows}

    def add(number: int, temperature: float, on: str) -> None:
        if (on, number, temperature) not in done:
            done.add((on, number, temperature))
            rows.append(scored(base, tokenizer, number, temperature, on))
            write_log(path, rows)

    for temperature in TEMPERATURES:
        for number in range(len(PROMPTS)):
            add(number, temperature, "validation")
    for temperature in TEMPERATURES:
        add(0, temperature, "exam")  # the first prompt is the plain question
    for between in (False, True):
        add(*chosen(rows, between), "exam")


if __name__ == "__main__":
    main()
