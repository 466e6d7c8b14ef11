"""How do a learner's notebook and the course's new version become one, with nothing lost?

Cell by cell, against the version that both come from.  What only one side changed is taken; where
both changed the same cell, the learner's stays and the course's is shown in a cell below it.
(Merging the file's text line by line, as git does, can leave a file that opens nowhere.)

It is a merge driver for git too, and so for nbgitpuller, which runs git: ``git_settings`` names it.
"""

from __future__ import annotations

import copy
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from course_utils import command_line
from course_utils.errors import OptionError

TAG = "course-update"

DRIVER = "course-notebook"
"""What ``.gitattributes`` calls the driver that merges notebooks."""


@dataclass
class Report:
    """What a merge did, by kind: how many cells of each."""

    yours_kept: int = 0
    from_the_course: int = 0
    both_changed: int = 0
    outputs_dropped: int = 0
    kept_though_removed: int = 0
    lines: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = (
            (self.yours_kept, "cells of yours kept"),
            (self.from_the_course, "new or changed cells of the course"),
            (self.both_changed, "changed by both: yours kept, the course's below it"),
            (self.kept_though_removed, "kept though the course has removed them"),
            (self.outputs_dropped, "outputs of code that changed: in the copy only"),
        )
        return (
            "; ".join(f"{count} {words}" for count, words in counts if count) or "no cell changed"
        )


def merge(base: dict, mine: dict, theirs: dict) -> tuple[dict, Report]:
    """The merged notebook and what was done; the three are notebooks as JSON, version 4.

    base: what the learner started from. Everything of ``mine`` that differs from it survives, but
    for the outputs of code that the course has changed since.
    """
    report = Report()
    base, mine, theirs = (copy.deepcopy(notebook) for notebook in (base, mine, theirs))
    _give_ids(base, theirs)
    _give_ids(base, mine)
    old, own = _by_id(base), _by_id(mine)
    result = []
    for cell in theirs["cells"]:
        result += _merged_cell(old.get(cell["id"]), own.get(cell["id"]), cell, report)
    there = {cell["id"] for cell in theirs["cells"]}
    previous = None
    for cell in mine["cells"]:
        new = cell["id"] not in old
        removed = not new and cell["id"] not in there and _changed(old[cell["id"]], cell)
        if (new and cell["id"] not in there) or removed:
            result.insert(_after(result, previous), cell)
            report.yours_kept += new
            report.kept_though_removed += removed
        if any(cell["id"] == kept["id"] for kept in result):
            previous = cell["id"]
    return {**theirs, "cells": result}, report


def _merged_cell(old: dict | None, own: dict | None, cell: dict, report: Report) -> list[dict]:
    if old is None:
        report.from_the_course += own is None
        return [cell] if own is None or not _changed(own, cell) else [own, _shown(cell)]
    if own is None:  # The learner has deleted it.
        report.from_the_course += _changed(old, cell)
        return [cell] if _changed(old, cell) else []
    if not _changed(old, own):
        if not _changed(old, cell):
            return [_with_outputs_of(own, cell)]
        report.from_the_course += 1
        report.outputs_dropped += bool(own.get("outputs")) and own["outputs"] != old.get("outputs")
        return [cell]
    if not _changed(old, cell) or not _changed(own, cell):
        report.yours_kept += 1
        return [own]
    report.both_changed += 1
    return [own, _shown(cell)]


def _with_outputs_of(own: dict, cell: dict) -> dict:
    """The course's cell with what the learner's run of the same code has shown."""
    if cell["cell_type"] != "code" or not own.get("outputs"):
        return cell
    return {**cell, "outputs": own["outputs"], "execution_count": own.get("execution_count")}


def _shown(cell: dict) -> dict:
    """A Markdown cell that shows the course's version of the cell above; it runs nothing."""
    text = _source(cell)
    fence = "`" * 4
    body = f"{fence}python\n{text}\n{fence}" if cell["cell_type"] == "code" else text
    heading = "**The course has changed the cell above, and so have you. Its version:**"
    return {
        "cell_type": "markdown",
        "id": f"update-{cell['id']}"[:64],
        "metadata": {"tags": [TAG]},
        "source": f"{heading}\n\n{body}".splitlines(keepends=True),
    }


