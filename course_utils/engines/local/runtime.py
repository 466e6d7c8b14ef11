"""llama.cpp's objects, safe to use from Python: a model, its contexts, and batches of tokens.

These are thin wrappers over the C functions that llama-cpp-python exposes.  They hide pointers and
nothing else; the decoding loop itself stands in ``decoding.py``.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path

import llama_cpp.llama_cpp as C
import numpy as np

from course_utils.engines.checks import shown_path
from course_utils.engines.local.interrupting import Interrupt
from course_utils.engines.local.library import (
    Handle,
    check_several_threads,
    forget_log,
    ggml,
    reason,
)
from course_utils.engines.local.positions import Yarn
from course_utils.engines.local.vocabulary import Vocabulary
from course_utils.errors import CourseError, MachineError, ModelFileError, ModelLoadError

_DECODE_ABORTED = 2
_DECODE_NO_ROOM = 1

# Key/value cache types that the course offers, by name.
KV_TYPES = {
    "f32": C.GGML_TYPE_F32,
    "f16": C.GGML_TYPE_F16,
    "q8_0": C.GGML_TYPE_Q8_0,
    "q4_0": C.GGML_TYPE_Q4_0,
}
QUANTISED_KV_TYPES = ("q8_0", "q4_0")

# The address alone, a number: the package's own function makes a pointer object of it each time.
_logits_at = C._lib["llama_get_logits_ith"]
_logits_at.restype, _logits_at.argtypes = ctypes.c_void_p, C.llama_get_logits_ith.argtypes

# So long ``close`` waits for a computation in another thread to notice.
_SECONDS_TO_LEAVE = 5.0


def repacking_crashes() -> str | None:
    """Why decoding with repacked weights would end this process; None where it works.

    On processors with AMX llama.cpp repacks for those instructions, and its product of matrices
    then reads outside its memory (github.com/ggml-org/llama.cpp/issues/20824; met with
    llama-cpp-python 0.3.36 on an Intel Xeon, with Q4_K weights).
    """
    if b"AMX_INT8 = 1" not in C.llama_print_system_info():
        return None
    return "this processor has AMX, and llama.cpp's code for it fails (llama.cpp's issue 20824)"


class Model:
    """A GGUF file opened by llama.cpp: weights and vocabulary, and how positions are counted."""

    def __init__(
        self,
        path: Path,
        *,
        repack: bool,
        check_weights: bool,
        on_progress: Callable[[float], None],
        gpu_layers: int = 0,
        yarn: Yarn | None = None,
    ):
        parameters = C.llama_model_default_params()
        parameters.n_gpu_layers = gpu_layers
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
        forget_log()
        C.llama_backend_init()
        pointer = C.llama_model_load_from_file(os.fsencode(path), parameters)
        if not pointer and not problem:
            raise ModelLoadError(
                f"llama.cpp cannot load {shown_path(path.name)}: {reason()}.",
                "Check that the file is complete and that its architecture is supported by the "
                "installed llama-cpp-python; if memory is short, take a smaller model.",
            )
        if pointer:
            self.handle = Handle(pointer, C.llama_model_free)
        if problem:
            raise problem[0]
        with self.handle:
            self.parameter_count = C.llama_model_n_params(pointer)
            self.layers = C.llama_model_n_layer(pointer)
            # A recurrent state holds the whole text at once: no part of it can be taken back.
            self.recurrent = C.llama_model_is_recurrent(pointer) or C.llama_model_is_hybrid(pointer)
        self.vocabulary = Vocabulary(self.handle)
        self.yarn = yarn

    def close(self) -> None:
        """Free the weights; waits for a computation that another thread has under way."""
        self.handle.close()
        self.handle.wait_until_freed(_SECONDS_TO_LEAVE)

    def metadata(self, key: str) -> str | None:
        """One metadata value of the file as text, or None."""
        room = 1 << 10
        while True:
            buffer = ctypes.create_string_buffer(room)
            with self.handle as pointer:
                count = C.llama_model_meta_val_str(pointer, key.encode(), buffer, room)
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
        interruptible: bool = False,
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
        if model.yarn is not None:
            parameters.rope_scaling_type = C.LLAMA_ROPE_SCALING_TYPE_YARN
            parameters.rope_freq_scale = 1 / model.yarn.factor
            parameters.yarn_orig_ctx = model.yarn.trained
        if on_tensor is not None:
            parameters.cb_eval = on_tensor
        forget_log()
        with model.handle as model_pointer:
            pointer = C.llama_init_from_model(model_pointer, parameters)
            if not pointer:
                raise ModelLoadError(
                    f"llama.cpp cannot set up a context of {context} tokens: {reason()}.",
                    "Ask for a smaller context, or for kv_type='q8_0', which halves the KV cache.",
                )
            self.handle = Handle(pointer, C.llama_free, needs=model.handle)
            self.memory = C.llama_get_memory(pointer)
            self.size = C.llama_n_ctx(pointer)
        self.batch = int(parameters.n_batch)
        self._row = ctypes.c_float * model.vocabulary.size
        self._row_bytes = ctypes.sizeof(self._row)
        self._all_finite = ggml().ggml_validate_row_data
        self._threads = threads
        self._on_tensor = on_tensor  # llama.cpp calls it as long as the context lives
        self._one_token = (C.llama_token * 1)()
        self._one_token_batch = C.llama_batch_get_one(self._one_token, 1)
        self._stopping: threading.Event | None = None
        self._interrupt = self._watch_for_interrupts(model) if interruptible else None

    def _watch_for_interrupts(self, model: Model) -> Interrupt:
        """Let an interrupt, the event ``stopping`` or ``close`` end a decode in the middle.

        Worth it where one decode takes long: the callback costs about a microsecond for each
        operation of the graph.
        """
        handle, model_handle = self.handle, model.handle

        def wanted() -> bool:
            stopping = self._stopping
            stopped = stopping is not None and stopping.is_set()
            return stopped or handle.closed or model_handle.closed

        interrupt = Interrupt(wanted)
        with handle as pointer:
            C.llama_set_abort_callback(pointer, interrupt.callback, None)
        return interrupt

    def close(self) -> None:
        """Free the KV cache; waits for a computation that another thread has under way."""
        self.handle.close()
        self.handle.wait_until_freed(_SECONDS_TO_LEAVE)

    def decode_token(self, token: int, stopping: threading.Event | None = None) -> None:
        """Append one token to the only sequence and compute the logits after it."""
        self._one_token[0] = token
        self._run(self._one_token_batch, stopping)

    def decode(self, batch: Batch, stopping: threading.Event | None = None) -> None:
        """Compute a batch; logits of the rows marked in it can be read afterwards.

        stopping: ends the computation in the middle when it is set, with ``Stopped``; only where
        the context is interruptible.
        """
        # llama.cpp ends the process for both.
        if not 0 < len(batch) <= self.batch:
            raise ValueError(f"a batch of {len(batch)} tokens; here from 1 to {self.batch}")
        with batch.handle as struct:
            self._run(struct, stopping)

    def _run(self, struct: C.llama_batch, stopping: threading.Event | None) -> None:
        if self._threads > 1:
            check_several_threads()
        with self.handle as pointer:
            if self._interrupt is None:
                status = C.llama_decode(pointer, struct)
            else:
                # The event belongs to this request, and must not outlive it.
                self._stopping = stopping
                try:
                    with self._interrupt.watching():
                        status = C.llama_decode(pointer, struct)
                finally:
                    self._stopping = None
        if status:
            with self.handle:  # a model that was closed meanwhile says so
                _raise_decode_error(status)

    def logits(self, row: int = -1) -> np.ndarray:
        """Logits of one row of the last batch: (vocabulary,), a copy.

        Raises CourseError where they are not numbers.
        """
        with self.handle as pointer:
            return self.as_array(self.checked_logits(pointer, row)).copy()

    def checked_logits(self, pointer: object, row: int) -> int:
        """The address of the same, where llama.cpp's samplers find them; only inside ``handle``.

        They end the process where there are none, or where one is not a number (llama.cpp's issue
        26651).
        """
        address = _logits_at(pointer, row)
        if not address:
            raise CourseError(
                "There are no probabilities to read: nothing has been computed.",
                "Ask again; if it stays so, open the model again.",
            )
        # ggml's check costs next to nothing; but minus infinity only rules a token out.
        if not self._all_finite(C.GGML_TYPE_F32, address, self._row_bytes) and not np.isfinite(
            self.as_array(address).max()
        ):
            raise CourseError(
                "The model computed something that is not a number for this text.",
                "Its file may be damaged: check it with check_gguf, or download it again. A cache "
                "of kv_type='f16' can also be too narrow for it: open it with kv_type='f32'.",
            )
        return address

    def as_array(self, address: int) -> np.ndarray:
        """The logits at an address, (vocabulary,), not copied; only inside ``handle``."""
        return np.frombuffer(self._row.from_address(address), np.float32)

    def keep_first(self, positions: int, sequence: int = 0) -> bool:
        """Drop all but the first positions of a sequence. False if the model cannot do that."""
        with self.handle:
            return C.llama_memory_seq_rm(self.memory, sequence, positions, -1)

    def clear(self) -> None:
        with self.handle:
            C.llama_memory_clear(self.memory, True)

    def copy_sequence(self, source: int, target: int) -> None:
        """Let ``target`` share everything that ``source`` holds; nothing is copied."""
        with self.handle:
            C.llama_memory_seq_cp(self.memory, source, target, -1, -1)

    def save(self, path: Path, tokens: list[int]) -> None:
        """Write the first sequence's keys and values, with its tokens, to a file."""
        ids = (C.llama_token * len(tokens))(*tokens)
        forget_log()
        with self.handle as pointer:
            written = C.llama_state_seq_save_file(pointer, os.fsencode(path), 0, ids, len(tokens))
        if not written:
            raise MachineError(
                f"The KV cache could not be written to {shown_path(path)}: {reason()}.",
                "Check that the folder exists and that the disk has room.",
            )

    def load(self, path: Path) -> list[int]:
        """Read what ``save`` wrote for this model and settings; gives the tokens.

        The caller makes sure that the file fits, since llama.cpp does not (see ``cache``).
        """
        self.clear()
        ids = (C.llama_token * self.size)()
        count = ctypes.c_size_t(0)
        forget_log()
        with self.handle as pointer:
            loaded = C.llama_state_seq_load_file(
                pointer, os.fsencode(path), 0, ids, self.size, ctypes.byref(count)
            )
        if not loaded:
            self.clear()
            raise ModelFileError(
                f"llama.cpp cannot read the KV cache {shown_path(path.name)}: {reason()}.",
                "Go on without it: what it holds is computed again with the next prompt.",
            )
        return ids[: count.value]


class Batch:
    """Tokens to compute together, each with its position and sequence."""

    def __init__(self, room: int):
        self._room = room
        self._struct = C.llama_batch_init(room, 0, 1)
        self.handle = Handle(self._struct, C.llama_batch_free)

    def __len__(self) -> int:
        return self._struct.n_tokens

    def clear(self) -> None:
        self._struct.n_tokens = 0

    def add(self, token: int, position: int, *, sequence: int = 0, logits: bool = False) -> int:
        """Append a token; gives its row, for reading its logits."""
        row = self._struct.n_tokens
        if row >= self._room:
            raise IndexError(f"this batch has room for {self._room} tokens")
        with self.handle as struct:
            struct.token[row] = token
            struct.pos[row] = position
            struct.n_seq_id[row] = 1
            struct.seq_id[row][0] = sequence
            struct.logits[row] = logits
            struct.n_tokens = row + 1
        return row

    def close(self) -> None:
        self.handle.close()


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
