"""Does this model fit this machine, and how fast will it be? Answered before any download.

Memory is counted from tensor shapes, quantisation rules and the KV cache's formula.  Speed is
bounded by memory bandwidth: to write one token the machine reads every weight at work once, so it
cannot write more than bandwidth / bytes per token.  The cores unpack what was read, and where they
are few, that is the tighter bound.  ``rehearse`` measures what the plan predicts.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from course_utils.errors import MachineError, OptionError
from course_utils.machine import Machine, available_memory_bytes, this_machine
from course_utils.model_files.architectures import Architecture, cache_bytes_per_value
from course_utils.model_files.catalogue import Model, find_model, predicted_file_bytes
from course_utils.model_files.quantisation import (
    bytes_read_per_token,
    mix_name,
    tensor_bytes,
    tensor_type,
)

GIB = 2**30

DEFAULT_CONTEXT = 8192
SMALL_CONTEXT = 4096
"""The shortest context worth running a reasoning model with; the plan falls back to it."""

BATCH = 64
"""Prompt tokens per step, the engine's default for models of this size."""

CONTEXT_STEP = 256
"""llama.cpp makes every context a multiple of this many tokens."""

PROGRAM_BYTES = 200 * 2**20
"""Python, its packages and llama.cpp's library, in a notebook's kernel."""

VOCABULARY_BYTES_PER_ENTRY = 130
"""What llama.cpp keeps in memory per entry of the vocabulary (measured: 19 MiB for 152,064)."""

RESERVE_BYTES = 512 * 2**20
"""Memory that a plan leaves free, so that the browser and the system still breathe."""

REPACKED_TYPES = ("Q4_0", "Q4_K")
"""Types that llama.cpp copies into a layout of its own on x86 processors when it repacks."""

DENSE_SHARE_OF_BANDWIDTH = 0.75
MIXTURE_SHARE_OF_BANDWIDTH = 0.70
"""How much of the measured read bandwidth decoding reaches, without repacking. Unpacking 4-bit
weights is arithmetic that a few cores do not quite hide behind the reading.  A mixture reaches
less: its experts are small, and between them the threads wait for each other more often.
Measured on the stand-ins of QwQ-32B and Qwen3-30B-A3B on a 2-core server (``make bench``)."""

DENSE_UNPACKED_PER_CORE = 16e9
MIXTURE_UNPACKED_PER_CORE = 14e9
"""Bytes of weights per second that one of several cores unpacks, however fast the memory is.
From 2 cores at 45 GB/s and more (``models/one_and_two_threads.csv``, ``models/full_size.csv``):
they reached 32 GB/s with QwQ-32B's stand-in and 28 GB/s with Qwen3-30B-A3B's.  Another processor
has another rate; a rehearsal measures it (``Machine.unpacking_bytes_per_second``)."""

THOUGHT_TOKENS = 2000

FALLBACK_MODELS = ("qwq-32b", "r1-distill-qwen-1.5b")
"""Reasoning models to take when the one asked for does not fit, the larger first. Below the last
one there is the shipped nano thinker, which runs anywhere."""

CACHED_BYTES = 64 * 2**20
"""A model this small may lie in the processor's cache, where memory bandwidth does not bind."""


@dataclass(frozen=True)
class MemoryNeed:
    """The memory a loaded model takes, in bytes, by what takes it.

    ``weights`` is the whole file, which stays mapped.  ``repacked`` is llama.cpp's private second
    copy of some weights, 0 unless the engine repacks.
    """

    weights: int
    cache: int
    compute: int
    program: int
    repacked: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.compute + self.program + self.repacked

    def parts(self) -> dict[str, int]:
        """Bytes by label, for a stacked bar; what takes nothing is left out."""
        labelled = {
            "weights": self.weights,
            "repacked copy": self.repacked,
            "KV cache": self.cache,
            "compute buffers": self.compute,
            "program": self.program,
        }
        return {label: count for label, count in labelled.items() if count}


