"""How is every experiment with agents run again? All of them in order, as ``make nano`` does.

A run whose results are there is left alone: delete its CSV in ``models/nano/runs``, or its model,
to make it again.  A stopped one goes on where it was.  All together take about two hours
on one core.
"""

import subprocess
import sys

from course_utils import command_line

EXPERIMENTS = (
    "caller",
    "guesser",
    "guessing_stages",
    "guessing_rl",
    "guessing_hole",
    "guessing_noise",
    "guessing_temperatures",
    "guessing_tries",
    "guessing_middle",
    "calculator",
)
"""Later ones need models that earlier ones leave behind."""


def main() -> int:
    """Run each as a program of its own; the exit status of the first that fails, or 0."""
    command_line.refuse_arguments(__doc__)
    for name in EXPERIMENTS:
        print(f"experiment: {name}", flush=True)
        status = subprocess.call([sys.executable, "-m", f"{__package__}.{name}"])
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
