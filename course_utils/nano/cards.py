"""What is a shipped model, where does it come from, how good is it? One card per GGUF file.

``NAME.card.json`` holds the facts for programs and tests, ``NAME.md`` the same for readers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from course_utils.errors import ModelFileError
from course_utils.hashing import hash_file
from course_utils.model_files.gguf_header import read_header
from course_utils.nano import measure
from course_utils.nano.tasks import Problem
from course_utils.paths import nano_folder

TESTS = """A test
is named by task, language and digits. Its pairs of three-digit numbers are held out from
all training."""


def read_card(name: str, folder: Path | None = None) -> dict:
    """The facts of one shipped model. Raises ModelFileError where there is no card."""
    path = (folder or nano_folder()) / f"{name}.card.json"
    if not path.is_file():
        raise ModelFileError(f"There is no card at {path}.", "Run `make nano` to make it.")
    return json.loads(path.read_text(encoding="utf-8"))


def write_card(
    path: Path,
    facts: dict,
    problems: dict[str, int | Sequence[Problem]],
    *,
    max_tokens: int = 160,
) -> dict:
    """Measure a GGUF file through llama.cpp and write its card, for programs and for readers.

    ``facts``: how it was made (title, summary, made_from, training, command).  ``problems``: how
    many problems of each of ``measure.TESTS`` to ask, or the problems of another test; then
    ``facts`` has a sentence on it, ``tests``.  ``max_tokens``: the room for a reply.
    """
    header = read_header(path)
    card = facts | {
        "file": path.name,
        "bytes": path.stat().st_size,
        "sha256": hash_file(path),
        "parameters": header.parameters,
        "architecture": header.architecture,
        "shape": {
            "layers": header.get("block_count"),
            "width": header.get("embedding_length"),
            "heads": header.get("attention.head_count"),
            "kv_heads": header.get("attention.head_count_kv"),
            "ffn_width": header.get("feed_forward_length"),
            "vocabulary": len(header.metadata["tokenizer.ggml.tokens"]),
            "context": header.get("context_length"),
        },
        "weights": header.quantisation,
        "licence": "Apache-2.0",
        "versions": {
            package: version(package).split("+")[0]
            for package in ("torch", "tokenizers", "gguf", "llama-cpp-python")
        },
        "accuracy": [],
    }
    for test, n in problems.items():
        asked = measure.exam_problems(test, n) if isinstance(n, int) else n
        for name, sampling in measure.SAMPLINGS.items():
            result = measure.measure(path, asked, sampling, max_tokens=max_tokens)
            low, high = result.interval()
            card["accuracy"].append(
                {
                    "test": test,
                    "sampling": name,
                    "correct": result.correct,
                    "n": result.n,
                    "share": round(result.share, 4),
                    "low": round(low, 4),
                    "high": round(high, 4),
                    "mean_tokens": round(result.tokens, 1),
                }
            )
    stem = path.with_suffix("")
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    stem.with_suffix(".card.json").write_text(text, encoding="utf-8")
    stem.with_suffix(".md").write_text(as_markdown(card), encoding="utf-8")
    return card


def heading(card: dict) -> list[str]:
    """A card's page as far as its table of facts, which begins with the file and its checksum."""
    return [
        f"# {card['title']}",
        "",
        card["summary"],
        "",
        "| | |",
        "|---|---|",
        f"| file | `{card['file']}`, {card['bytes']:,} bytes, weights {card['weights']} |",
        f"| sha256 | `{card['sha256']}` |",
    ]


def as_markdown(card: dict) -> str:
    """The card as a page to read."""
    tests = card.get("tests", TESTS)
    shape = ", ".join(f"{key.replace('_', ' ')} {value:,}" for key, value in card["shape"].items())
    lines = [
        *heading(card),
        f"| parameters | {card['parameters']:,}, input and output embeddings apart (untied) |",
        f"| architecture | {card['architecture']}: {shape} |",
        f"| made from | {card['made_from']} |",
        f"| made by | `{card['command']}` |",
        f"| wall-clock | {card['seconds'] / 60:.1f} minutes on {card['cores']} cores |",
        "| versions | " + ", ".join(f"{k} {v}" for k, v in card["versions"].items()) + " |",
        f"| licence | {card['licence']} |",
        "",
        "## Training",
        "",
        "| setting | value |",
        "|---|---|",
        *(f"| {key.replace('_', ' ')} | {value} |" for key, value in card["training"].items()),
        "",
        "Shares of the data:",
        "",
        "| part | share |",
        "|---|---|",
        *(f"| {key.replace('_', ' ')} | {value:.0%} |" for key, value in card["data"].items()),
        "",
        "## Accuracy",
        "",
        f"Measured through llama.cpp, each problem once; the interval is Wilson's at 95 %. {tests} "
        "*greedy* takes the likeliest token, *qwq* is the sampling that QwQ-32B's",
        "card recommends.",
        "",
        "| test | sampling | correct | share | 95 % interval | mean tokens |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row['test']} | {row['sampling']} | {row['correct']} of {row['n']} "
            f"| {row['share']:.1%} | {row['low']:.1%} to {row['high']:.1%} "
            f"| {row['mean_tokens']} |"
            for row in card["accuracy"]
        ),
        "",
        "Another CPU rounds differently, so a model made again has other bytes; its accuracy",
        "should agree within the intervals.",
        "",
    ]
    return "\n".join(lines)
