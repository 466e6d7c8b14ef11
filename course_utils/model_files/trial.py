"""The trial of a file: llama.cpp opens it in a process of its own, and we watch.

llama.cpp knows some hundred and thirty families of models, each with assertions of its own about
the file; a broken assertion ends the process.  So a file of a family that the course does not know
is opened once where that does no harm.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from course_utils.errors import MachineError, ModelLoadError
from course_utils.units import GIB

# Up to this size one token is computed as well; larger files are only opened and planned.
COMPUTED_BYTES = 2 * GIB

_SECONDS_TO_START = 60
_SLOWEST_DISK = 20e6  # bytes per second
_SURVIVED = "survived"


def try_loading(path: Path, file_bytes: int) -> None:
    """Let llama.cpp open a model file, and compute a token with it, in another process.

    Raises ModelLoadError if that process ends or hangs.  A file that llama.cpp refuses politely
    passes: the engine that opens it next reports llama.cpp's words.
    """
    compute = "compute" if file_bytes <= COMPUTED_BYTES else "open"
    try:
        done = subprocess.run(
            [sys.executable, "-P", __file__, str(path), compute],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS_TO_START + file_bytes / _SLOWEST_DISK,
        )
    except subprocess.TimeoutExpired:
        problem = f"llama.cpp does not finish opening {path}, tried in another process."
    except OSError as error:
        raise MachineError(
            f"The process that tries {path.name} out cannot be started: {error}.",
            "Close other notebooks or programs, and try again.",
        ) from None
    else:
        if done.stdout.strip().endswith(_SURVIVED):
            return
        problem = f"{path} ends llama.cpp, tried in another process: {_reason(done)}."
    raise ModelLoadError(
        problem,
        "The file is damaged, or newer than the installed llama-cpp-python. Download it again, or "
        "take the model from another publisher.",
    )


def _reason(done: subprocess.CompletedProcess) -> str:
    """The assertion that failed, in llama.cpp's words; or else how the process ended."""
    found = re.search(r"GGML_ASSERT\(.*\) failed|fatal error|what\(\): .*", done.stderr)
    return found[0] if found else f"exit code {done.returncode}"


def _open(path: str, compute: bool) -> None:
    import llama_cpp.llama_cpp as C

    C.llama_backend_init()
    settings = C.llama_model_default_params()
    settings.n_gpu_layers = 0
    settings.use_extra_bufts = False
    model = C.llama_model_load_from_file(path.encode(), settings)
    if not model:
        return
    settings = C.llama_context_default_params()
    settings.n_ctx = settings.n_batch = settings.n_ubatch = 64
    settings.n_threads = settings.n_threads_batch = 1
    context = C.llama_init_from_model(model, settings)
    if context and compute:
        vocabulary = C.llama_model_get_vocab(model)
        text = b"Hello 12\n"
        tokens = (C.llama_token * 32)()
        count = C.llama_tokenize(vocabulary, text, len(text), tokens, 32, True, True)
        if count > 0:
            C.llama_decode(context, C.llama_batch_get_one(tokens, count))


if __name__ == "__main__":
    _open(sys.argv[1], sys.argv[2] == "compute")
    print(_SURVIVED)
