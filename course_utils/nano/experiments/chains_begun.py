"""Did a base lack the skill that reward brought out, or did it only stop too early?

Asked for its working, a base of 1.5 million parameters writes no sound thought of four turns or
hardly any, and reward makes it solve them all (``chains``).  But it has only read thoughts of up to
three turns, and may end its own there.  So here its thought is begun for it: with nothing, with all
lines but the last, and with the beginning of the last line, so that it cannot stop before.  The
reinforced models get the same: one that never writes a fourth line may be able to.

``python -m course_utils.nano.experiments.chains_begun`` examines the three bases of ``chains`` and
what reward made of them in a few minutes, and writes ``models/nano/runs/chains-begun.csv``.  What
is not in the cache is made first, half an hour for each seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from course_utils import command_line
from course_utils.logs import write_log
from course_utils.nano.experiments import chains, chains_exam, chains_task, runs
from course_utils.nano.experiments.chains_prompts import asking
from course_utils.nano.experiments.chains_sampling import Sampler, load_once, texts
from course_utils.nano.experiments.chains_task import REQUEST, Chain
from course_utils.nano.tokenizer import split_reply

SIZE, READING = "1.5M", chains.ARMS_READING
TABLE = "chains-begun"
LENGTHS = (3, 4, 5, 6)
CHAINS = 128
LONGEST = 130
"""Tokens of the longest prompt with a thought begun."""


def all_but_the_last(chain: Chain) -> str:
    """The lines of a thought but its last one."""
    return "\n".join(chain.thought.split("\n")[:-1]) + "\n"


REQUESTS = {"pretrained": REQUEST, "rl": ""}
"""How each arm's models are asked: for their working, or plainly, as reward was given."""

BEGUN: dict[str, Callable[[Chain], str]] = {
    "nothing": lambda chain: "",
    "all lines but the last": all_but_the_last,
    "and the last begun": lambda chain: f"{all_but_the_last(chain)}{chain.states[-2]}+",
}
"""What the thought begins with, for a chain."""


def reads_the_row(chain: Chain, text: str) -> bool:
    """Does the last line of a thought add the right row to the right digit, whatever the result?"""
    lines = split_reply(text)[0].split("\n")
    begins = f"{chain.states[-2]}+{chain.turns[-1]}="
    return len(lines) > chain.steps and lines[chain.steps].startswith(begins)


def examine(
    drawing: Sampler,
    begin: Callable[[Chain], str],
    temperature: float,
    request: str = REQUEST,
) -> list[dict]:
    """A row for each length: how many thoughts have as many lines as they should, what was begun
    for them included (``went_on``), how many add the right row in the last one (``right_row``),
    and how many replies are sound."""
    problems = [c for steps in LENGTHS for c in chains_task.exam(steps, CHAINS)]
    encode = load_once().encode
    asked = [encode(asking(c, request, begun=begin(c))).ids for c in problems]
    replied = texts(drawing.draw(asked, seed=0, temperature=temperature))
    written = [begin(c) + text for c, text in zip(problems, replied, strict=True)]
    rows = []
    for steps in LENGTHS:
        mine = [pair for pair in zip(problems, written, strict=True) if pair[0].steps == steps]
        lines = [split_reply(text)[0].count("\n") for _, text in mine]
        rows.append(
            {
                "length": steps,
                "asked": len(mine),
                "went_on": sum(count >= steps for count in lines),
                "right_row": sum(reads_the_row(*pair) for pair in mine),
                "sound": sum(chains_task.judge(*pair).sound for pair in mine),
            }
        )
    return rows


def run(seed: int, arm: str) -> list[dict]:
    """All rows of one base, or of the model that reward made of it."""
    lab = chains.Lab(SIZE, seed, runs.cache_folder() / "chains")
    if arm == "pretrained":
        chains.read(lab, [READING])
    else:
        chains.make(lab, arm, READING)
    lab.load(arm, READING)
    drawing = Sampler(lab.model, len(LENGTHS) * CHAINS, LONGEST, chains_exam.ROOM)
    return [
        lab.facts(arm, READING)
        | {"device": lab.model.device.type, "begun": name, "temperature": temperature}
        | row
        for name, begin in BEGUN.items()
        for temperature in (1, 0)
        for row in examine(drawing, begin, temperature, REQUESTS[arm])
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    runs.choose(__doc__, arguments)
    if not runs.there(runs.log_path(TABLE)):
        rows = [row for arm in REQUESTS for seed in runs.SEEDS for row in run(seed, arm)]
        write_log(runs.log_path(TABLE), rows)


if __name__ == "__main__":
    command_line.start(main)
