"""Whatever two threads do with models, in whatever order, the process lives and nothing is raw."""

import json
import subprocess
import sys

import pytest

from course_utils.paths import repository_root
from tests.model_sizes import SIZES
from tests.tiny_models import tiny_model

SEQUENCES = 500
SEED = 20261126


@pytest.mark.parametrize("size", SIZES)
def test_1000_random_sequences_of_calls_leave_the_process_alive(tmp_path, size):
    path = tiny_model(tmp_path / "model.gguf")
    command = [sys.executable, "-m", "tests.random_engine_use", str(path)]
    done = subprocess.run(
        [*command, str(SEQUENCES), str(SEED), size],
        cwd=repository_root(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["problems"] == [], done.stderr[-3000:]
    errors = {name for name in found["outcomes"] if ": " in name}
    assert errors <= {"CourseError: This model has been closed."}
    # Every call has often been made, and has worked.
    assert len(found["outcomes"]) > 15
    assert all(count > 20 for count in found["outcomes"].values()), found["outcomes"]
