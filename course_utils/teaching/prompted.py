"""Would a better prompt have done it? The row that stands beside each base and reinforced model.

The figures are those of ``course_utils.nano.experiments.elicitation``: twelve prompts, the best of
them chosen on validation questions, then asked the held-out ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from course_utils.errors import OptionError
from course_utils.logs import read_log
from course_utils.paths import nano_folder


@dataclass(frozen=True)
class Prompted:
    """A model with the best of twelve prompts: ``right`` of ``asked`` held-out questions.

    ``bare``: how many of the same questions it answers rightly without that prompt.
    ``chosen_on``: what prompt and no prompt reached on the validation questions, and how many these
    were; it is there that the prompt was chosen.
    """

    model: str
    prompt: str
    temperature: int
    right: int
    bare: int
    asked: int
    chosen_on: tuple[int, int, int]

    @property
    def share(self) -> float:
        """The share of right answers, from 0 to 1."""
        return self.right / self.asked

    def __str__(self) -> str:
        return f'{self.right} of {self.asked} ({self.share:.0%}), prompt "{self.prompt}"'


def prompted_base(model: str = "base", temperature: int = 0) -> Prompted:
    """The committed result of one model with its best prompt, greedily or at temperature 1.

    model: "base" (sums of three digits, as in the cards), "small base" (two digits, notebook 03),
    or a reinforced model of the same table, "thinker" or "small base, reinforced".
    Raises OptionError, with the names there are, for another one.
    """
    every = read_log(nano_folder() / "runs" / "elicitation.csv")
    rows = [r for r in every if r["exam"] == "held out" and r["temperature"] == temperature]
    mine = [row for row in rows if row["model"] == model]
    if not mine:
        known = ", ".join(dict.fromkeys(row["model"] for row in rows)) or "none"
        raise OptionError(
            f"No prompts were tried on {model!r} at temperature {temperature}.",
            f"Temperatures are 0 and 1; models at this one: {known}.",
        )
    bare = next(row for row in mine if row["prompt"] == "bare")
    best = next(row for row in mine if row["chosen"])
    validation = {
        row["prompt"]: row for row in every if row["model"] == model and row["exam"] == "validation"
    }
    chosen, plain = validation[best["prompt"]], validation["bare"]
    return Prompted(
        model,
        best["prompt"],
        temperature,
        best["right"],
        bare["right"],
        best["asked"],
        (chosen["right"], plain["right"], chosen["asked"]),
    )


def prompted_lines(models: Sequence[str]) -> list[str]:
    """A line for each model: right answers to the plain question and with its best prompt, greedily
    and at temperature 1."""
    asked = prompted_base(models[0]).asked
    lines = [
        f"{f'right of {asked}':24}{'greedy':>16}{'temperature 1':>20}",
        f"{'':24}{'plain':>8}{'best':>8}{'plain':>12}{'best':>8}   best of 12 prompts",
    ]
    for name in models:
        greedy, drawn = (prompted_base(name, temperature) for temperature in (0, 1))
        best = "the plain question" if greedy.prompt == "bare" else greedy.prompt
        lines.append(
            f"{name:24}{greedy.bare:>8}{greedy.right:>8}{drawn.bare:>12}{drawn.right:>8}   {best}"
        )
    return lines
