"""Two hundred downloads on a bad day: faults and kills at random, and none is accepted damaged."""

import random

from course_utils.download import RetryPolicy
from course_utils.errors import CourseError
from tests.download.helpers import NAME, fetch, kill_while_downloading
from tests.loopback_hub import Fault, LoopbackHub

TRIALS = 200
KILL_EVERY = 5


def random_fault(chance: random.Random, size: int) -> Fault:
    at = chance.randrange(size)
    return chance.choice(
        [
            Fault("cut", at),
            Fault("cut", at),
            Fault("stall", at),
            Fault("flip", at),
            Fault("short", at),
            Fault("long", 1 + at),
            Fault("short_total", 1),
            Fault("ignore_range"),
            Fault("wrong_range", 1 + at),
            Fault("login_page"),
            Fault("compressed"),
            Fault("change"),
            Fault("status", status=chance.choice([401, 403, 404, 416, 429, 500, 503])),
        ]
    )


def test_of_200_downloads_with_faults_and_kills_none_is_accepted_damaged(
    monkeypatch, tmp_path, children
):
    chance = random.Random(20250306)
    hasty = RetryPolicy(attempts=2, timeout_seconds=0.1, pause_seconds=0.0)
    outcomes = {"at once": 0, "after an error": 0, "after a kill": 0}
    for trial in range(TRIALS):
        size = chance.randrange(1, 200_000)
        content = chance.randbytes(size)
        folder = tmp_path / str(trial)
        folder.mkdir()
        whole = folder / NAME
        with LoopbackHub({NAME: content}, changed=chance.randbytes(size)) as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.address)
            killed = trial % KILL_EVERY == 0
            if killed:
                kill_while_downloading(children, hub, folder, chance.randrange(size))
                assert not whole.exists()
            hub.faults.extend(random_fault(chance, size) for _ in range(chance.randint(1, 3)))
            errors = 0
            while not whole.exists():
                try:
                    assert fetch(folder, retry=hasty) == whole
                except CourseError as error:
                    errors += 1
                    assert error.problem and error.remedy
                    assert not whole.exists()
                    assert errors <= 4, f"trial {trial} does not recover: {error}"
            assert whole.read_bytes() == hub.files[NAME]
            assert not (folder / f"{NAME}.part").exists()
        outcomes["after a kill" if killed else "after an error" if errors else "at once"] += 1
    assert outcomes["after a kill"] == TRIALS // KILL_EVERY
    # The seed is fixed: if one of these were rare, the trials would not test it.
    assert outcomes["at once"] > 20 and outcomes["after an error"] > 20
