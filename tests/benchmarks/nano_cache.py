"""How much worse is the nano thinker with a KV cache of fewer bits? The same exam, one cache each.

llama.cpp rotates keys and values before it stores them in 8 or 4 bits, so that no single large
number spoils a block (pull request 21038).  The last row leaves the rotation out, to show what it
is worth.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from random import Random

import numpy as np

from course_utils.engines import GREEDY, open_model
from course_utils.machine import this_machine
from course_utils.model_files.architectures import cache_bytes_per_value
from course_utils.nano.measure import exam_problems, measure
from course_utils.nano.tasks import completion
from course_utils.paths import nano_folder
from course_utils.progress import Progress
from tests.benchmarks.report import show_place, write_report

KINDS = (("f32", True), ("f16", True), ("q8_0", True), ("q4_0", True), ("q4_0", False))
PROBLEMS = 300
TEXTS = 40


def main() -> None:
    model = nano_folder() / "thinker.gguf"
    problems = exam_problems(n=PROBLEMS)
    rows, reference = [], None
    with Progress("measuring", len(KINDS)) as progress:
        for done, (kind, rotated) in enumerate(KINDS):
            with _rotation(rotated), open_model(model, kv_type=kind) as engine:
                found = measure(model, problems, GREEDY, kv_type=kind)
                surprises = [_surprises(engine, problem) for problem in problems[:TEXTS]]
            surprise = np.concatenate(surprises)
            reference = surprise if reference is None else reference
            rows.append(
                {
                    "kv_type": kind,
                    "rotated": rotated,
                    "bits_per_number": 8 * cache_bytes_per_value(kind),
                    "right": found.correct,
                    "questions": found.n,
                    "tokens_per_reply": round(found.tokens, 1),
                    "perplexity": round(float(np.exp(surprise.mean())), 4),
                    "mean_change_nats": round(float(np.abs(surprise - reference).mean()), 5),
                }
            )
            print(f"{kind}, rotated {rotated}: {found.correct} of {found.n} right", flush=True)
            progress.reach(done + 1)
    show_place(write_report("nano-cache", rows, this_machine()))


def _surprises(engine, problem) -> np.ndarray:
    """How little the model expected each token of a right solution, in nats."""
    prompt = engine.render(problem.question)
    solution = completion(problem, "careful", Random(0))
    scored = engine.score(prompt + solution)[len(engine.tokenize(prompt)) :]
    return np.array([-token.log_probability for token in scored])


@contextmanager
def _rotation(wanted: bool):
    """llama.cpp reads this variable whenever it makes a context."""
    name, before = "LLAMA_ATTN_ROT_DISABLE", os.environ.get("LLAMA_ATTN_ROT_DISABLE")
    os.environ[name] = "0" if wanted else "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


if __name__ == "__main__":
    main()
