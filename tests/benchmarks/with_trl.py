"""How long does a general trainer take for the same lesson? TRL's ``GRPOTrainer`` beside ours.

Both start from the shipped small base of notebook 03, meet the same problems in the same order,
and have the same reward, group size, batch, learning rate and clips.  Each trains on one thread
until it solves 90 % of a held-out exam (written after every batch, off the clock), and 40 batches
at least.  The aim: ours is there 10 times sooner.  ``models/nano/runs/trl-comparison.csv`` gets
what was measured, whatever it is.

TRL is not a dependency of the course.  To run this again, give it an environment of its own, with
the course's version of PyTorch and without CUDA::

    python -m venv trl-environment
    trl-environment/bin/pip install torch==2.13.0
    trl-environment/bin/pip install torch==2.13.0 trl httpx tokenizers jinja2 gguf numpy psutil
    trl-environment/bin/python -m tests.benchmarks.with_trl

Options: ``--seeds 1 2 3``, ``--profile`` (where TRL's time goes; writes no report).
Sources: TRL, https://github.com/huggingface/trl; the settings' meaning,
https://huggingface.co/docs/trl/grpo_trainer.
"""

from __future__ import annotations

import argparse
import copy
import cProfile
import pstats
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from random import Random
from unittest.mock import patch

import torch
from datasets import Dataset
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from course_utils.logs import write_log
from course_utils.machine import this_machine
from course_utils.nano import grpo
from course_utils.nano.experiments import objectives, sums
from course_utils.nano.export import from_gguf
from course_utils.nano.model import Transformer
from course_utils.nano.tokenizer import END, END_OF_TEXT, decode, load, render
from course_utils.nano.transformers_twin import as_qwen2, name_in_transformers
from course_utils.paths import nano_folder
from tests.benchmarks.report import show_place

REPORT = nano_folder() / "runs" / "trl-comparison.csv"
EXAMS = nano_folder() / "runs" / "trl-comparison-exams.csv"
OURS, THEIRS = "course_utils.nano.grpo", "trl.GRPOTrainer"
COMMAND = "python -m tests.benchmarks.with_trl"
THREADS = 1
GOAL, CHECK_EVERY, LIMIT_SECONDS = 0.9, 1, 480.0
BATCHES = 40  # at least; the goal may be reached before or after
MOST_BATCHES = 500  # how many batches of problems are laid out for TRL, more than it can need


class Race:
    """One trainer's way to the goal: a clock that stands still while the exam is written."""

    def __init__(self, trainer: str, tokenizer: Tokenizer, seed: int, batches: int):
        self.trainer, self.tokenizer, self.seed, self.least = trainer, tokenizer, seed, batches
        self.problems = sums.exam()
        self.batches = self.tokens = 0
        self.seconds = self.seconds_writing = 0.0
        self.exams: list[dict] = []
        self.goal: dict | None = None  # the first exam with at least 90 %
        self._started: float | None = None

    def start(self) -> None:
        self._started = time.perf_counter()

    def stop(self) -> None:
        if self._started is not None:
            self.seconds += time.perf_counter() - self._started
            self._started = None

    def writing(self, function: Callable) -> Callable:
        """``function`` with its time also counted as time spent on writing completions."""

        def timed(*args, **named):
            started = time.perf_counter()
            result = function(*args, **named)
            if self._started is not None:  # not while the exam is written
                self.seconds_writing += time.perf_counter() - started
            return result

        return timed

    def over(self, model: Transformer) -> bool:
        """Write the exam if it is due; is the goal reached and the least run, or the time over?"""
        self.stop()
        if self.batches % CHECK_EVERY == 0:
            share = grpo.accuracy(model, self.tokenizer, self.problems, sums.MAX_TOKENS)
            exam = {
                "trainer": self.trainer,
                "seed": self.seed,
                "batches": self.batches,
                "tokens": self.tokens,
                "seconds": round(self.seconds, 2),
                "accuracy": round(share, 4),
            }
            print(exam, flush=True)
            self.exams.append(exam)
            if share >= GOAL and not self.goal:
                self.goal = exam
        done = self.goal is not None and self.batches >= self.least
        if done or self.seconds > LIMIT_SECONDS:
            return True
        self.start()
        return False

    def row(self) -> dict[str, object]:
        """The report's row: when the goal was reached, and the speed over the whole run."""
        return {
            **(self.goal or self.exams[-1]),
            "reached_90_percent": int(self.goal is not None),
            "all_batches": self.batches,
            "seconds_per_batch": round(self.seconds / self.batches, 4),
            "tokens_per_second": round(self.tokens / self.seconds),
            "share_writing": round(self.seconds_writing / self.seconds, 3),
        }


def with_ours(model: Transformer, tokenizer: Tokenizer, settings: grpo.Settings, batches: int):
    """The race of ``course_utils.nano.grpo``, from a copy of ``model``."""
    race, learner = Race(OURS, tokenizer, settings.seed, batches), copy.deepcopy(model)
    race.over(learner)
    with patch.object(grpo, "sample", race.writing(grpo.sample)):
        for record in grpo.train(learner, tokenizer, sums.problem, settings):
            race.batches += 1
            race.tokens += round(record["length"] * settings.problems * settings.group)
            if race.over(learner):
                break
    return race


