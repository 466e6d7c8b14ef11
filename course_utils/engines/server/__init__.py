"""Models behind a server: any OpenAI-compatible one, and llama.cpp's own with all it can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course_utils.engines.checks import shown
from course_utils.errors import OptionError

if TYPE_CHECKING:
    from course_utils.engines.server.endpoint import EndpointEngine

DEFAULT_TIMEOUT = 300.0
"""Seconds of silence after which a server counts as stuck. A long prompt can take minutes."""


def open_server(
    base_url: str,
    *,
    api_key: str | None = None,
    model: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
) -> EndpointEngine:
    """Open a model behind an OpenAI-compatible API, as ``open_model("http://...")`` does.

    base_url: the API's address, usually ending in /v1.
    api_key: by default what the environment variable COURSE_API_KEY says, or else OPENAI_API_KEY
        (which is not sent unencrypted to another machine).
    model: its name on the server; by default one that is loaded, or else the first it lists.
    timeout: seconds without any sign of life after which a request is given up.

    Raises OptionError for an address, key or timeout that cannot be used, and ServerError where
    the server cannot be reached, refuses the key, or does not have the model.
    """
    from course_utils.engines.server.connection import Connection
    from course_utils.engines.server.endpoint import EndpointEngine
    from course_utils.engines.server.llama_server import LlamaServerEngine
    from course_utils.engines.server.models import choose_model

    if model is not None and (not isinstance(model, str) or not model.strip()):
        raise OptionError(
            f"model={shown(model)} is not the name of a model.",
            "Give it as the server lists it, or leave it out to take the server's own.",
        )
    model = model and model.strip()
    connection = Connection(base_url, api_key, model, timeout)
    try:
        chosen = choose_model(connection, model)
        llama_server = chosen.entry.get("owned_by") == "llamacpp"
        return (LlamaServerEngine if llama_server else EndpointEngine)(connection, chosen)
    except BaseException:
        connection.close()
        raise