def _give_ids(base: dict, other: dict) -> None:
    """Let equal cells have equal ids; some editors drop ids or make new ones."""
    for notebook in (base, other):
        for place, cell in enumerate(notebook["cells"]):
            cell.setdefault("id", f"cell-{place}" if notebook is base else f"own-{place}")
    known = {cell["id"] for cell in base["cells"]}
    taken = {cell["id"] for cell in other["cells"]} & known
    free: dict[tuple, list[str]] = {}
    for cell in base["cells"]:
        if cell["id"] not in taken:
            free.setdefault(_key(cell), []).append(cell["id"])
    seen: set[str] = set()
    for place, cell in enumerate(other["cells"]):
        if cell["id"] not in known and free.get(_key(cell)):
            cell["id"] = free[_key(cell)].pop(0)
        if cell["id"] in seen:  # A copy that an editor made, its id included.
            cell["id"] = f"{cell['id']}-copy-{place}"[:64]
        seen.add(cell["id"])
    _pair_answers(base, other)


def _pair_answers(base: dict, other: dict) -> None:
    """An edited cell between the same neighbours is the cell that stood there."""
    known = [cell["id"] for cell in base["cells"]]
    kinds = {cell["id"]: cell["cell_type"] for cell in base["cells"]}
    ids = [cell["id"] for cell in other["cells"]]
    for place, cell in enumerate(other["cells"]):
        if cell["id"] in kinds or not 0 < place < len(ids) - 1:
            continue
        before, after = ids[place - 1], ids[place + 1]
        if before in kinds and after in kinds:
            gap = known[known.index(before) + 1 : known.index(after)]
            if len(gap) == 1 and gap[0] not in ids and kinds[gap[0]] == cell["cell_type"]:
                cell["id"] = ids[place] = gap[0]


def _by_id(notebook: dict) -> dict[str, dict]:
    return {cell["id"]: cell for cell in notebook["cells"]}


def _source(cell: dict) -> str:
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)


def _key(cell: dict) -> tuple[str, str]:
    return cell["cell_type"], _source(cell).strip()


def _changed(one: dict, other: dict) -> bool:
    return _key(one) != _key(other)


def _after(cells: list[dict], previous: str | None) -> int:
    """The place behind the cell with this id and the course's version of it; 0 for none."""
    for place, cell in enumerate(cells):
        if cell["id"] == previous:
            following = cells[place + 1] if place + 1 < len(cells) else {}
            return place + 2 if following.get("id") == f"update-{previous}"[:64] else place + 1
    return 0


def read(text: str) -> dict:
    """A notebook's text as JSON. Raises OptionError where it is not one."""
    try:
        notebook = json.loads(text)
        for cell in notebook["cells"]:
            cell["cell_type"]
    except (ValueError, KeyError, TypeError):
        raise OptionError("This is no notebook.", "Open it in JupyterLab, and save it.") from None
    return notebook


def written(notebook: dict) -> str:
    """A notebook as the course stores it."""
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def git_settings() -> dict[str, str]:
    """Variables by which git, wherever it runs under them, merges notebooks cell by cell."""
    # -P: a learner's clone, in which git runs it, has a course_utils of its own, half-way merged.
    command = f"'{sys.executable}' -P -m course_utils.installation.merging %O %A %B"
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"merge.{DRIVER}.driver",
        "GIT_CONFIG_VALUE_0": command,
    }


def main() -> int:
    """What git calls with three files: the merge goes into the second."""
    parser = command_line.parser(__doc__)
    for name in ("base", "mine", "theirs"):
        parser.add_argument(name, type=Path)
    files = parser.parse_args()
    try:
        three = [
            read(path.read_text(encoding="utf-8"))
            for path in (files.base, files.mine, files.theirs)
        ]
    except (OSError, OptionError) as error:
        print(error, file=sys.stderr)
        return 1
    merged, report = merge(*three)
    files.mine.write_text(written(merged), encoding="utf-8")
    print(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
