"""Hints and solutions in a notebook, which never drift from what is tested.

They are generated from the declaration.  A Markdown cell whose first line is
``<!-- exercise 01.softmax: hints and solution -->`` belongs to this module:
``python -m course_utils.teaching.exercises notebooks/*.ipynb`` rewrites such cells,
and with ``--check`` it only says which of them differ.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from course_utils.errors import OptionError
from course_utils.teaching.exercises.declaration import Exercise, exercises_of, find_exercise

_MARK = re.compile(r"<!-- exercise (\S+): hints and solution -->")
_CALL = re.compile(r"""(?<![\w.])check\(\s*["']([^"']+)["']""")


def folded_markdown(exercise: Exercise | str) -> str:
    """The Markdown cell with an exercise's hints and worked-out solution, each folded."""
    if isinstance(exercise, str):
        exercise = find_exercise(exercise)
    folds = [
        _fold(f"Hint {number}" if len(exercise.hints) > 1 else "Hint", hint)
        for number, hint in enumerate(exercise.hints, 1)
    ]
    folds.append(_fold("Solution", f"```python\n{exercise.solution.strip()}\n```"))
    return "\n\n".join([f"<!-- exercise {exercise.id}: hints and solution -->", *folds])


def _fold(summary: str, body: str) -> str:
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


def drifted_cells(path: str | Path) -> list[str]:
    """What is wrong with a notebook's exercises, one line each; empty when all is in step.

    Folded cells that differ from the declaration; ``check`` calls without a folded cell or
    a declaration; declared exercises that the notebook does not ask.
    """
    path = Path(path)
    cells = _read(path)["cells"]
    problems, folded, called = [], set(), []
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and (mark := _MARK.search(source)):
            folded.add(mark[1])
            try:
                if source != folded_markdown(mark[1]):
                    problems.append(f"{mark[1]}: the folded cell differs from the declaration")
            except OptionError as error:
                problems.append(error.problem)
        elif cell["cell_type"] == "code":
            called += _CALL.findall(source)
    declared = [exercise.id for exercise in exercises_of(path.name.split("_", 1)[0])]
    problems += [f"{name}: checked, but not declared" for name in called if name not in declared]
    problems += [f"{name}: checked, but no folded cell" for name in called if name not in folded]
    problems += [f"{name}: declared, but never checked" for name in declared if name not in called]
    return problems


def update_folded_cells(path: str | Path) -> int:
    """Rewrite a notebook's folded cells from the declarations; how many have changed."""
    path = Path(path)
    notebook = _read(path)
    changed = 0
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and (mark := _MARK.search(source)):
            wanted = folded_markdown(mark[1])
            if source != wanted:
                cell["source"] = wanted.splitlines(keepends=True)
                changed += 1
    if changed:
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        path.write_text(text, encoding="utf-8")
    return changed


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(
            f"{path} cannot be read as a notebook ({error}).", "Give the path of an .ipynb file."
        ) from None
