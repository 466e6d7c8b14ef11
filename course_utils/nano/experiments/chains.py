"""Does a small model with reward equal a larger one without? Chains of up to eight turns.

Base models of several sizes read chains; only those of up to three turns are ever worked
(``chains_corpus``).  Then each arm spends as much computing as one more unit of reading:
reinforcement learning on chains of one to four turns (``rl``), worked solutions of the same
chains (``sft``), the model's own right answers to them (``rft``), or the unit of reading itself.
The exam asks chains of one to eight turns; from three turns on no model has trained on them (of one
turn there are only 90, of two 810).

There is no arm for distillation from a larger reinforced model.  A chain has one sound thought, so
from two turns on a teacher that is always sound writes the solutions of ``sft``, word for word.

``python -m course_utils.nano.experiments.chains --size 0.2M --arm rl --seed 1`` makes the runs of
one size, arm and seed, on the GPU if there is one and else on one core; with fewer choices it makes
all that are missing.  A finished run is left alone.  The rows of all runs are put into
``models/nano/runs/chains.csv`` and three tables beside it.

Operations are counted as in ``operations``: 6 for each working parameter and token trained on, 2
for each token drawn or read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch

from course_utils import command_line
from course_utils.logs import read_log, write_log
from course_utils.nano import pretrain
from course_utils.nano.experiments import (
    chains_corpus,
    chains_exam,
    chains_imitation,
    chains_learning,
    chains_prompts,
    chains_rl,
    chains_tables,
    sums,
)
from course_utils.nano.experiments.chains_rl import Spent
from course_utils.nano.experiments.chains_sampling import Sampler
from course_utils.nano.experiments.operations import working_parameters
from course_utils.nano.experiments.runs import SEEDS, cache_folder
from course_utils.nano.shape import Shape

ARMS = chains_tables.ARMS
READINGS = (1, 2, 3, 4)
"""How many units a base model reads."""

READ = tuple(("pretrained", reading) for reading in READINGS)
SMALL = (*READ, ("rl", 2), ("sft", 2), ("rft", 2), ("rl", 3))
MIDDLE = (*READ, ("rl", 2), ("sft", 2), ("rft", 2))
PLAN = {"0.2M": SMALL, "0.7M": SMALL, "1.5M": MIDDLE, "3.5M": READ}
"""Which arms each size has, and after how many units.

