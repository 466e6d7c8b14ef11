"""``make grade-all``: every notebook of a right, a wrong, a broken and an endless learner."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from course_utils import command_line
from course_utils.installation.teaching import teaching_python
from tests.marking import submissions


def main() -> int:
    command_line.refuse_arguments(__doc__)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        command = [str(teaching_python()), "-m", "course_utils.marking"]
        subprocess.run([*command, "release", scratch], check=True, stdout=subprocess.DEVNULL)
        for released in sorted((folder / "release").glob("*/*.ipynb")):
            submissions.hand_in(released, folder / "in")
        grade = [*command, "grade", scratch, str(folder / "in")]
        status = subprocess.run(grade, check=False).returncode
        print((folder / "marks.csv").read_text(encoding="utf-8"))
    print(f"{time.monotonic() - started:.0f} seconds")
    return status


if __name__ == "__main__":
    sys.exit(main())
