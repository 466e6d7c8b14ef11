"""How is every experiment with agents run again? All in order; a finished one is left alone."""

import subprocess
import sys

from course_utils import command_line

EXPERIMENTS = (
    "guesser",
    "guessing_rl",
    "calculator --seed 1",
    "calculator --seed 2",
    "calculator --seed 3",
)
"""Later ones need models that earlier ones leave behind."""


def main() -> int:
    """Run each as a program of its own; the exit status of the first that fails, or 0."""
    command_line.refuse_arguments(__doc__)
    for line in EXPERIMENTS:
        print(f"experiment: {line}", flush=True)
        name, *arguments = line.split()
        status = subprocess.call([sys.executable, "-m", f"{__package__}.{name}", *arguments])
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
