"""GRPO with TRL: the training of notebook 03 for a model of any size, on one GPU or several.

Swap ``problems`` and ``reward`` for your own; everything else is the recipe.  In an environment
of its own (``pip install "trl[vllm]"``), from the repository's root::

    # One GPU; TRL itself writes the completions.
    python docs/grpo_with_trl.py --model Qwen/Qwen2.5-0.5B-Instruct

    # One machine, four GPUs; vLLM writes the completions, on the GPUs that train.
    accelerate launch --num_processes 4 docs/grpo_with_trl.py --model ... --vllm colocate

    # vLLM on a GPU of its own, three GPUs train.
    CUDA_VISIBLE_DEVICES=0 trl vllm-serve --model ... &
    CUDA_VISIBLE_DEVICES=1,2,3 accelerate launch --num_processes 3 docs/grpo_with_trl.py \\
        --model ... --vllm server

    # The course's small base on a CPU, in a few minutes (``pip install trl``).
    python docs/grpo_with_trl.py --model nano --steps 20

The last line is tried, with TRL 1.16 and transformers 5.24: reward rises from 0.44 to 0.91.  The
lines with GPUs are not tried by the course, which has none; their options are those of TRL's
documentation (https://huggingface.co/docs/trl/grpo_trainer,
https://huggingface.co/docs/trl/vllm_integration).
Past one machine, take an engine made for it: verl, OpenRLHF, NeMo RL.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from random import Random

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the course, not installed here

LAST_NUMBER = re.compile(r"-?\d+(?!.*\d)", re.DOTALL)


def problems(number: int, digits: int) -> Dataset:
    """Sums with ``digits`` digits; columns beside ``prompt`` are handed to the reward."""
    random, low = Random(1), 10 ** (digits - 1)
    pairs = [[random.randrange(low, 10 * low) for _ in range(2)] for _ in range(number)]
    asked = "What is {} + {}? Think first, and end with the number alone."
    return Dataset.from_dict(
        {
            "prompt": [[{"role": "user", "content": asked.format(*pair)}] for pair in pairs],
            "answer": [str(sum(pair)) for pair in pairs],
        }
    )


def reward(completions, answer, **_) -> list[float]:
    """1 for a completion whose last number is the answer, else 0."""
    found = [LAST_NUMBER.search(completion[0]["content"]) for completion in completions]
    return [float(bool(f) and f.group() == a) for f, a in zip(found, answer, strict=True)]


def nano(number: int) -> dict:
    """The course's small base, its sums, and its own verifier, as ``GRPOTrainer`` takes them."""
    from transformers import PreTrainedTokenizerFast

    from course_utils.nano import grpo, tokenizer
    from course_utils.nano.experiments import sums
    from course_utils.nano.export import from_gguf
    from course_utils.nano.transformers_twin import as_qwen2
    from course_utils.paths import nano_folder

    pieces, random = tokenizer.load(), Random(1)
    drawn = [sums.problem(random) for _ in range(number)]

    def verified(completion_ids, which, **_) -> list[float]:
        texts = [tokenizer.decode(pieces, ids) for ids in completion_ids]
        return [grpo.reward(drawn[n], text) for n, text in zip(which, texts, strict=True)]

    return {
        "model": as_qwen2(from_gguf(nano_folder() / "small-base.gguf"), pieces),
        "processing_class": PreTrainedTokenizerFast(
            tokenizer_object=pieces,
            eos_token=tokenizer.END,
            pad_token=tokenizer.END_OF_TEXT,
            padding_side="left",
        ),
        "train_dataset": Dataset.from_dict(
            {
                "prompt": [tokenizer.render(problem.question) for problem in drawn],
                "which": list(range(number)),
            }
        ),
        "reward_funcs": verified,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help='a name on the Hub, a folder, or "nano"')
    parser.add_argument("--vllm", choices=("colocate", "server"), help="let vLLM write")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--digits", type=int, default=6)
    parser.add_argument("--output", default="grpo-output")
    options = parser.parse_args()
    small = options.model == "nano"
    if small:
        parts = nano(options.steps * 16)
    else:
        parts = {
            "model": options.model,
            "train_dataset": problems(10_000, options.digits),
            "reward_funcs": reward,
        }
    settings = GRPOConfig(
        output_dir=options.output,
        max_steps=options.steps,
        # DAPO's objective; "grpo" and "dr_grpo" are the others of notebook 03.
        loss_type="dapo",
        beta=0.0,
        epsilon=0.2,
        epsilon_high=0.28,
        num_generations=8,
        # Completions at once on each device, and over how many of those a step is made.
        per_device_train_batch_size=128 if small else 8,
        gradient_accumulation_steps=1 if small else 8,
        max_completion_length=48 if small else 1024,
        temperature=1.0,
        learning_rate=2e-4 if small else 1e-6,
        lr_scheduler_type="constant",
        bf16=not small,
        use_cpu=small,
        use_vllm=options.vllm is not None,
        vllm_mode=options.vllm or "colocate",
        logging_steps=1,
        report_to="none",
        save_strategy="no" if small else "steps",
    )
    GRPOTrainer(args=settings, **parts).train()


if __name__ == "__main__":
    main()