def with_trl(model: Transformer, tokenizer: Tokenizer, settings: grpo.Settings, batches: int):
    """The race of TRL, from a copy of ``model``; each setting is ours in TRL's words.

    TRL cuts a batch of completions into ``steps_per_generation`` parts and makes an optimiser step
    with each, as ``grpo.update`` does.
    """
    race, learner = Race(THEIRS, tokenizer, settings.seed, batches), copy.deepcopy(model)
    twin = as_qwen2(model, tokenizer)
    twin.generate = race.writing(twin.generate)

    class Checks(TrainerCallback):
        def on_train_begin(self, args, state, control, **_):
            race.over(learner)

        def on_step_end(self, args, state, control, **_):
            if state.global_step % settings.updates == 0:
                race.batches += 1
                race.stop()
                weights = twin.state_dict()
                learner.load_state_dict(
                    {name: weights[name_in_transformers(name)] for name in learner.state_dict()}
                )
                control.should_training_stop = race.over(learner)

    def reward(completion_ids, number, **_):
        race.tokens += sum(map(len, completion_ids))
        texts = [decode(tokenizer, tokens) for tokens in completion_ids]
        return [grpo.reward(drawn[n], text) for n, text in zip(number, texts, strict=True)]

    drawn = [p for step in range(1, MOST_BATCHES + 1) for p in problems_of(settings, step)]
    questions = Dataset.from_dict(
        {
            "prompt": [render(problem.question) for problem in drawn],
            "number": list(range(len(drawn))),
        }
    )
    batch = settings.problems * settings.group
    with tempfile.TemporaryDirectory() as folder:
        trainer = GRPOTrainer(
            twin,
            reward_funcs=reward,
            train_dataset=questions,
            processing_class=PreTrainedTokenizerFast(
                tokenizer_object=tokenizer,
                eos_token=END,
                pad_token=END_OF_TEXT,
                padding_side="left",
            ),
            callbacks=[Checks()],
            args=GRPOConfig(
                output_dir=folder,
                seed=settings.seed,
                # The batch: 128 completions, an optimiser step with each half of them.
                per_device_train_batch_size=batch // settings.updates,
                steps_per_generation=settings.updates,
                gradient_accumulation_steps=1,
                num_generations=settings.group,
                num_iterations=1,
                max_steps=MOST_BATCHES * settings.updates,
                shuffle_dataset=False,
                # Writing: nothing but the temperature shapes the distribution.
                max_completion_length=settings.max_tokens,
                temperature=settings.temperature,
                top_p=1.0,
                top_k=0,
                use_vllm=False,
                # The loss: a mean over tokens, DAPO's clips, no KL penalty, no reference model.
                loss_type="dapo",
                epsilon=settings.clip_low,
                epsilon_high=settings.clip_high,
                beta=settings.kl,
                scale_rewards="group",
                mask_truncated_completions=False,
                # The optimiser, with a constant learning rate.
                learning_rate=settings.learning_rate,
                lr_scheduler_type="constant",
                warmup_steps=0,
                adam_beta1=0.9,
                adam_beta2=0.99,
                weight_decay=0.0,
                max_grad_norm=1.0,
                # The machine.  What would only cost time is off: 16 bits (slow without the
                # processor's help), recomputing to save memory, logs, saving, loading workers.
                use_cpu=True,
                bf16=False,
                gradient_checkpointing=False,
                dataloader_num_workers=0,
                dataloader_pin_memory=False,
                logging_strategy="no",
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
            ),
        )
        torch.set_num_threads(THREADS)
        trainer.train()
    return race


def settings_of(seed: int) -> grpo.Settings:
    """Those of notebook 03's training, for as many batches as a race may take."""
    return sums.reinforcement(steps=MOST_BATCHES, seed=seed, learning_rate=objectives.LEARNING_RATE)


def problems_of(settings: grpo.Settings, step: int) -> list:
    """The problems that ``grpo.train`` draws for a step."""
    random = Random(f"{settings.seed} {step}")
    random.getrandbits(63)  # the seed of the completions is drawn first
    return [sums.problem(random) for _ in range(settings.problems)]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--profile", action="store_true", help="where does TRL's time go?")
    options = parser.parse_args(arguments)
    torch.set_num_threads(THREADS)
    tokenizer = load()
    base = from_gguf(nano_folder() / "small-base.gguf")
    if options.profile:
        with cProfile.Profile() as profile:
            with_trl(base, tokenizer, settings_of(1), batches=10)
        pstats.Stats(profile).sort_stats("cumulative").print_stats(60)
        return
    rows, exams = [], []
    for seed in options.seeds:
        settings = settings_of(seed)
        ours = with_ours(base, tokenizer, settings, BATCHES)
        for race in (ours, with_trl(base, tokenizer, settings, BATCHES)):
            row = race.row()
            row["times_our_seconds"] = round(row["seconds"] / ours.row()["seconds"], 2)
            rows.append(row)
            exams += race.exams
    about = {
        "cpu": this_machine().cpu_name,
        "threads": THREADS,
        "parameters": base.parameter_count(),
        **{library: version(library) for library in ("torch", "transformers", "trl")},
        "command": f"{COMMAND} --seeds {' '.join(map(str, options.seeds))}",
    }
    REPORT.parent.mkdir(exist_ok=True)
    write_log(REPORT, [row | about for row in rows])
    write_log(EXAMS, exams)
    show_place(REPORT)
    show_place(EXAMS)


if __name__ == "__main__":
    main()
