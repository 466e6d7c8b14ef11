"""The answers that learners may give: for each exercise a file of right and of wrong ones.

``tests/answers/01.softmax.py`` holds blocks, each below a line that says what the block is::

    #: right, with a loop
    def softmax(logits):
        ...

    #: wrong, sum-not-one: Is a division by the sum missing?
    def softmax(logits):
        return np.exp(logits)

A wrong answer has the name that its mistake must get, and words that the reply must hold. Each
block runs as the learner's cell would, after the exercise's ``setup``.
"""

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "answers"
_BLOCK = re.compile(r"^#: (right|wrong), ([^:\n]+)(?:: (.*))?\n", re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    """One answer. ``name``: what kind of right answer it is, or the name of its mistake."""

    right: bool
    name: str
    reply: str
    code: str


def answers_to(exercise_id: str) -> list[Answer]:
    """The answers of an exercise's file, in order; none where there is no file."""
    path = FOLDER / f"{exercise_id}.py"
    if not path.exists():
        return []
    before, *parts = _BLOCK.split(path.read_text(encoding="utf-8"))
    assert not before.strip(), f"{path.name} begins with text that belongs to no block"
    return [
        Answer(kind == "right", name.strip(), reply or "", code.strip() + "\n")
        for kind, name, reply, code in zip(*[iter(parts)] * 4, strict=True)
    ]
