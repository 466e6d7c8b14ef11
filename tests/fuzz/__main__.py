"""Run every module of this folder that has a function ``fuzz``, each for its share of the time.

    python -m tests.fuzz [--minutes 10] [--seed N] [headers templates ...]

``fuzz(seed, seconds)`` counts the outcomes by name, and raises AssertionError, which names the seed
and the input, when something happened that must not.  A module's ``SHARE`` of the time is 1 unless
it says otherwise.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import secrets
import sys
import time
from pathlib import Path


def modules() -> list[str]:
    """The names of all modules here that can be run."""
    names = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    return [
        name
        for name in names
        if name != "__main__" and hasattr(importlib.import_module(f"tests.fuzz.{name}"), "fuzz")
    ]


def run(names: list[str], seed: int, seconds: float) -> dict[str, dict[str, int]]:
    """Outcomes by module, which share out ``seconds``. Raises what a module raises."""
    modules = {name: importlib.import_module(f"tests.fuzz.{name}") for name in names}
    shares = {name: getattr(module, "SHARE", 1) for name, module in modules.items()}
    outcomes = {}
    for name, module in modules.items():
        start = time.monotonic()
        outcomes[name] = module.fuzz(seed, seconds * shares[name] / sum(shares.values()))
        spent = time.monotonic() - start
        counts = ", ".join(f"{count:,} {what}" for what, count in outcomes[name].items())
        print(f"{name} (seed {seed}, {spent:.0f} s): {counts}", flush=True)
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help=f"by default all: {', '.join(modules())}")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all modules together")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    options = parser.parse_args()
    if unknown := set(options.modules) - set(modules()):
        parser.error(f"there is no module {unknown.pop()!r}; choose from: {', '.join(modules())}")
    if not options.minutes > 0:
        parser.error("--minutes: give a number above 0")
    print(f"seed {options.seed}", flush=True)
    try:
        run(options.modules or modules(), options.seed, 60 * options.minutes)
    except AssertionError as finding:
        print(f"\nFound: {finding}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
