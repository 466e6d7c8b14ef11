"""llama.cpp's own server in a process of its own, by the package ``xllamacpp``.

Started by ``model_server``, which writes one line of JSON to its standard input: the settings, the
key included, which a command line would show to everybody on the machine.  It ends when its
standard input does, so that it never outlives whoever started it.
"""

from __future__ import annotations

import json
import os
import sys
import threading


def main() -> int:
    """Serve until standard input ends. The exit status is 1 where the server does not start."""
    settings = json.loads(sys.stdin.readline())
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = settings["path"]
    parameters.model_alias = {settings["name"]}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = settings["port"]
    parameters.api_keys = [settings["key"]]
    parameters.n_parallel = settings["slots"]
    # One cache for each slot, which nobody else can fill.
    parameters.kv_unified = False
    parameters.n_ctx = settings["slots"] * settings["context"]
    # As planned; llama.cpp would rather change the context than fail.
    parameters.fit_params = False
    if settings["kv_type"] == "q8_0":
        parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_Q8_0
    parameters.n_ubatch = settings["batch"]
    parameters.n_batch = max(settings["batch"], settings["slots"])
    parameters.cpuparams.n_threads = settings["threads"]
    parameters.cpuparams_batch.n_threads = settings["threads"]
    parameters.n_gpu_layers = settings["gpu_layers"]
    # A private copy of the weights in another layout, which the plan does not count.
    parameters.no_extra_bufts = True
    # What one learner's conversation left in memory is no other's to find.
    parameters.cache_ram_mib = 0
    parameters.cache_idle_slots = False
    parameters.endpoint_slots = False
    parameters.endpoint_metrics = False
    parameters.ui = False
    parameters.use_jinja = True
    parameters.warmup = False
    try:
        server = xllamacpp.Server(parameters)
    except Exception as error:
        print(f"llama.cpp's server does not start: {error}", file=sys.stderr, flush=True)
        return 1
    print(server.listening_address, flush=True)
    threading.Thread(target=_watch_parent, daemon=True).start()
    threading.Event().wait()
    return 0


def _watch_parent() -> None:
    sys.stdin.read()
    # No farewell: the server's own end waits for replies that nobody reads any more.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
