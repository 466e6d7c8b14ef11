"""How is a model opened and used? One call, ``open_model``, and the same methods for all of them.

>>> model = open_model()                               # the nano thinker, shipped with the course
>>> model = open_model("qwq-32b")                      # a model of the catalogue, downloaded before
>>> model = open_model("path/to/a/model.gguf")         # any GGUF file
>>> model = open_model("http://localhost:8080/v1")     # any OpenAI-compatible server
>>> model = open_model("qwq-32b", draft="small.gguf")  # a small model proposes, QwQ decides

The environment variable ``COURSE_MODEL`` sets what ``open_model()`` opens.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.engines.checks import shown, shown_path, why
from course_utils.engines.sampling import GREEDY, PLAIN, QWQ, Sampling
from course_utils.errors import ModelFileError, OptionError
from course_utils.model_files.found import model_in_folder, parts_of
from course_utils.secret import without_keys

if TYPE_CHECKING:
    from course_utils.engines.protocol import Engine

__all__ = ["GREEDY", "PLAIN", "QWQ", "Sampling", "find_draft", "open_model"]

DEFAULT_MODEL = "nano-thinker"

# Engines that are open, by file and options: running a cell twice must not load 20 GB twice.
_open_engines: dict[tuple, weakref.WeakSet] = {}
_opening = threading.Lock()


def open_model(model: str | Path | None = None, /, **options) -> Engine:
    """Open a model by its catalogue name, its file, or the address of a server that runs it.

    model: by default what ``COURSE_MODEL`` says, or else the course's own nano thinker.
    options: for a local model see ``LocalOptions``; for a server, ``api_key``, ``model`` (its name
        there) and ``timeout`` in seconds.

    Opening the same file with the same options again shares the weights and the KV cache of the
    engine that is already open.  Whoever opens a model closes it for themselves, with ``close()``,
    a ``with`` block, or by no longer referring to it; the last one to do so frees its memory.
    Raises ModelFileError, ModelLoadError, ServerError or OptionError, each with a remedy.
    """
    if model is not None and not isinstance(model, str | os.PathLike):
        raise OptionError(
            f"{shown(model)} is not the name of a model.",
            'Give a name, a path or an address as text, as in open_model("nano-thinker").',
        )
    chosen = os.fspath(model or os.environ.get("COURSE_MODEL", "").strip() or DEFAULT_MODEL)
    if isinstance(chosen, bytes):
        chosen = os.fsdecode(chosen)
    if _is_address(chosen):
        from course_utils.engines.server import open_server

        _refuse_unknown(options, ("api_key", "model", "timeout"))
        return open_server(chosen, **options)

    from course_utils.engines.local import LocalEngine, LocalOptions

    if "model" in options:
        from course_utils.model_files.catalogue import models

        named = options["model"] if options["model"] in list(models()) else "nano-thinker"
        raise OptionError(
            "Only a server has several models to choose from with model=...",
            f"Name a model of this machine first: open_model({named!r}).",
        )
    _refuse_unknown(options, [field.name for field in dataclasses.fields(LocalOptions)])
    local_options = LocalOptions(**options)
    if local_options.draft is not None:
        local_options = dataclasses.replace(local_options, draft=find_draft(local_options.draft))
    path, name = _find_file(chosen)
    stamp = path.stat()
    key = (path, stamp.st_size, stamp.st_mtime_ns, local_options)
    with _opening:
        openers = _open_engines.setdefault(key, weakref.WeakSet())
        for opener in openers:
            engine = opener.share()
            if engine is not None:
                break
        else:
            engine = LocalEngine(path, name=name, options=local_options)
        openers.add(engine)
    return engine


# A machine and its port; or a name and a password, which stand in addresses alone.
_PLACE = re.compile(r"([^\s/\\]*@)?([\w.-]+|\[[\da-fA-F:.]+\]):\d+(/|\Z)|[^\s/\\]*:[^\s/\\]*@")


def _is_address(chosen: str) -> bool:
    """Is this a server's address, also one whose beginning is left out or mistyped?"""
    if "://" in chosen or re.match(r"\s*https?[:;/]", chosen, re.IGNORECASE):
        return True
    return _PLACE.match(chosen) is not None


def _find_file(chosen: str) -> tuple[Path, str | None]:
    """The file of a catalogue name or a path, and the model's name if the catalogue knows it."""
    if chosen.endswith(".gguf") or os.sep in chosen or "/" in chosen:
        try:
            path = Path(chosen).expanduser()
            path = model_in_folder(path.absolute()) if path.is_dir() else path.absolute()
            path.stat()
            if len(parts_of(path)) == 1:  # the others are found beside the link, not its target
                path = path.resolve()
        except (FileNotFoundError, NotADirectoryError):
            named = shown_path(chosen)
            raise ModelFileError(
                f"There is no file {named if named.endswith('.gguf') else without_keys(named)}.",
                "Check the spelling and the folder; open_model() without a name opens the model "
                "that comes with the course.",
            ) from None
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelFileError(
                f"{shown_path(chosen)} is not a path that can be opened: {why(error)}.",
                "Give a shorter or another path to the model's file.",
            ) from None
        return path, None
    from course_utils.download import model_path
    from course_utils.model_files.catalogue import find_model

    return model_path(chosen), find_model(chosen).name


def find_draft(draft: str) -> str:
    """What a model opens as its draft: "lookup", or the file of this name or path.

    Raises ModelFileError where there is no such file, OptionError for a server's address.
    """
    from course_utils.engines.local.options import LOOKUP

    if draft == LOOKUP:
        return draft
    if _is_address(draft):
        raise OptionError(
            "A draft has to run in this process, and a server's address was given.",
            f'Name a model or a file, or draft="{LOOKUP}"; a server drafts by its own settings.',
        )
    return str(_find_file(draft)[0])


def _refuse_unknown(options: dict, known) -> None:
    for option in options:
        if option not in known:
            near = difflib.get_close_matches(option, known, n=1)
            raise OptionError(
                f"There is no option {shown(option)} here.",
                f"Did you mean {near[0]!r}?" if near else f"Use one of: {', '.join(known)}.",
            )
