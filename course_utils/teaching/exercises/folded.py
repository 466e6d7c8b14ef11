"""Headings, hints and solutions in a notebook, which never drift from what is tested.

They are generated from the declaration.  A Markdown cell that begins with
``<!-- exercise 01.softmax: heading -->`` has the exercise's title, difficulty, importance and
minutes below that line, and then the author's text.  One that begins with
``<!-- exercise 01.softmax: hints and solution -->`` belongs to this module as a whole.
``python -m course_utils.teaching.exercises notebooks/*.ipynb`` rewrites both, and with ``--check``
it only says which of them differ.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

from course_utils.errors import OptionError
from course_utils.teaching.exercises.declaration import Exercise, exercises_of, find_exercise

_MARK = re.compile(r"<!-- exercise (\S+): hints and solution -->")
# The mark, and the two paragraphs below it once they are written.
_HEADING = re.compile(
    r"^<!-- exercise (\S+): heading -->"
    r"(?:\n\n#### Exercise: [^\n]*\n\n\*Difficulty [^\n]*\*)?"
)
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


def heading_markdown(exercise: Exercise | str) -> str:
    """What stands above an exercise: its title, and how hard, important and long it is."""
    if isinstance(exercise, str):
        exercise = find_exercise(exercise)
    unit = "minute" if exercise.minutes == 1 else "minutes"
    return (
        f"<!-- exercise {exercise.id}: heading -->\n\n"
        f"#### {heading_of(exercise)}\n\n"
        f"*Difficulty {exercise.difficulty} of 5 · importance {exercise.importance} of 5 · "
        f"about {exercise.minutes} {unit}*"
    )


def heading_of(exercise: Exercise) -> str:
    """The words of its heading."""
    return f"Exercise: {exercise.title}"


def place_of(exercise: Exercise) -> str:
    """Where a link to the exercise leads: the id that JupyterLab and nbconvert give its heading."""
    return heading_of(exercise).replace("`", "").replace(" ", "-")


def with_place(source: str) -> str:
    """A cell's Markdown with that id above its heading, for a page that makes other ids."""
    mark = _HEADING.search(source)
    if not mark:
        return source
    place = html.escape(place_of(find_exercise(mark[1])), quote=True)
    return f'<span id="{place}"></span>\n\n{source}'


def generated(source: str) -> str:
    """A Markdown cell's text as the declarations would have it.

    Raises OptionError where it names an exercise that is not declared.
    """
    if mark := _MARK.search(source):
        return folded_markdown(mark[1])
    if mark := _HEADING.search(source):
        return heading_markdown(mark[1]) + source[mark.end() :]
    return source


def _fold(summary: str, body: str) -> str:
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


def drifted_cells(path: str | Path) -> list[str]:
    """What is wrong with a notebook's exercises, one line each; empty when all is in step.

    Headings and folded cells that differ from the declaration; ``check`` calls without one of
    them or a declaration; declared exercises that the notebook does not ask.
    """
    path = Path(path)
    problems, headed, folded, called = [], [], [], []
    for cell in _read(path)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            called += _CALL.findall(source)
            continue
        headed += _HEADING.findall(source)
        folded += _MARK.findall(source)
        if (mark := _HEADING.search(source)) and source.count("#### Exercise:") > 1:
            problems.append(f"{mark[1]}: the heading stands more than once")
        try:
            if source != generated(source):
                mark = _MARK.search(source)
                name, part = (mark[1], "folded cell") if mark else (headed[-1], "heading")
                problems.append(f"{name}: the {part} differs from the declaration")
        except OptionError as error:
            problems.append(error.problem)
    declared = [exercise.id for exercise in exercises_of(path.name.split("_", 1)[0])]
    problems += [f"{name}: checked, but not declared" for name in called if name not in declared]
    problems += [f"{name}: checked, but no folded cell" for name in called if name not in folded]
    problems += [f"{name}: checked, but no heading" for name in called if name not in headed]
    problems += [f"{name}: declared, but never checked" for name in declared if name not in called]
    return problems


def update_folded_cells(path: str | Path) -> int:
    """Rewrite a notebook's headings and folded cells; how many have changed."""
    path = Path(path)
    notebook = _read(path)
    changed = 0
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and (wanted := generated(source)) != source:
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
