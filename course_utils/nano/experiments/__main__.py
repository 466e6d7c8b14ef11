"""How is every experiment of the course run again? All of them in order, as ``make nano`` does.

A run whose results lie in ``models/nano/runs`` is left alone: delete its CSV to make it again.  All
together take some hours on two cores.
"""

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
    "chains_begun",
    "chains_above",
    "chains_rates",
    "recipe",
    "recipe_model",
    "recipe_prompts",
    "failures",
    "loop_sampling",
    "failure_prompts",
    "failure_controls",
    "failure_cards",
)
"""Later ones need models that earlier ones leave behind."""


def main() -> int:
    command_line.refuse_arguments(__doc__)
    return command_line.run_modules(f"{__package__}.{name}" for name in EXPERIMENTS)


if __name__ == "__main__":
    sys.exit(main())