Planned and not run: reward after one unit, at the three smaller sizes; reward after three, at 1.5M;
reward at 3.5M; distillation, at the two smallest.  The time on a GPU ran out, and the plan was cut
to the runs that were there: it was not fixed beforehand.  All runs that were made are in the table,
but for five: 1.5M after two units was run again later, each seed with its base and all its arms on
one core, since imitation has to begin at the same base as reward.  The three bases and two runs of
reward that this replaced are in ``chains-first.csv``.  So the bases of that size after one, three
and four units come from other readings than those after two."""

FEWER_SEEDS = {("3.5M", "pretrained"): (1,)}
"""Where there are fewer than ``SEEDS``, for the same reason."""

UNIT, BATCH = chains_tables.UNIT, 32
"""Tokens in a unit of reading, and rows in a step of it."""

UNIT_STEPS = UNIT // (BATCH * chains_corpus.ROW)

DECAY = 96
"""Steps in which the learning rate falls to nothing before a base model is examined.  Until then
it is constant, so that one run passes through all readings (arXiv 2404.06395, section 4)."""


@dataclass(frozen=True)
class Size:
    """A shape, and the learning rates of reading, of reward and of imitation.

    They come from pilots with other tasks, and reward's from the sums (a tenth of the rate that
    they were read with).  ``chains_rates`` says what others give, and which it would choose.
    """

    shape: Shape
    reading: float
    reward: float
    imitation: float


SIZES = {
    "0.2M": Size(sums.SIZES["0.2M"].shape, 3e-3, 3e-4, 5e-4),
    "0.7M": Size(sums.SIZES["0.7M"].shape, 1.5e-3, 2.5e-4, 5e-4),
    "1.5M": Size(sums.SIZES["1.5M"].shape, 1.5e-3, 2e-4, 5e-4),
    "3.5M": Size(sums.SIZES["3.5M"].shape, 1e-3, 1.5e-4, 5e-4),
}

SHORT = (1, 2, 3, 4)
"""Turns of the chains that the arms train on."""

ARMS_READING = 2
"""Where the arms of imitation begin."""

EXAMS = 4
"""How often a run is examined on its way."""


class Lab:
    """One size and seed: a model whose weights the runs put in place, and what examines it."""

    def __init__(self, size: str, seed: int, folder: Path, stop: float = float("inf")):
        self.size, self.seed, self.folder, self.stop = size, seed, folder, stop
        self.rates = SIZES[size]
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = pretrain.new_model(SIZES[size].shape, seed).to(device)
        self.working = working_parameters(self.model)
        self.examiner = chains_exam.sampler(self.model)
        self.asker = chains_exam.sampler(self.model, prompt_tokens=72)
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def budget(self) -> int:
        """Operations an arm may spend: those of a unit of reading."""
        return 6 * self.working * UNIT

    def path(self, arm: str, reading: int, suffix: str) -> Path:
        return self.folder / f"{arm}-{self.size}-{reading}-{self.seed}{suffix}"

    def facts(self, arm: str, reading: int, spent: Spent | None = None) -> dict:
        before = 6 * self.working * reading * UNIT
        after = spent.flops if spent else 0
        return {
            "arm": arm,
            "size": self.size,
            "seed": self.seed,
            "parameters": self.model.parameter_count(),
            "working_parameters": self.working,
            "reading_tokens": reading * UNIT,
            "pretraining_flops": before,
            "arm_flops": after,
            "total_flops": before + after,
        }

    def exams(self, facts: dict, name: str = "bare", drawing: Sampler | None = None) -> list[dict]:
        """Rows for both temperatures and all lengths, by a prompt of ``chains_prompts``."""
        drawing = drawing or self.examiner
        ask = chains_prompts.ids(name) if name != "bare" else chains_corpus.prompt
        return [
            facts | {"prompt": name, "temperature": temperature} | row
            for temperature in (1, 0)
            for row in chains_exam.examine(
                drawing, ask=ask, begun=chains_prompts.begun(name), temperature=temperature
            )
        ]

    def validation(self) -> float:
        """Share of short validation chains that come out right at temperature 1."""
        rows = chains_exam.examine(self.examiner, exam="validation", seed=1)
        return chains_exam.accuracy(rows, set(SHORT))

    def save_many(self, reading: int) -> None:
        """Many replies to each chain, before and after reward; leaves other weights behind."""
        rows = []
        for arm, name in (("pretrained", "bare"), ("pretrained", "request"), ("rl", "bare")):
            self.load(arm, reading)
            counted = chains_exam.many(self.asker, ask=chains_prompts.ids(name))
            rows += [self.facts(arm, reading) | {"prompt": name} | row for row in counted]
        write_log(self.path("many", reading, ".csv"), rows)

    def load(self, arm: str, reading: int) -> None:
        self.model.load_state_dict(torch.load(self.path(arm, reading, ".pt")))

    def save(self, arm: str, reading: int, weights: dict | None = None) -> None:
        weights = weights or self.model.state_dict()
        weights = {name: tensor.cpu() for name, tensor in weights.items()}
        pretrain.save_state(self.path(arm, reading, ".pt"), **weights)


def pretrained(lab: Lab, reading: int) -> list[dict]:
    """Read; the base model is examined bare, and with the best of twelve prompts."""
    lab.load("pretrained", reading)
    facts = lab.facts("pretrained", reading) | progress(0, lab.validation(), chosen=1)
    # Long prompts take much memory on a GPU: it is given back when this sampler goes.
    prompter = chains_exam.sampler(lab.model, 64, chains_prompts.LONGEST)
    best = best_prompt(lab, reading, prompter)
    return lab.exams(facts) + lab.exams(facts, best, prompter)


def read(lab: Lab, readings: Sequence[int]) -> None:
    """Make those base models of these readings that are missing, in one run through all of them."""
    readings = [r for r in readings if not lab.path("pretrained", r, ".pt").exists()]
    lab.model.load_state_dict(pretrain.new_model(SIZES[lab.size].shape, lab.seed).state_dict())
    reads, rate = chains_corpus.Reading(), lab.rates.reading
    learner = None

    def learn(random: Random, rate: float):
        nonlocal learner
        batch = chains_corpus.rows(random, BATCH, reads)
        learner = learner or chains_learning.Learner(lab.model, *batch, weight_decay=0.1)
        return learner.learn(*batch, rate)

    random, step = Random(f"reading {lab.seed}"), 0
    for reading in range(1, max(readings, default=0) + 1):
        while step < reading * UNIT_STEPS - DECAY:
            step += 1
            learn(random, rate * min(1, step / 40))
        if reading in readings:
            trunk, branch = learner.snapshot(), Random(f"reading {lab.seed} {reading}")
            for left in range(DECAY, 0, -1):
                loss = learn(branch, rate * left / DECAY)
            print(lab.size, lab.seed, "read", reading, "loss", round(loss.item(), 3), flush=True)
            lab.save("pretrained", reading)
            learner.restore(trunk)


def best_prompt(lab: Lab, reading: int, prompter: Sampler) -> str:
    """The prompt that does best on validation chains of all lengths, greedily; all are noted."""
    rows = []
    for name in chains_prompts.PROMPTS:
        ask = chains_prompts.ids(name)
        exam = chains_exam.examine(
            prompter,
            exam="validation",
            ask=ask,
            begun=chains_prompts.begun(name),
            temperature=0,
        )
        facts = {"size": lab.size, "seed": lab.seed, "reading_tokens": reading * UNIT}
        rows += [facts | {"prompt": name} | row for row in exam]
    write_log(lab.path("prompts", reading, ".csv"), rows)
    names = [name for name in chains_prompts.PROMPTS if name != "bare"]
    return max(names, key=lambda name: sum(r["sound"] for r in rows if r["prompt"] == name))


def progress(step: int, validation: float, chosen: int = 0) -> dict:
    return {"step": step, "validation": round(validation, 4), "chosen": chosen}


def followed(lab: Lab, arm: str, reading: int, spent: Spent, run: Iterator) -> list[dict]:
    """Examine a run on its way, and keep its best weights by validation; its rows."""
    budget, rows, best, kept = lab.budget, [], -1.0, {}
    for step, _ in enumerate(run, 1):
        over = spent.flops >= budget or time.time() > lab.stop
        if over or spent.flops >= budget * (1 + len(rows)) / EXAMS:
            share = lab.validation()
            facts = lab.facts(arm, reading, spent) | progress(step, share)
            rows.append(lab.exams(facts))
            if share > best:
                best, chosen = share, len(rows) - 1
                kept = {n: t.clone() for n, t in lab.model.state_dict().items()}
        if over:
            break
    for row in rows[chosen]:
        row["chosen"] = 1
    lab.model.load_state_dict(kept)
    lab.save(arm, reading)
    print(lab.size, lab.seed, arm, reading, "steps", step, "best", round(best, 3), flush=True)
    return [row for exam in rows for row in exam]


def rl(lab: Lab, reading: int) -> list[dict]:
    """GRPO on short chains."""
    lab.load("pretrained", reading)
    spent, log = Spent(lab.working), []
    rate = lab.rates.reward
    settings = chains_rl.Settings(steps=SHORT, seed=lab.seed, learning_rate=rate)

    def noted() -> Iterator[dict]:
        for record in chains_rl.reinforce(lab.model, settings, spent):
            log.append(
                lab.facts("rl", reading, spent) | {k: round(v, 4) for k, v in record.items()}
            )
            yield record

    rows = followed(lab, "rl", reading, spent, noted())
    write_log(lab.path("steps", reading, ".csv"), log)
    if reading == ARMS_READING:
        lab.save_many(reading)
    return rows


def falling(rate: float) -> Callable[[float], float]:
    return lambda share: rate * max(0.05, 1 - share)


def imitated(lab: Lab, arm: str, reading: int, spent: Spent, solutions: Iterator) -> list[dict]:
    """Train the base model on solutions, with what is left of the budget."""
    lab.load("pretrained", reading)
    rate = falling(lab.rates.imitation)
    run = chains_imitation.imitate(lab.model, solutions, rate, lab.budget, spent)
    return followed(lab, arm, reading, spent, run)


def sft(lab: Lab, reading: int) -> list[dict]:
    """Supervised fine-tuning on worked solutions."""
    solutions = chains_imitation.worked(Random(f"sft {lab.seed}"), SHORT)
    return imitated(lab, "sft", reading, Spent(lab.working), solutions)


def rft(lab: Lab, reading: int, arm: str = "rft", prompt: str = "bare") -> list[dict]:
    """Fine-tuning on the model's own right answers; drawing them takes half of the budget."""
    lab.load("pretrained", reading)
    spent, half = Spent(lab.working), lab.budget // 2
    own = chains_imitation.right_answers(lab.model, SHORT, half, spent, lab.seed, prompt=prompt)
    solutions = chains_imitation.again_and_again(own, Random(f"rft {lab.seed}"))
    return imitated(lab, arm, reading, spent, solutions)


