"""Release notebooks, and grade what comes back: ``python -m course_utils.marking grade ...``."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from course_utils import command_line
from course_utils.errors import CourseError, MachineError, OptionError
from course_utils.paths import repository_root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = command_line.parser(__doc__, prog="python -m course_utils.marking")
    steps = parser.add_subparsers(dest="step", required=True, metavar="release | grade")
    released = steps.add_parser("release", help="make the learners' and the teacher's versions")
    graded = steps.add_parser("grade", help="grade what was handed in, and write marks.csv")
    for step in (released, graded):
        step.add_argument("folder", type=Path, help="the marking folder; release makes it")
    graded.add_argument("submissions", type=Path, help="a folder with a folder for each learner")
    graded.add_argument(
        "--seconds",
        type=command_line.whole(1, 3600),
        default=60,
        help="how long a cell may run (60)",
    )
    for step in (released, graded):
        step.add_argument(
            "notebooks", nargs="*", metavar="NN", help="00, 01 and so on; default all"
        )
    options = parser.parse_args(arguments)
    try:
        _run(options)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nStopped. The notebooks that were graded to their end are in marks.csv; name the "
            "others to go on.",
            file=sys.stderr,
        )
        return 130
    return 0


def _run(options) -> None:
    if importlib.util.find_spec("nbgrader") is None:
        raise MachineError(
            "nbgrader is not installed here.",
            "Run `make teacher`, then this command with .venv/teaching/bin/python.",
        )
    from course_utils.marking import grading

    numbers = options.notebooks or _all_numbers()
    if options.step == "release":
        for path in grading.release(options.folder, numbers):
            print(f"for learners: {path}")
        print(f"Keep to yourself: {options.folder / 'source'}, and hidden-seed.txt beside it.")
        return
    if not options.folder.is_dir():
        raise OptionError(
            f"There is no folder {options.folder}.", "Release notebooks into it first."
        )
    grading.grade(options.folder, options.submissions, numbers, options.seconds, print)
    print(f"Marks: {options.folder / 'marks.csv'}; for learners: {options.folder / 'feedback'}")


def _all_numbers() -> list[str]:
    return sorted(p.name[:2] for p in (repository_root() / "notebooks").glob("??_*.ipynb"))


if __name__ == "__main__":
    sys.exit(main())