@dataclass(frozen=True)
class Plan:
    """What running one file on one machine takes and gives.

    ``context`` in tokens, ``kv_type`` "f16" or "q8_0", sizes in bytes.  ``bytes_per_token`` is
    what is read for a token at the start of a text, ``bytes_per_thought_token`` on average over a
    thought of ``THOUGHT_TOKENS``.  ``instead`` is the nearest plan that fits when this one does
    not, or None.
    """

    model: str
    title: str
    mix: str
    context: int
    kv_type: str
    machine: Machine
    memory: MemoryNeed
    bytes_per_token: int
    bytes_per_thought_token: int
    mixture: bool
    instead: Plan | None = None

    @property
    def ceiling(self) -> float:
        """Tokens per second that the memory's bandwidth allows at most."""
        return self.machine.memory_bandwidth_bytes_per_second / self.bytes_per_token

    @property
    def tokens_per_second(self) -> float:
        """The decoding speed to expect."""
        return self._bytes_per_second / self.bytes_per_token

    @property
    def minutes_per_thought(self) -> float:
        """How long a thought of ``THOUGHT_TOKENS`` takes."""
        return THOUGHT_TOKENS * self.bytes_per_thought_token / self._bytes_per_second / 60

    @property
    def _bytes_per_second(self) -> float:
        return decoding_bytes_per_second(
            self.machine.memory_bandwidth_bytes_per_second,
            self.machine.cores,
            mixture=self.mixture,
            unpacking=self.machine.unpacking_bytes_per_second,
        )

    @property
    def fits(self) -> bool:
        """Whether the machine has so much memory free, with a reserve left over."""
        return self.memory.total + RESERVE_BYTES <= self.machine.available_memory_bytes

    @property
    def verdict(self) -> str:
        """ "fits", "fits with ..." less context or a smaller cache, or "does not fit ..."."""
        if self.fits:
            return "fits"
        if self.instead is None:
            return "does not fit, take the shipped nano thinker instead"
        if (self.instead.model, self.instead.mix) == (self.model, self.mix):
            return f"fits with {self.instead._settings()}"
        settings = "" if self.instead.kv_type == "f16" else f", with {self.instead._settings()}"
        return f"does not fit, take {self.instead.title} {self.instead.mix} instead{settings}"

    def on(self, machine: Machine) -> Plan:
        """The same plan for the same machine with its speeds measured anew."""
        return replace(self, machine=machine, instead=self.instead and self.instead.on(machine))

    def _settings(self) -> str:
        return f"{self.kv_type.upper()} cache and {self.context // 1024}k context"

    def __str__(self) -> str:
        free, total = self.machine.available_memory_bytes, self.machine.total_memory_bytes
        parts = ", ".join(f"{label} {_size(count)}" for label, count in self.memory.parts().items())
        lines = [
            f"{self.title} {self.mix}, {self.context:,} tokens of context, "
            f"{self.kv_type.upper()} cache: {self.verdict}.",
            f"Memory: {_size(self.memory.total)} ({parts}); "
            f"free here: {_size(free)} of {_size(total)}.",
        ]
        if self.fits and self.bytes_per_token < CACHED_BYTES:
            lines.append("Speed: not bound by memory; it is small enough to try.")
        elif self.fits:
            lines.append(
                f"Speed: about {_speed(self.tokens_per_second)} tokens per second (at most "
                f"{_speed(self.ceiling)}: {self.bytes_per_token / 1e9:.1f} GB per token at "
                f"{self.machine.memory_bandwidth_bytes_per_second / 1e9:.0f} GB/s)."
            )
            lines.append(
                f"A thought of {THOUGHT_TOKENS:,} tokens: about "
                f"{_minutes(self.minutes_per_thought)}."
            )
        else:
            lines.append("Loaded all the same, it would be read from disk again for every token.")
        if not self.fits and self.instead is not None:
            lines.append(
                f"That takes {_size(self.instead.memory.total)} and writes about "
                f"{_speed(self.instead.tokens_per_second)} tokens per second."
            )
        return "\n".join(lines)


