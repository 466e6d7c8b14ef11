"""What stands behind the notebooks? The plumbing of the course, in five layers.

``teaching`` (figures, widgets, exercises) calls ``evaluation``, ``nano``, ``engines`` and the
foundations (``architectures``, ``capacity``, ``catalogue``, ``download``, ``machine``,
``standin``); a call never goes upwards.  Importing this package imports none of them, so that
``import course_utils`` stays fast and needs neither PyTorch nor matplotlib.
"""

import sys

from course_utils.errors import CourseError

__all__ = ["CourseError"]
__version__ = "0.1.0"

if sys.argv[:1] == ["-m"]:
    # A program of the course is being started (``python -m course_utils.…``), not imported.
    from course_utils.terminal import show_what_can_be_shown

    show_what_can_be_shown()
