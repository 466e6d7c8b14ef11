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
    paths = [Path(name) for name in notebooks] or sorted((root / "notebooks").glob("*.ipynb"))
    lines, failed = [], False
    with tempfile.TemporaryDirectory() as folder, class_server(Path(folder)) as served:
        address, keys = served.address, served.keys
        for path in paths:
            before = _replies(address, keys[0])
            status = _compare(path, {"COURSE_MODEL": address, "COURSE_API_KEY": keys[0]})
            failed = failed or status != 0
            replies = _replies(address, keys[0]) - before
            outcome = "as stored" if status == 0 else "not as stored"
            lines.append(f"{path.stem}: {outcome}; the class server was asked {replies} times.")
    print("", *lines, sep="\n")
    return int(failed)


def _compare(path: Path, learner: dict[str, str]) -> int:
    """nbval's run of one notebook; 0 where all its outputs are as stored."""
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env"]
    command += ["-p", "tests.nbval_patience", "--nbval-sanitize-with", "tests/sanitize.cfg"]
    environment = {**os.environ, **learner, "COURSE_SHORT_RUNS": "1"}
    return subprocess.run(
        [*command, str(path)], cwd=repository_root(), env=environment, check=False
    ).returncode


def _replies(address: str, key: str) -> int:
    """How many replies the class server has given this learner."""
    me = f"{address.removesuffix('/v1')}/class/api/me"
    return httpx.get(me, headers={"Authorization": f"Bearer {key}"}).json()["replies"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
