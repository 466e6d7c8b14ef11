"""Is it the verifier, or would any reward do? The small base, rewarded by a coin.

Published GRPO on the sums of notebook 03, with one optimiser step for each batch, as its live
training does it.  Three seeds are rewarded by the verifier and three by a coin that looks at
nothing.  Spurious rewards can raise a model that has a good habit (Shao et al., arXiv 2506.10947):
this is the control.

``python -m course_utils.nano.experiments.coin`` writes ``models/nano/runs/coin.csv``, in some
minutes on one core.  A run that is in the file already is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from random import Random

from course_utils import command_line
from course_utils.logs import read_log
from course_utils.nano import export, grpo
from course_utils.nano.experiments import elicitation, runs, sums
from course_utils.nano.experiments.runs import SEEDS
from course_utils.nano.tokenizer import load
from course_utils.paths import nano_folder

LOG = "coin"
STEPS = 30
EXAM = 200


def tossed(seed: int) -> grpo.Reward:
    """A reward of 0 or 1, whatever it is given."""
    random = Random(f"coin {seed}")
    return lambda problem, text: float(random.random() < 0.5)


REWARDS: dict[str, Callable[[int], grpo.Reward]] = {
    "verifier": lambda seed: grpo.reward,
    "coin": tossed,
}


def run(reward: str, seed: int, *, steps: int = STEPS, exam: int = EXAM) -> dict:
    """Train the shipped small base; what it then solves of held-out sums.

    At temperature 1: ``right``, ``worked`` (in writing) and ``right_worked``.  Greedily: asked
    plainly, and ``told``, with the words that ask for the working.
    """
    model, tokenizer = export.from_gguf(nano_folder() / "small-base.gguf"), load()
    changes = grpo.OBJECTIVES["GRPO"] | {"updates": 1, "learning_rate": 2e-4}
    settings = sums.reinforcement(steps=steps, seed=seed, **changes)
    for _ in grpo.train(model, tokenizer, sums.problem, settings, reward=REWARDS[reward](seed)):
        pass
    drawn = sums.ask(model, tokenizer, sums.exam(exam))
    greedy = sums.ask(model, tokenizer, sums.exam(exam), temperature=0)
    told = elicitation.replies(model, sums.exam(exam), elicitation.PROMPTS["show your working"])
    return {
        "reward": reward,
        "seed": seed,
        "steps": steps,
        "asked": exam,
        "right": drawn.right,
        "worked": drawn.thought,
        "right_worked": drawn.right_after_thought,
        "greedy": greedy.right,
        "told": elicitation.count(sums.exam(exam), told)["right"],
    }


def read_runs() -> list[dict]:
    """The committed rows."""
    return read_log(runs.log_path(LOG))


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = runs.choose(__doc__, arguments, reward=REWARDS, seed=SEEDS)
    wanted = product(chosen.reward, chosen.seed)
    runs.write_missing(LOG, ("reward", "seed"), wanted, lambda *one: [run(*one)])


if __name__ == "__main__":
    command_line.start(main)
