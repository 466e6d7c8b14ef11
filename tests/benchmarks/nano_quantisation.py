"""How much worse is the nano thinker with fewer bits? Its accuracy on problems it never saw.

Every other type is made by llama.cpp from the shipped 16-bit file and asked the same problems,
greedily, so that nothing but the weights differs.  Notebook 06 measures perplexity and
divergence itself, and takes the accuracy from here, since that needs many answers.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from course_utils.engines import GREEDY
from course_utils.machine import this_machine
from course_utils.nano.export import quantise
from course_utils.nano.measure import exam_problems, measure
from course_utils.paths import nano_folder
from course_utils.progress import Progress
from tests.benchmarks.report import show_place, write_report

KINDS = ("F32", "F16", "Q8_0", "Q6_K", "Q4_K_M", "Q3_K_M", "Q2_K")
PROBLEMS = 300


def main() -> None:
    source = nano_folder() / "thinker.gguf"
    problems = exam_problems(n=PROBLEMS)
    rows = []
    with tempfile.TemporaryDirectory() as folder, Progress("quantising", len(KINDS)) as progress:
        for done, kind in enumerate(KINDS):
            path = source
            if kind != "F16":
                path = Path(folder) / f"{kind}.gguf"
                quantise(source, path, kind)
            found = measure(path, problems, GREEDY)
            rows.append(
                {
                    "quantisation": kind,
                    "bytes": path.stat().st_size,
                    "right": found.correct,
                    "questions": found.n,
                    "tokens_per_reply": round(found.tokens, 1),
                }
            )
            print(f"{kind}: {found.correct} of {found.n} right", flush=True)
            progress.reach(done + 1)
    show_place(write_report("nano-quantisation", rows, this_machine()))


if __name__ == "__main__":
    main()
