"""How does Python hold llama.cpp's objects safely? Model, context, batch and samplers, freed once.

These are thin wrappers over the C functions that llama-cpp-python exposes.  They hide pointers and
nothing else; the decoding loop itself stands in ``local.py``.
"""

from __future__ import annotations

import collections
import ctypes
import secrets
import signal
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import llama_cpp.llama_cpp as C
import numpy as np

from course_utils.engines.sampling import Sampling
from course_utils.errors import CourseError, MachineError, ModelFileError, ModelLoadError

_DECODE_ABORTED = 2
_DECODE_NO_ROOM = 1

# Key/value cache types that the course offers, by name.
KV_TYPES = {"f32": C.GGML_TYPE_F32, "f16": C.GGML_TYPE_F16, "q8_0": C.GGML_TYPE_Q8_0}

# How far back the penalties look; llama.cpp's default.
PENALISED_TOKENS = 64

# llama.cpp writes hundreds of lines to stderr, where a notebook would store them as output.
# We keep the errors, so that a message can quote the one that matters.
_log_lines: collections.deque[str] = collections.deque(maxlen=50)


@C.llama_log_callback
def _keep_log(level: int, text: bytes, _user_data) -> None:
    if level == 4:  # GGML_LOG_LEVEL_ERROR, see ggml.h
        _log_lines.append(text.decode("utf-8", errors="replace").strip())


C.llama_log_set(_keep_log, None)


def reason() -> str:
    """What llama.cpp logged as the cause of the failure just met.

    The first error names the cause; those after it only pass it on.
    """
    return _log_lines[0] if _log_lines else "it gives no reason"


def repacking_crashes() -> str | None:
    """Why decoding with repacked weights would end this process; None where it works.

    On processors with AMX llama.cpp repacks for those instructions, and its product of matrices
    then reads outside its memory (github.com/ggml-org/llama.cpp/issues/20824; met with
    llama-cpp-python 0.3.36 on an Intel Xeon, with Q4_K weights).
    """
    if b"AMX_INT8 = 1" not in C.llama_print_system_info():
        return None
    return "this processor has AMX, and llama.cpp's code for it fails (llama.cpp's issue 20824)"


class Interrupt:
    """Lets Ctrl-C, a kernel interrupt or a stop button end a long computation inside llama.cpp.

    Python handles signals only between its own instructions, so an interrupt would otherwise wait
    for the whole call, minutes for a long prompt on a large model.  llama.cpp asks ``callback``
    between the operations of its graph; it stops as soon as the answer is yes.
    """

    def __init__(self, stop_wanted: Callable[[], bool]):
        self._interrupted = False
        self.callback = C.ggml_abort_callback(lambda _data: self._interrupted or stop_wanted())

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While inside, an interrupt is noted for llama.cpp, and raised when it has returned."""
        if threading.current_thread() is not threading.main_thread():
            yield  # Only the main thread may set handlers, and only it receives interrupts.
            return
        self._interrupted = False

        def note(_signal, _frame):
            self._interrupted = True

        previous = signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt


class Model:
    """A GGUF file opened by llama.cpp: weights and vocabulary."""

    def __init__(
        self,
        path: Path,
        *,
        repack: bool,
        check_weights: bool,
        on_progress: Callable[[float], None],
    ):
        parameters = C.llama_model_default_params()
        parameters.n_gpu_layers = 0
        parameters.use_extra_bufts = repack
        # Refuses weights that are not numbers; it reads all of them, so only for small files.
        parameters.check_tensors = check_weights
        problem: list[BaseException] = []

        def progress(share: float, _user_data) -> bool:
            # An exception cannot pass through C; it is kept and raised once the call returns.
            try:
                on_progress(share)
            except BaseException as error:
                problem.append(error)
            return not problem

        parameters.progress_callback = C.llama_progress_callback(progress)
        _log_lines.clear()
        C.llama_backend_init()
        self.pointer = C.llama_model_load_from_file(str(path).encode(), parameters)
        if problem:
            if self.pointer:
                C.llama_model_free(self.pointer)
            raise problem[0]
        if not self.pointer:
            raise ModelLoadError(
                f"llama.cpp cannot load {path.name}: {reason()}.",
                "Check that the file is complete and that its architecture is supported by the "
                "installed llama-cpp-python; if memory is short, take a smaller model.",
            )
        self.vocabulary = C.llama_model_get_vocab(self.pointer)
        self.vocabulary_size = C.llama_vocab_n_tokens(self.vocabulary)
        self.trained_context = C.llama_model_n_ctx_train(self.pointer)
        self.parameter_count = C.llama_model_n_params(self.pointer)
        self.bytes = C.llama_model_size(self.pointer)
        self.layers = C.llama_model_n_layer(self.pointer)
        self._free = weakref.finalize(self, C.llama_model_free, self.pointer)

    def close(self) -> None:
        self._free()

    @property
    def closed(self) -> bool:
        return not self._free.alive

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """Token ids of a text; with ``special``, control tokens written in it are recognised."""
        data = text.encode("utf-8")
        room = len(data) + 8
        while True:
            ids = (C.llama_token * room)()
            count = C.llama_tokenize(self.vocabulary, data, len(data), ids, room, False, special)
            if count >= 0:
                return ids[:count]
            room = -count

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token stands for; control tokens give their name."""
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            count = C.llama_token_to_piece(self.vocabulary, token, buffer, room, 0, True)
            if count >= 0:
                return buffer.raw[:count]
            room = -count

    def beginning(self) -> list[int]:
        """What the model expects before every text: a beginning-of-sequence token or nothing."""
        adds = C.llama_vocab_get_add_bos(self.vocabulary)
        return [C.llama_vocab_bos(self.vocabulary)] if adds else []

    def special_tokens(self) -> dict[str, str]:
        """The special tokens that chat templates use, by the names they use."""
        ids = {
            "bos_token": C.llama_vocab_bos(self.vocabulary),
            "eos_token": C.llama_vocab_eos(self.vocabulary),
        }
        return {
            name: self.token_bytes(token).decode("utf-8", errors="replace") if token >= 0 else ""
            for name, token in ids.items()
        }

    def end_tokens(self) -> frozenset[int]:
        """Tokens with which the model says that it has finished."""
        return frozenset(
            token
            for token in range(self.vocabulary_size)
            if C.llama_vocab_is_eog(self.vocabulary, token)
        )

    def metadata(self, key: str) -> str | None:
        """One metadata value of the file as text, or None."""
        room = 1 << 10
        while True:
            buffer = ctypes.create_string_buffer(room)
            count = C.llama_model_meta_val_str(self.pointer, key.encode(), buffer, room)
            if count < 0:
                return None
            if count < room:
                return buffer.value.decode("utf-8", errors="replace")
            room = count + 1


