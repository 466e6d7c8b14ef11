"""The course's errors: one sentence on the problem, one on the remedy.

Every error that a learner can cause or meet is one of these few types.  In a notebook they show
as two lines of text, never as a traceback through our code or a dependency's.
"""


class CourseError(Exception):
    """A problem stated in plain words, together with what to do about it.

    ``problem`` says what is wrong; ``remedy`` says what to do.  Both are full sentences.
    """

    def __init__(self, problem: str, remedy: str):
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}\nWhat to do: {self.remedy}"

    def _render_traceback_(self) -> list[str]:
        """IPython asks for this instead of printing a traceback."""
        return [f"{type(self).__name__}: {self}"]


class ModelFileError(CourseError):
    """The model file is missing, damaged, incomplete, or of a kind that cannot be run."""


class ModelLoadError(CourseError):
    """The file looks sound, but this machine or this llama.cpp cannot load it."""


class PromptError(CourseError):
    """The prompt is empty, too long for the context, or not in the expected form."""


class OptionError(CourseError):
    """An option is misspelt, of the wrong type, or outside its range."""


class ServerError(CourseError):
    """The model server cannot be reached, refuses the key, or failed while answering.

    ``reply`` is what had arrived of the reply by then, None where nothing had.
    """

    reply: object | None = None


class NotSupportedError(CourseError):
    """This engine cannot do what was asked; another one can."""


class DownloadError(CourseError):
    """A download could not be finished; whatever arrived intact is kept for the next attempt."""


class MachineError(CourseError):
    """This machine lacks the memory, disk space or software for what was asked."""


class TrainingError(CourseError):
    """Training cannot go on; the model keeps the last weights that were good."""
