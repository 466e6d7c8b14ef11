"""Run the notebooks as a class does: ``make class-notebooks``, with a class server for their model.

``COURSE_MODEL`` and ``COURSE_API_KEY`` are those of a learner while nbval compares the outputs.  No
output has to be left out for it: a cell that looks inside a model opens a small one by its name,
which stays in the notebook's own process, and cells that ask ``open_model()`` for the learner's
choice are tagged ``nbval-ignore-output``.  Arguments are notebooks, by default all.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

from course_utils.paths import repository_root
from tests.benchmarks.class_server import class_server


def main(notebooks: list[str]) -> int:
    root = repository_root()
    notebooks = notebooks or sorted(map(str, (root / "notebooks").glob("*.ipynb")))
    with tempfile.TemporaryDirectory() as folder, class_server(Path(folder)) as served:
        address, keys, _ = served
        learner = {"COURSE_MODEL": address, "COURSE_API_KEY": keys[0], "COURSE_SHORT_RUNS": "1"}
        command = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env"]
        command += ["-p", "tests.nbval_patience", "--nbval-sanitize-with", "tests/sanitize.cfg"]
        command += notebooks
        status = subprocess.run(command, cwd=root, env=os.environ | learner, check=False).returncode
        headers = {"Authorization": f"Bearer {keys[0]}"}
        me = httpx.get(f"{address.removesuffix('/v1')}/class/api/me", headers=headers)
        print(f"The class server has answered this learner {me.json()['replies']} times.")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