class Context:
    """A KV cache over a model, and the one place that calls ``llama_decode``."""

    def __init__(
        self,
        model: Model,
        *,
        context: int,
        threads: int,
        kv_type: str = "f16",
        flash_attention: bool = False,
        batch: int = 512,
        sequences: int = 1,
        on_tensor=None,
    ):
        parameters = C.llama_context_default_params()
        parameters.n_ctx = context
        parameters.n_batch = parameters.n_ubatch = min(batch, context)
        parameters.n_seq_max = sequences
        # One pool of cells for all sequences, so that a shared prompt is stored once.
        parameters.kv_unified = True
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.type_k = parameters.type_v = KV_TYPES[kv_type]
        parameters.flash_attn_type = (
            C.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash_attention else C.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        if on_tensor is not None:
            parameters.cb_eval = on_tensor
        _log_lines.clear()
        self.pointer = C.llama_init_from_model(model.pointer, parameters)
        if not self.pointer:
            raise ModelLoadError(
                f"llama.cpp cannot set up a context of {context} tokens: {reason()}.",
                "Ask for a smaller context, or for kv_type='q8_0', which halves the KV cache.",
            )
        self.size = C.llama_n_ctx(self.pointer)
        self.batch = int(parameters.n_batch)
        self.vocabulary_size = model.vocabulary_size
        self.memory = C.llama_get_memory(self.pointer)
        # The model must outlive the context, and so must everything llama.cpp calls back.
        self._keep = (model, on_tensor)
        self._interrupt: Interrupt | None = None
        self.stopping: threading.Event | None = None
        self._one_token = (C.llama_token * 1)()
        self._one_token_batch = C.llama_batch_get_one(self._one_token, 1)
        self._free = weakref.finalize(self, C.llama_free, self.pointer)

    def close(self) -> None:
        self._free()

    def make_interruptible(self) -> None:
        """Let an interrupt, or the event ``stopping``, end a decode in the middle.

        Worth it where one decode takes long: the callback costs about a microsecond for each
        operation of the graph.
        """
        self._interrupt = Interrupt(lambda: self.stopping is not None and self.stopping.is_set())
        C.llama_set_abort_callback(self.pointer, self._interrupt.callback, None)

    def decode_token(self, token: int) -> None:
        """Append one token to the only sequence and compute the logits after it."""
        self._one_token[0] = token
        self._run(self._one_token_batch)

    def decode(self, batch: Batch) -> None:
        """Compute a batch; logits of the rows marked in it can be read afterwards."""
        self._run(batch.struct)

    def _run(self, struct: C.llama_batch) -> None:
        if self._interrupt is None:
            status = C.llama_decode(self.pointer, struct)
        else:
            with self._interrupt.watching():
                status = C.llama_decode(self.pointer, struct)
        if status:
            _raise_decode_error(status)

    def logits(self, row: int = -1) -> np.ndarray:
        """Logits of one row of the last batch: (vocabulary,), a view valid until the next one."""
        pointer = C.llama_get_logits_ith(self.pointer, row)
        return np.ctypeslib.as_array(pointer, shape=(self.vocabulary_size,))

    def keep_first(self, positions: int, sequence: int = 0) -> bool:
        """Drop all but the first positions of a sequence. False if the model cannot do that."""
        return C.llama_memory_seq_rm(self.memory, sequence, positions, -1)

    def clear(self) -> None:
        C.llama_memory_clear(self.memory, True)

    def copy_sequence(self, source: int, target: int) -> None:
        """Let ``target`` share everything that ``source`` holds; nothing is copied."""
        C.llama_memory_seq_cp(self.memory, source, target, -1, -1)

    def save(self, path: Path, tokens: list[int]) -> None:
        """Write the first sequence's keys and values, with its tokens, to a file."""
        ids = (C.llama_token * len(tokens))(*tokens)
        written = C.llama_state_seq_save_file(self.pointer, str(path).encode(), 0, ids, len(tokens))
        if not written:
            raise MachineError(
                f"The KV cache could not be written to {path}.",
                "Check that the folder exists and that the disk has room.",
            )

    def load(self, path: Path) -> list[int]:
        """Read what ``save`` wrote for this model and settings; gives the tokens.

        The caller makes sure that the file fits, since llama.cpp does not (see ``cache_file``).
        """
        self.clear()
        ids = (C.llama_token * self.size)()
        count = ctypes.c_size_t(0)
        if not C.llama_state_seq_load_file(
            self.pointer, str(path).encode(), 0, ids, self.size, ctypes.byref(count)
        ):
            self.clear()
            raise ModelFileError(
                f"llama.cpp cannot read the KV cache {path.name}: {reason()}.",
                "Go on without it: what it holds is computed again with the next prompt.",
            )
        return ids[: count.value]


class Batch:
    """Tokens to compute together, each with its position and sequence."""

    def __init__(self, room: int):
        self.struct = C.llama_batch_init(room, 0, 1)
        self._free = weakref.finalize(self, C.llama_batch_free, self.struct)

    def __len__(self) -> int:
        return self.struct.n_tokens

    def clear(self) -> None:
        self.struct.n_tokens = 0

    def add(self, token: int, position: int, *, sequence: int = 0, logits: bool = False) -> int:
        """Append a token; gives its row, for reading its logits."""
        row = self.struct.n_tokens
        self.struct.token[row] = token
        self.struct.pos[row] = position
        self.struct.n_seq_id[row] = 1
        self.struct.seq_id[row][0] = sequence
        self.struct.logits[row] = logits
        self.struct.n_tokens = row + 1
        return row

    def close(self) -> None:
        self._free()


class Sampler:
    """llama.cpp's chain of samplers for one reply, in llama.cpp's own order."""

    def __init__(self, model: Model, sampling: Sampling):
        seed = secrets.randbelow(2**32 - 1) if sampling.seed is None else sampling.seed
        self.pointer = C.llama_sampler_chain_init(C.llama_sampler_chain_default_params())
        self._free = weakref.finalize(self, C.llama_sampler_free, self.pointer)
        self._remembers = _has_penalties(sampling)
        for part in _samplers(model, sampling, seed):
            C.llama_sampler_chain_add(self.pointer, part)

    def __call__(self, context: Context, row: int = -1) -> int:
        """Pick the next token from the logits of a row, and remember it for the penalties."""
        return C.llama_sampler_sample(self.pointer, context.pointer, row)

    def accept(self, tokens: Sequence[int]) -> None:
        """Let the penalties, if there are any, know of tokens that were not sampled here."""
        if self._remembers:
            for token in tokens:
                C.llama_sampler_accept(self.pointer, token)

    def close(self) -> None:
        self._free()


def _has_penalties(sampling: Sampling) -> bool:
    return sampling.repetition_penalty != 1 or sampling.presence_penalty != 0


def _samplers(model: Model, sampling: Sampling, seed: int) -> Iterator[ctypes.c_void_p]:
    if _has_penalties(sampling):
        settings = (PENALISED_TOKENS, sampling.repetition_penalty, 0.0, sampling.presence_penalty)
        # Newer versions also ask for the vocabulary's size, first.
        if len(C.llama_sampler_init_penalties.argtypes) == 5:
            settings = (model.vocabulary_size, *settings)
        yield C.llama_sampler_init_penalties(*settings)
    if sampling.temperature == 0:
        yield C.llama_sampler_init_greedy()
        return
    if sampling.top_k > 0:
        yield C.llama_sampler_init_top_k(sampling.top_k)
    if sampling.top_p < 1:
        yield C.llama_sampler_init_top_p(sampling.top_p, 1)
    if sampling.min_p > 0:
        yield C.llama_sampler_init_min_p(sampling.min_p, 1)
    yield C.llama_sampler_init_temp(sampling.temperature)
    yield C.llama_sampler_init_dist(seed)


def _raise_decode_error(status: int) -> None:
    if status == _DECODE_ABORTED:
        raise Stopped
    if status == _DECODE_NO_ROOM:
        raise CourseError(
            "The KV cache has no room left for these tokens.",
            "Open the model with a larger context, or ask for fewer or shorter completions.",
        )
    raise CourseError(
        f"llama.cpp failed while computing (code {status}): {reason()}.",
        "Open the model again; if it happens with the same text, please report it with that text.",
    )


class Stopped(Exception):
    """A stop button ended the computation; never leaves the engine."""
