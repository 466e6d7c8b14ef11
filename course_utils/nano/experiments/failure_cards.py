"""What can the small models that fail, and their cured twins, do? A card for each, measured.

``python -m course_utils.nano.experiments.failure_cards`` asks each shipped model the exam of its
failure through llama.cpp, with the sampling of QwQ-32B's card, and writes its card.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from course_utils import command_line
from course_utils.engines import GREEDY, QWQ
from course_utils.hashing import hash_file
from course_utils.intervals import wilson_interval
from course_utils.model_files.gguf_header import read_header
from course_utils.nano import cards
from course_utils.nano.experiments import failures, loop_sampling
from course_utils.nano.tokenizer import load as load_tokenizer
from course_utils.paths import nano_folder

COMMAND = "python -m course_utils.nano.experiments.failures --only {} --seed 1"


def measured(name: str, path: Path, n: int = failures.ASKED) -> list[dict]:
    """A row per part of the exam and way of drawing: right answers, failures, and intervals."""
    tokenizer, problems, rows = load_tokenizer(), failures.exam(name, n), []
    samplings = {"qwq": QWQ} | ({"greedy": GREEDY} if name == "loops" else {})
    for sampling, settings in samplings.items():
        texts = loop_sampling.ask(path, problems, settings)
        for number, part in enumerate(failures.FAILURES[name].parts):
            own = slice(number * n, (number + 1) * n)
            counted = failures.count(name, tokenizer, problems[own], texts[own])
            row = {"part": part, "sampling": sampling, "n": counted["asked"]}
            for what, key in (("right", "right"), ("failed", "failed")):
                low, high = wilson_interval(counted[key], counted["asked"])
                row |= {what: counted[key], f"{what}_low": round(low, 4)}
                row[f"{what}_high"] = round(high, 4)
            rows.append(row | {"mean_tokens": round(counted["tokens"] / n, 1)})
    return rows


def card_of(name: str, stage: str, file: str) -> dict:
    """The facts of one shipped model, its exam among them."""
    failure, path = failures.FAILURES[name], nano_folder() / f"{file}.gguf"
    header = read_header(path)
    cured = stage == "cured"
    training = {
        "school": asdict(failures.SCHOOL),
        "corpus": asdict(replace(failures.PRETRAINING, row_length=failure.row_length)),
    }
    if cured and failure.cold_start:
        training["cold_start"] = asdict(failures.COLD_START)
    if stage != "base":
        training["reinforcement"] = asdict(replace(failures.REINFORCEMENT, max_tokens=failure.room))
    return {
        "title": f"nano {file}",
        "summary": f"A model of 0.7 million parameters {'cured of' if cured else 'that shows'} "
        f"{failure.title}. It adds numbers of two digits and knows nothing else. It is for "
        "notebook 04, not for use.",
        "file": path.name,
        "bytes": path.stat().st_size,
        "sha256": hash_file(path),
        "parameters": header.parameters,
        "architecture": header.architecture,
        "weights": header.quantisation,
        "licence": "Apache-2.0",
        "failure": failure.title,
        "corpus": f"course_utils/nano/experiments/failure_tasks.py, {name}",
        "command": COMMAND.format(name),
        "training": training,
        "measured": measured(name, path),
    }


def as_markdown(card: dict) -> str:
    """The card as a page to read."""
    lines = [
        *cards.heading(card),
        f"| parameters | {card['parameters']:,} |",
        f"| architecture | {card['architecture']} |",
        f"| corpus | {card['corpus']} |",
        f"| made by | `{card['command']}` |",
        f"| licence | {card['licence']} |",
        "",
    ]
    for stage, settings in card["training"].items():
        lines += [f"## Training: {stage.replace('_', ' ')}", "", "| setting | value |", "|---|---|"]
        lines += [f"| {key.replace('_', ' ')} | {value} |" for key, value in settings.items()]
        lines.append("")
    lines += [
        "## Measured",
        "",
        f"Through llama.cpp, each problem once; *failed* counts {card['failure']}. Intervals are",
        "Wilson's at 95 %. *qwq* is the sampling that QwQ-32B's card recommends.",
        "",
        "| part | sampling | n | right | 95 % interval | failed | 95 % interval | mean tokens |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in card["measured"]:
        lines.append(
            f"| {row['part']} | {row['sampling']} | {row['n']} "
            f"| {row['right']} | {row['right_low']:.1%} to {row['right_high']:.1%} "
            f"| {row['failed']} | {row['failed_low']:.1%} to {row['failed_high']:.1%} "
            f"| {row['mean_tokens']} |"
        )
    return "\n".join([*lines, ""])


def main(arguments: Sequence[str] | None = None) -> None:
    command_line.refuse_arguments(__doc__, arguments)
    for (name, stage), file in failures.SHIPPED.items():
        card = card_of(name, stage, file)
        text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
        (nano_folder() / f"{file}.card.json").write_text(text, encoding="utf-8")
        (nano_folder() / f"{file}.md").write_text(as_markdown(card), encoding="utf-8")
        print(file, card["measured"])


if __name__ == "__main__":
    command_line.start(main)
