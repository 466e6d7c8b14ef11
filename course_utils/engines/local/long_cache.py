"""A KV cache as full as that of a long thought, without reading one.

How long a step takes depends on how much the cache holds, and hardly on what it holds.  So a short
text is read, its keys and values are taken out as a sequence state, and put beside it again and
again.  All copies keep the positions of the first: llama.cpp would have to turn every key to move
them, and its code for that ends the process where keys are stored in 8 bits (met with
llama-cpp-python 0.3.36).  What follows is nonsense, and takes as long as after a real text.
"""

from __future__ import annotations

import ctypes

import llama_cpp.llama_cpp as C

from course_utils.engines.local.runtime import Batch, Context
from course_utils.errors import MachineError


def fill(context: Context, count: int, tokens: list[int]) -> int:
    """Let the first sequence hold ``count`` tokens: ``tokens``, read once, and copies of them.

    Gives the position of the token to compute next.  The context needs a second sequence to copy
    by.  Raises MachineError where llama.cpp takes no more copies.
    """
    context.clear()
    tokens = tokens[:count]
    if not tokens:
        return 0
    batch = Batch(len(tokens))
    try:
        for position, token in enumerate(tokens):
            batch.add(token, position, logits=position == len(tokens) - 1)
        context.decode(batch)
    finally:
        batch.close()
    with context.handle as pointer:
        state = (ctypes.c_uint8 * C.llama_state_seq_get_size(pointer, 0))()
        C.llama_state_seq_get_data(pointer, state, len(state), 0)
        for held in range(len(tokens), count, len(tokens)):
            if not C.llama_state_seq_set_data(pointer, state, len(state), 1):
                raise MachineError(
                    f"llama.cpp takes no more than {held:,} tokens into this cache.",
                    "Measure at a shorter length, or another model.",
                )
            C.llama_memory_seq_rm(context.memory, 1, count - held, -1)
            C.llama_memory_seq_cp(context.memory, 1, 0, -1, -1)
            C.llama_memory_seq_rm(context.memory, 1, -1, -1)
    return len(tokens)
