"""One model for a whole class: a server with a key for each learner, and a board for the teacher.

``make class`` (``python -m course_utils.classroom serve``) starts it.  llama.cpp's own server
writes the replies, several at a time; in front of it stands a small gateway that knows the keys,
shares the slots fairly and tells everybody their place in line.

``keys``: who may ask.  ``line``: whose turn it is.  ``capacity``: what each learner will get.
``model_server`` and ``llama_process``: llama.cpp's server, started, watched and started again.
``gateway``, ``asked``, ``answering``: the HTTP side.  ``progress`` and ``board``: what the teacher
sees.  ``rehearsal``: the class before the class.  ``invitations``: the line to paste, and its QR
code.  ``teacher``: the same board and buttons from a notebook, ``open_class()``.
"""

from importlib import import_module

__all__ = ["open_class"]


def __getattr__(name: str):
    if name == "open_class":
        return import_module(f"{__name__}.teacher").open_class
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
