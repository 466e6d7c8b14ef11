"""A minute of random inputs of every kind finds nothing; ``make fuzz`` takes ten, other seeds."""

import os

from tests.fuzz.__main__ import modules, run

SECONDS = float(os.environ.get("FUZZ_SECONDS", 60))


def test_a_minute_of_random_inputs_finds_nothing():
    names = modules()
    assert {"headers", "templates"} <= set(names)
    outcomes = run(names, seed=2025, seconds=SECONDS)
    for name in names:
        assert sum(outcomes[name].values()) > 20, (name, outcomes[name])
