"""llama.cpp's chain of samplers, one for each reply, which picks the next token."""

from __future__ import annotations

import ctypes
import secrets
import weakref
from collections.abc import Iterator, Sequence

import llama_cpp.llama_cpp as C

from course_utils.engines.local.runtime import Context, Model
from course_utils.engines.sampling import Sampling

# How far back the penalties look; llama.cpp's default.
PENALISED_TOKENS = 64

# Colder than this, no two tokens of a model are close enough for chance; and dividing by still
# less ends in numbers that 32 bits cannot hold.
_GREEDY_BELOW = 1e-6


class Sampler:
    """llama.cpp's chain of samplers for one reply, in llama.cpp's own order.

    It belongs to whoever writes that reply, who closes it at its end: nobody else has it, and so
    it needs no ``Handle``.
    """

    def __init__(self, model: Model, sampling: Sampling):
        seed = secrets.randbelow(2**32 - 1) if sampling.seed is None else sampling.seed
        self.chain = C.llama_sampler_chain_init(C.llama_sampler_chain_default_params())
        self._free = weakref.finalize(self, C.llama_sampler_free, self.chain)
        self._free.atexit = False  # another thread may still be drawing
        self._remembers = _has_penalties(sampling)
        for part in _samplers(model, sampling, seed):
            C.llama_sampler_chain_add(self.chain, part)

    def __call__(self, context: Context, row: int = -1) -> int:
        """Pick the next token from the logits of a row, and remember it for the penalties."""
        with context.handle as pointer:
            context.checked_logits(pointer, row)
            return C.llama_sampler_sample(self.chain, pointer, row)

    def accept(self, tokens: Sequence[int]) -> None:
        """Let the penalties, if there are any, know of tokens that were not sampled here."""
        if self._remembers:
            for token in tokens:
                C.llama_sampler_accept(self.chain, token)

    def close(self) -> None:
        self._free()


def _has_penalties(sampling: Sampling) -> bool:
    return sampling.repetition_penalty != 1 or sampling.presence_penalty != 0


def _samplers(model: Model, sampling: Sampling, seed: int) -> Iterator[ctypes.c_void_p]:
    if _has_penalties(sampling):
        settings = (PENALISED_TOKENS, sampling.repetition_penalty, 0.0, sampling.presence_penalty)
        # Newer versions also ask for the vocabulary's size, first.
        if len(C.llama_sampler_init_penalties.argtypes) == 5:
            settings = (model.vocabulary.size, *settings)
        yield C.llama_sampler_init_penalties(*settings)
    if sampling.temperature < _GREEDY_BELOW:
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
