"""Are headings, hints and solutions in step? ``python -m course_utils.teaching.exercises``."""

from __future__ import annotations

import sys

from course_utils import command_line
from course_utils.teaching.exercises.folded import drifted_cells, update_folded_cells


def main() -> int:
    parser = command_line.parser(
        "Write each exercise's heading, hints and solution into the notebooks' cells.",
        prog="python -m course_utils.teaching.exercises",
    )
    parser.add_argument("notebooks", nargs="+", metavar="NOTEBOOK.ipynb")
    parser.add_argument("--check", action="store_true", help="change nothing; fail on a difference")
    arguments = parser.parse_args()
    return command_line.run(lambda: _run(arguments.notebooks, arguments.check))


def _run(notebooks: list[str], check: bool) -> int:
    problems = []
    for path in notebooks:
        if not check and (changed := update_folded_cells(path)):
            print(f"{path}: {changed} cells rewritten")
        problems += [f"{path}: {problem}" for problem in drifted_cells(path)]
    print("\n".join(problems) or "All headings, hints and solutions are in step.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
