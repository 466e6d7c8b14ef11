"""The models that a server lists, and which of them is meant: names as people type them."""

from __future__ import annotations

from typing import NamedTuple

from course_utils.engines.server.connection import Connection
from course_utils.engines.server.errors import NotAnApi, Refused
from course_utils.errors import OptionError, ServerError
from course_utils.network import is_web_page
from course_utils.secret import may_be_key

# A server without a list of models, or one that does not show it to this key.
_NO_LIST = (403, 404, 405, 501)


class ListedModel(NamedTuple):
    """A model's name, to be sent with every request, and what the server's list says of it."""

    name: str
    entry: dict


def choose_model(connection: Connection, wanted: str | None) -> ListedModel:
    """The model that is meant by ``wanted``; by default one that is loaded, or else the first.

    Raises ServerError where the server has no such model, or none is named and it lists none, and
    OptionError where ``wanted`` is a key rather than a name.
    """
    listed = _listed_models(connection, named=wanted is not None)
    if wanted is None:
        return _default(connection, listed)
    found = ListedModel(wanted, {}) if listed is None else find_model(wanted, listed)
    key = wanted == connection.server.secret.reveal() or may_be_key(wanted)
    if key and (found is None or not found.entry):
        raise OptionError(
            "What stands in model=... is not the name of a model: it looks like an API key.",
            "Give a key as api_key=... or in COURSE_API_KEY, and leave out model=... to use the "
            "server's own.",
        )
    if found is None:
        names = connection.server.quote(", ".join(listed)) or "(it has none yet)"
        raise ServerError(
            f"{connection.url} has no model called {connection.server.quote(wanted)!r}.",
            f"Leave out model=... or use one of: {names}.",
        )
    return found


def find_model(wanted: str, listed: dict[str, dict]) -> ListedModel | None:
    """The model that a name means; None if there is none, or several.

    The name or an alias itself; then without regard to case; with Ollama's ":latest" left out;
    with a variant that the list leaves out (OpenRouter's "qwq-32b:nitro"); without the owner or
    folder before it, the ".gguf" or the ":variant" after it, where that leaves one model.
    """
    for name, entry in listed.items():
        aliases = entry.get("aliases")
        if wanted == name or wanted in (aliases if isinstance(aliases, (list, tuple, set)) else ()):
            return ListedModel(wanted, entry)
    typed = wanted.casefold()
    forms = {name: name.casefold() for name in listed}
    base = typed.rpartition(":")[0]
    for name, form in forms.items():
        if form in (typed, f"{typed}:latest"):
            return ListedModel(name, listed[name])
        if base and form == base:
            return ListedModel(wanted, listed[name])
    near = [
        name
        for name, form in forms.items()
        if typed in (form.partition(":")[0], short := form.replace("\\", "/").rpartition("/")[2])
        or typed in (short.removesuffix(".gguf"), short.partition(":")[0])
    ]
    return ListedModel(near[0], listed[near[0]]) if len(near) == 1 else None


def _default(connection: Connection, listed: dict[str, dict] | None) -> ListedModel:
    if listed is None:
        raise ServerError(
            f"{connection.url} does not list its models.",
            "Name one: open_model(..., model=...). If this is a web site, the API's address "
            "usually ends in /v1.",
        )
    if not listed:
        raise ServerError(
            f"{connection.url} has no models yet.",
            "Load or download one there first, or name one with open_model(..., model=...).",
        )
    # A server of many models loads them when they are asked for, which can take minutes.
    loaded = [name for name, entry in listed.items() if _status(entry) == "loaded"]
    name = (loaded or list(listed))[0]
    return ListedModel(name, listed[name])


def _status(entry: dict) -> object:
    status = entry.get("status")
    return status.get("value") if isinstance(status, dict) else status


def _listed_models(connection: Connection, *, named: bool) -> dict[str, dict] | None:
    """The models the server lists, by name; None if it has no such list.

    named: whether the model is named, so that the list is not needed.
    """
    with connection.explaining():
        try:
            body = connection.get("/models")
        except Refused as refusal:
            status = refusal.response.status_code
            if status == 404 and not is_web_page(refusal.response):
                return None
            if named and status in _NO_LIST and not is_web_page(refusal.response):
                return None
            if status in (405, 501):
                return None
            raise
        listed = body
        if isinstance(body, dict):
            listed = body.get("data", body.get("models", NotAnApi))
        if listed is None:  # Ollama, before its first model
            return {}
        if not isinstance(listed, list):
            raise NotAnApi(str(body)[:200])
        found: dict[str, dict] = {}
        for entry in listed:
            entry = {"id": entry} if isinstance(entry, str) else entry
            if not isinstance(entry, dict):
                continue
            names = (entry.get(key) for key in ("id", "name", "model"))
            name = next((name for name in names if isinstance(name, str) and name), None)
            if name is not None:
                found.setdefault(name, entry)
        if listed and not found:
            raise NotAnApi(str(body)[:200])
        return found
