"""Where does the course speak of something? A small full-text search over its own notebooks.

Passages are ranked by BM25: a word counts more the rarer it is, less and less with each further
occurrence, and less in a long passage.  Source: Robertson and Zaragoza, "The Probabilistic
Relevance Framework: BM25 and Beyond", Foundations and Trends in Information Retrieval 3 (2009).
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from course_utils.paths import repository_root

K1, B = 1.5, 0.75
"""BM25's two numbers, at their usual values."""


@dataclass(frozen=True)
class Passage:
    """A piece of a notebook's text, under its last heading."""

    notebook: str
    heading: str
    text: str


def search(query: str, count: int = 3) -> list[Passage]:
    """The passages that suit the query best; none where no word of it occurs."""
    passages, counts, documents = _index(repository_root() / "notebooks")
    mean = sum(map(Counter.total, counts)) / max(1, len(counts))
    scored = []
    for passage, words in zip(passages, counts, strict=True):
        score = 0.0
        for word in _words(query):
            if found := words[word]:
                rare = math.log(
                    1 + (len(passages) - documents[word] + 0.5) / (documents[word] + 0.5)
                )
                length = 1 - B + B * words.total() / mean
                score += rare * found * (K1 + 1) / (found + K1 * length)
        if score:
            scored.append((score, passage))
    scored.sort(key=lambda pair: -pair[0])
    return [passage for _, passage in scored[:count]]


def _words(text: str) -> list[str]:
    # A plural counts as its singular, which is enough for short questions.
    return [word.removesuffix("s") for word in re.findall(r"[a-z0-9]+", text.lower())]


@cache
def _index(folder: Path) -> tuple[list[Passage], list[Counter], Counter]:
    """All passages, the words of each, and in how many passages each word occurs."""
    passages = []
    for path in sorted(folder.glob("*.ipynb")):
        heading = path.stem
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] != "markdown":
                continue
            text = "".join(cell["source"])
            if found := re.search(r"^#+ (.+)$", text, flags=re.MULTILINE):
                heading = found[1]
            passages.append(Passage(path.stem, heading, text))
    counts = [Counter(_words(f"{p.heading} {p.text}")) for p in passages]
    return passages, counts, Counter(word for words in counts for word in words)
