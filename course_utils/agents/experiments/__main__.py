"""How is every experiment with agents run again? All of them in order, as ``make nano`` does.

A run whose results are there is left alone: delete its CSV in ``models/nano/runs``, or its model,
to make it again.  A stopped one goes on where it was.  All together take about two hours
on one core.
"""

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
    command_line.refuse_arguments(__doc__)
    return command_line.run_modules(f"{__package__}.{name}" for name in EXPERIMENTS)


if __name__ == "__main__":
    sys.exit(main())
