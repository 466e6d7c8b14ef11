"""What can a learner do after a verdict? Ask for a hint and, in a class, tell the teacher.

These lines stand below what ``check`` shows, where somebody who is stuck looks.  They are no part
of the verdict: marks, and models that are asked for a hint, do without them.
"""

from __future__ import annotations

from course_utils.teaching.exercises.declaration import find_exercise
from course_utils.teaching.exercises.sharing import teacher_asks

FROM = "from course_utils.teaching import"

SHARE = (
    "Your teacher asks how the class is getting on. If you agree, run this in a new cell: "
    f'`{FROM} share_results; share_results("a nickname")`. It tells which checks you pass and the '
    "names of mistakes, no code; `stop_sharing()` takes it back."
)

_offered = False
"""Whether this kernel has been asked to share: once is enough."""


def lines_below(exercise_id: str, passed: bool) -> list[str]:
    """What to show below the verdict on an answer, one line each; often nothing.

    Raises OptionError for an exercise that does not exist.
    """
    global _offered
    lines = []
    if not passed:
        call = find_exercise(exercise_id).call("hint")
        lines.append(f"Stuck? In a new cell, this gives the next hint: `{FROM} hint; {call}`")
    if not _offered and teacher_asks():
        _offered = True
        lines.append(SHARE)
    return lines
