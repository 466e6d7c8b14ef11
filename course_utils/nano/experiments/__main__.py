"""How is every experiment of the course run again? All of them in order, as ``make nano`` does.

A run whose results lie in ``models/nano/runs`` is left alone: delete its CSV to make it again.  All
together take some hours on two cores.
"""

import subprocess
import sys

from course_utils import command_line

EXPERIMENTS = (
    "moe",
    "small_base",
    "draft",
    "elicitation",
    "objectives",
    "coin",
    "chains",
    "chains_above",
    "recipe",
    "recipe_model",
    "recipe_prompts",
    "failures",
    "loop_sampling",
    "failure_prompts",
    "failure_cards",
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
