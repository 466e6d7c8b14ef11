"""What is left of a policy when its answers say nothing? A coin's answers, and another number's.

A coin contradicts itself within a game, which no game in the base's corpus did; a policy may fail
under it for being confused.  The answers for another number of the interval (``guessing.misled``)
agree with themselves and are as useless.

``python -m course_utils.agents.experiments.guessing_noise`` plays the exam with the base and with
each seed's reinforced policy, their likeliest tokens and all three kinds of answer.
``models/nano/runs/guessing-noise.csv`` has in how many episodes each found the hidden number, and
in how many the other one.  It takes a minute on one core; the policies of the second and third
seed are trained again where ``guessing_rl`` has left no state of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from tokenizers import Tokenizer

from course_utils.agents import guessing
from course_utils.agents.experiments import guessing_rl
from course_utils.agents.experiments.guessing_prompts import PROMPTS
from course_utils.agents.guessing import RIGHT, Guessing
from course_utils.agents.rollout import play
from course_utils.logs import write_log
from course_utils.nano import export
from course_utils.nano.experiments import runs
from course_utils.nano.experiments.runs import SEEDS
from course_utils.nano.model import Transformer
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder

ANSWERS: dict[str, Callable[[int], list[Guessing]]] = {
    "true": lambda n: guessing.exam(n, guessing_rl.EXAM),
    "a coin's": lambda n: guessing.exam(n, guessing_rl.EXAM, noise=True),
    "another number's": lambda n: guessing.misled(guessing.exam(n, guessing_rl.EXAM)),
}
"""Where the answers come from, and the exam with them."""


def measured(
    policy: str,
    seed: int | str,
    model: Transformer,
    tokenizer: Tokenizer,
    asked: Callable[[Guessing], Guessing],
    episodes: int = guessing_rl.EXAMINED,
) -> list[dict]:
    """A row for each kind of answer; ``asked`` says how the policy is asked.

    ``found``: episodes in which it named the hidden number; ``found_instead``: the number that the
    answers were about.
    """
    rows = []
    for answers, exam in ANSWERS.items():
        played = play(model, tokenizer, [asked(e) for e in exam(episodes)], temperature=0)
        told_right = sum(rollout.turns[-1][1] == RIGHT for rollout in played)
        found = sum(rollout.success for rollout in played)
        rows.append(
            {
                "policy": policy,
                "seed": seed,
                "answers": answers,
                "episodes": episodes,
                "found": found,
                "found_instead": told_right - found,
                "turns": round(fmean(len(rollout.turns) for rollout in played), 3),
            }
        )
        print(rows[-1], flush=True)
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    runs.choose(__doc__, arguments)
    path, tokenizer, logs = runs.log_path("guessing-noise"), load(), runs.runs_folder()
    if runs.there(path):
        return
    base = export.from_gguf(nano_folder() / "guesser.gguf")
    number, _ = guessing_rl.choose_prompt(base, tokenizer, logs, ["likeliest"])
    rows = measured("base", "", base, tokenizer, lambda episode: episode)
    rows += measured("base, best prompt", "", base, tokenizer, PROMPTS[number].apply)
    for seed in SEEDS:
        if seed == SEEDS[0]:
            model = export.from_gguf(nano_folder() / f"{guessing_rl.NAME}.gguf")
        else:
            model = guessing_rl.reinforced(seed, tokenizer, logs, runs.cache_folder())
        rows += measured("reinforced", seed, model, tokenizer, lambda episode: episode)
    write_log(path, rows)


if __name__ == "__main__":
    main()
