"""What stands behind the notebooks? The plumbing of the course, in five layers.

``teaching`` (figures, widgets, exercises) calls ``evaluation``, ``nano``, ``engines`` and the
foundations (``architectures``, ``capacity``, ``catalogue``, ``download``, ``machine``,
``standin``); a call never goes upwards.  Importing this package imports none of them, so that
``import course_utils`` stays fast and needs neither PyTorch nor matplotlib.
"""

from course_utils.errors import CourseError

__all__ = ["CourseError"]
__version__ = "0.1.0"
