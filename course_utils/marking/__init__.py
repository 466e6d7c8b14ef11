"""How does a teacher mark thirty notebooks and lose none? nbgrader, fed with what the course knows.

``versions``: a learner's and a teacher's notebook from the one source.  ``collecting``: whatever
was handed in becomes something that can be graded.  ``slicing`` and ``executing``: only what the
answers need runs, and no answer stops the others.  ``grading``: nbgrader's run and ``marks.csv``.
``hidden``: cases that no learner can see.  ``mark`` is what the graded cells call.

``python -m course_utils.marking`` is the command; ``make teacher`` installs what it needs.
"""

from course_utils.marking.verdicts import mark

__all__ = ["mark"]