def prompted_rft(lab: Lab, reading: int) -> list[dict]:
    """The same with right answers that were drawn with the prompt that is best on short chains."""
    path = lab.path("prompts", reading, ".csv")
    if not path.exists():
        lab.load("pretrained", reading)
        best_prompt(lab, reading, chains_exam.sampler(lab.model, 64, chains_prompts.LONGEST))
    rows = read_log(path)
    sound = dict.fromkeys(chains_prompts.PROMPTS, 0)
    for row in rows:
        sound[row["prompt"]] += row["sound"] * (row["length"] in SHORT)
    return rft(lab, reading, "prompted-rft", max(sound, key=sound.get))


RUNS: dict[str, Callable[[Lab, int], list[dict]]] = {
    "pretrained": pretrained,
    "rl": rl,
    "sft": sft,
    "rft": rft,
    "prompted-rft": prompted_rft,
}


def plan(size: str, seed: int) -> list[tuple[str, int]]:
    """The runs of one size and seed: arms, and how many units their bases read."""
    return [
        (arm, reading) for arm, reading in PLAN[size] if seed in FEWER_SEEDS.get((size, arm), SEEDS)
    ]


def make(lab: Lab, arm: str, reading: int) -> None:
    """Make one run and write its rows, unless it is there or time is up."""
    path = lab.path(arm, reading, ".csv")
    if not path.exists() and time.time() < lab.stop:
        started = time.time()
        if not lab.path("pretrained", reading, ".pt").exists():
            read(lab, READINGS if lab.model.device.type == "cuda" else [reading])
        rows = RUNS[arm](lab, reading)
        seconds = round(time.time() - started, 1)
        rows = [row | {"seconds": seconds, "device": lab.model.device.type} for row in rows]
        write_log(path, rows)


