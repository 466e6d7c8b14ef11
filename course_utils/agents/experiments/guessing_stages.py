"""What could the base do before it read everybody's games? Its exam after each stage of reading.

If it played as well after the games of those who listen as it does after reward, then reward has
brought back what the last stage had buried.  ``python -m
course_utils.agents.experiments.guessing_stages`` pretrains the model as ``guesser`` does, about
half an hour on one core, up to the last stage but one, and writes
``models/nano/runs/guessing-stages.csv``: how each stage's model plays the exam, greedily and drawn
at temperature 1.  The last row is the shipped model's.  A stopped run goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from course_utils.agents import guessing, measure
from course_utils.agents.experiments import guesser, guessing_rl
from course_utils.logs import write_log
from course_utils.nano import export
from course_utils.nano.experiments import runs
from course_utils.nano.model import Transformer
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder

NAME = "guessing-stages"


def models() -> Iterator[tuple[str, Transformer]]:
    """Each stage's name, and the model after it; the last one is the shipped file."""
    *_, last = guesser.STAGES
    for stage, model, _ in guesser.stages(runs.cache_folder(), before=last):
        yield stage, model
    yield last, export.from_gguf(nano_folder() / f"{guesser.NAME}.gguf")


def main(arguments: Sequence[str] | None = None) -> None:
    runs.choose(__doc__, arguments)
    path, tokenizer, rows = runs.log_path(NAME), load(), []
    if runs.there(path):
        return
    for stage, model in models():
        for decoding, temperature in guessing_rl.DECODINGS.items():
            exam = guessing.exam(guessing_rl.EXAMINED, guessing_rl.EXAM)
            score = measure.score_policy(model, tokenizer, exam, temperature=temperature)
            rows.append({"stage": stage, "decoding": decoding} | guessing_rl.row(score))
            print(rows[-1], flush=True)
    write_log(path, rows)


if __name__ == "__main__":
    main()