def plan(
    model: str,
    context: int = DEFAULT_CONTEXT,
    kv_type: str = "f16",
    machine: Machine | None = None,
    quantisation: str | None = None,
    *,
    repack: bool = False,
) -> Plan:
    """Plan a model of the catalogue on a machine, by default this one.

    ``model`` may name a file, as in "qwq-32b:Q6_K"; so may ``quantisation``.  Any quantisation
    of ``course_utils.model_files.quantisation.MIXES`` can be planned, offered for download or not.
    ``repack``: count llama.cpp's private copy of the weights too.

    Raises OptionError for an unknown name, type or quantisation or a context below 1.
    """
    name, _, named_mix = str(model).partition(":")
    entry = find_model(name)
    machine = machine or this_machine()
    if not isinstance(context, int) or isinstance(context, bool) or context < 1:
        raise OptionError(f"context={context!r} is not valid.", "Give a whole number from 1.")
    cache_bytes_per_value(kv_type)
    mix = mix_name(quantisation or named_mix or entry.mix)
    asked = _plan(entry, mix, context, kv_type.lower(), machine, repack)
    if asked.fits:
        return asked
    return replace(asked, instead=next((p for p in _smaller(asked, entry) if p.fits), None))


def memory_need(
    *,
    file_bytes: int,
    architecture: Architecture | None,
    context: int,
    kv_type: str = "f16",
    batch: int = BATCH,
    repacked: int = 0,
) -> MemoryNeed:
    """The memory that a file of this length and shape takes once it is loaded.

    Without an ``architecture`` only the weights can be counted.  The compute buffers hold, for
    each prompt token of a step, the logits and two vectors of the residual stream in 32 bits;
    llama.cpp reports the same for the shapes of this course's catalogue.
    """
    if architecture is None:
        return MemoryNeed(file_bytes, 0, 0, PROGRAM_BYTES, repacked)
    tokens = -(-context // CONTEXT_STEP) * CONTEXT_STEP
    vocabulary = architecture.vocabulary
    return MemoryNeed(
        weights=file_bytes,
        cache=round(architecture.cache_bytes_per_token(kv_type) * tokens),
        compute=4 * min(batch, context) * (vocabulary + 2 * architecture.hidden),
        program=PROGRAM_BYTES + VOCABULARY_BYTES_PER_ENTRY * vocabulary,
        repacked=repacked,
    )


@functools.cache
def repacked_bytes(architecture: Architecture, mix: str) -> int:
    """Bytes of the private copy that llama.cpp makes of the matrices when it repacks on x86.

    The input embedding is only looked up, never multiplied, and stays as it is.
    """
    return sum(
        tensor_bytes(tensor, architecture, mix)
        for tensor in architecture.tensors()
        if tensor.part != "input embedding"
        and tensor_type(tensor, architecture, mix) in REPACKED_TYPES
    )


class RepackChoice(NamedTuple):
    """Whether to let llama.cpp repack a model's weights, and the reason in a sentence."""

    repack: bool
    reason: str


def choose_repacking(
    need: MemoryNeed,
    copy_bytes: int,
    available_bytes: int,
    *,
    kernels: int = 1,
    crashes: str | None = None,
) -> RepackChoice:
    """Whether a private, repacked copy of the weights is worth its memory.

    ``need`` is the model without the copy, ``copy_bytes`` the copy (``repacked_bytes``).
    ``kernels``: how many notebooks will have the file open.  They share the mapped file, while
    each makes a copy of its own.  ``crashes``: why decoding with the copy would end the process on
    this machine, or None.
    """
    if copy_bytes == 0:
        return RepackChoice(False, "Nothing in this file is of a type that llama.cpp repacks.")
    if kernels > 1:
        return RepackChoice(
            False,
            f"{kernels} notebooks share one mapped file, while each would make a copy of "
            f"{_size(copy_bytes)} of its own.",
        )
    if need.total + copy_bytes + RESERVE_BYTES > available_bytes:
        return RepackChoice(
            False,
            f"A copy of {_size(copy_bytes)} does not fit beside the {_size(need.total)} of the "
            "model itself.",
        )
    if crashes:
        return RepackChoice(False, f"Repacking would end the kernel here: {crashes}.")
    return RepackChoice(
        True,
        f"There is room for a copy of {_size(copy_bytes)}, which decodes somewhat faster.",
    )


def refuse_if_swapping(
    need: MemoryNeed,
    *,
    name: str = "this model",
    available_bytes: int | None = None,
    force: bool = False,
) -> None:
    """Stop before a load that memory cannot hold. Raises MachineError; ``force`` lets it pass.

    ``available_bytes`` is what is free now, asked of the machine by default.  A model that does
    not fit does not fail: it is read from disk again for every token, minutes for each, and
    takes the memory of everything else along.
    """
    free = available_memory_bytes() if available_bytes is None else available_bytes
    if force or need.total <= free:
        return
    raise MachineError(
        f"{name} needs {_size(need.total)} of memory, and {_size(free)} are free.",
        "Ask plan() for a model, context or cache that fits, or close other programs; "
        "force=True loads it all the same, and every token is then read from disk.",
    )


def _file_bytes(entry: Model, architecture: Architecture, mix: str) -> int:
    if entry.path is not None and entry.path.is_file():
        return entry.path.stat().st_size
    if mix in entry.files:
        return entry.files[mix].size_bytes
    return predicted_file_bytes(architecture, mix)


def _plan(
    entry: Model, mix: str, context: int, kv_type: str, machine: Machine, repack: bool
) -> Plan:
    architecture = entry.architecture
    memory = memory_need(
        file_bytes=_file_bytes(entry, architecture, mix),
        architecture=architecture,
        context=context,
        kv_type=kv_type,
        repacked=repacked_bytes(architecture, mix) if repack else 0,
    )
    return Plan(
        model=entry.name,
        title=entry.title,
        mix=mix,
        context=context,
        kv_type=kv_type,
        machine=machine,
        memory=memory,
        bytes_per_token=bytes_read_per_token(architecture, mix),
        # While a thought is written, half of it is in the cache on average.
        bytes_per_thought_token=bytes_read_per_token(
            architecture, mix, context=THOUGHT_TOKENS // 2, key_type=kv_type
        ),
        mixture=architecture.experts is not None,
    )


def decoding_bytes_per_second(
    bandwidth: float, cores: int, *, mixture: bool, unpacking: float | None = None
) -> float:
    """How many bytes of weights per second decoding is expected to work through.

    The smaller of two limits: a share of the memory's read ``bandwidth``, and what the ``cores``
    unpack.  ``unpacking``: what all cores together unpack of a dense model, if it was measured;
    otherwise it is taken from another machine.  All in bytes per second.
    """
    if unpacking is None:
        unpacking = DENSE_UNPACKED_PER_CORE * cores
    if mixture:
        slower = MIXTURE_UNPACKED_PER_CORE / DENSE_UNPACKED_PER_CORE
        return min(MIXTURE_SHARE_OF_BANDWIDTH * bandwidth, slower * unpacking)
    return min(DENSE_SHARE_OF_BANDWIDTH * bandwidth, unpacking)


def _smaller(asked: Plan, entry: Model) -> Iterator[Plan]:
    """What to try when a plan does not fit: first less cache, then smaller files, then models."""
    short = min(asked.context, SMALL_CONTEXT)

    def attempt(model: Model, mix: str, context: int, kv_type: str) -> Plan:
        return _plan(model, mix, context, kv_type, asked.machine, False)

    yield attempt(entry, asked.mix, asked.context, "q8_0")
    yield attempt(entry, asked.mix, short, "q8_0")
    others = [mix for mix in entry.files if mix != asked.mix]
    sizes = {mix: entry.files[mix].size_bytes for mix in others}
    for mix in sorted(others, key=sizes.get, reverse=True):
        if sizes[mix] < asked.memory.weights:
            yield attempt(entry, mix, asked.context, "f16")
            yield attempt(entry, mix, short, "q8_0")
    for other in map(find_model, FALLBACK_MODELS):
        for mix in sorted(other.files, key=lambda mix: -other.files[mix].size_bytes):
            if other.name != entry.name and other.files[mix].size_bytes < asked.memory.weights:
                yield attempt(other, mix, asked.context, "f16")
                yield attempt(other, mix, short, "q8_0")


def _size(count: float) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB / 10 else f"{count / 2**20:.0f} MiB"


def _speed(value: float) -> str:
    return f"{value:.1f}" if value < 20 else f"{value:.0f}"


def _minutes(minutes: float) -> str:
    return f"{minutes:.0f} minutes" if minutes >= 1.5 else f"{60 * minutes:.0f} seconds"