def missing() -> list[tuple[str, int, str, int]]:
    """Runs of the plan that the committed table lacks, as (size, seed, arm, reading)."""
    done = {chains_tables.key(row) for row in chains_tables.read()}
    return [
        (size, seed, arm, reading)
        for size in SIZES
        for seed in SEEDS
        for arm, reading in plan(size, seed)
        if (arm, size, seed, reading * UNIT) not in done
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_line.parser(__doc__)
    parser.add_argument("--size", choices=SIZES, help="only this one")
    parser.add_argument("--arm", choices=ARMS, help="only this one")
    parser.add_argument("--seed", type=int, choices=SEEDS, help="only this one")
    parser.add_argument("--reading", type=int, choices=READINGS, help="only this one")
    parser.add_argument(
        "--seconds", type=command_line.positive, default=float("inf"), help="begin nothing after"
    )
    parser.add_argument(
        "--again", action="store_true", help="make a finished run again in the cache, to compare"
    )
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("high")  # on a GPU: TF32
    folder, stop = cache_folder() / "chains", time.time() + chosen.seconds
    for size in [chosen.size] if chosen.size else SIZES:
        for seed in [chosen.seed] if chosen.seed else SEEDS:
            wanted = [
                (arm, reading)
                for arm, reading in plan(size, seed)
                if chosen.arm in (None, arm)
                and chosen.reading in (None, reading)
                and (chosen.again or (size, seed, arm, reading) in missing())
            ]
            lab = Lab(size, seed, folder, stop) if wanted else None
            for arm, reading in wanted:
                make(lab, arm, reading)
    chains_tables.collect(folder)


if __name__ == "__main__":
    command_line.start(main)
