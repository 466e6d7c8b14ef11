"""Does this model fit this machine, and how fast will it be? Answered before any download.

Memory is counted from tensor shapes, quantisation rules and the KV cache's formula.  Speed is
bounded by memory bandwidth: to write one token the machine reads every weight at work once, so it
cannot take more steps than bandwidth / bytes per step.  The cores unpack what was read, and where
they are few, that is the tighter bound (``speed``).  ``rehearse`` measures what the plan predicts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from course_utils.errors import OptionError
from course_utils.machine import Machine, this_machine
from course_utils.model_files.alternatives import alternatives
from course_utils.model_files.architectures import Architecture, cache_bytes_per_value
from course_utils.model_files.batching import bytes_read_per_step
from course_utils.model_files.catalogue import Model, find_model, predicted_file_bytes
from course_utils.model_files.memory import (
    RESERVE_BYTES,
    MemoryNeed,
    memory_need,
    repacked_bytes,
    room_for_a_model,
)
from course_utils.model_files.offloading import OnCard, layers_that_fit, on_card
from course_utils.model_files.quantisation import bytes_read_per_token, quantisation_name
from course_utils.model_files.speculation import pays_from
from course_utils.model_files.speed import (
    SECONDS_PER_EXPERT_LAYER,
    card_seconds,
    overlapping,
    seconds_to_attend,
    seconds_to_read,
    steadied_overlap,
    step_work,
    unpacked_per_core,
)
from course_utils.units import MIB, readable_memory

DEFAULT_CONTEXT = 8192

THOUGHT_TOKENS = 2000

DRAFTED = 4
"""Tokens that a draft proposes for a step, unless told otherwise."""

PROMPT_TOKENS = 1000
"""Some two pages of text; a plan says how long they take to read."""

CACHED_BYTES = 64 * MIB
"""A model this small may lie in the processor's cache, where memory bandwidth does not bind."""


@dataclass(frozen=True)
class Plan:
    """What running one file on one machine takes and gives.

    ``context`` in tokens, ``kv_type`` "f16", "q8_0" or "q4_0", sizes in bytes.
    ``bytes_per_token`` is what is read for a token at the start of a text.  ``memory`` is what
    lies in main memory, ``card`` what lies on a graphics card, None where nothing does.
    ``instead`` is the nearest plan that fits when this one does not, or None.
    """

    model: str
    title: str
    quantisation: str
    context: int
    kv_type: str
    machine: Machine
    memory: MemoryNeed
    bytes_per_token: int
    architecture: Architecture = field(repr=False)
    card: OnCard | None = None
    instead: Plan | None = None

    @property
    def name(self) -> str:
        """The file's name in the catalogue: "qwq-32b:Q4_K_M"."""
        return f"{self.model}:{self.quantisation}"

    @property
    def expert_layers(self) -> int:
        """How many layers are mixtures of experts."""
        return self.architecture.expert_layers

    @property
    def in_the_cache(self) -> bool:
        """Whether the processor's cache may hold the model, so that memory is no limit."""
        return self.bytes_per_token < CACHED_BYTES

    @property
    def ceiling(self) -> float:
        """Tokens per second that the bandwidth of memory and card allows at most."""
        seconds = self._in_memory(self.bytes_per_token)
        seconds /= self.machine.memory_bandwidth_bytes_per_second
        if self.card is not None:
            seconds += self._on_card(self.bytes_per_token) / self._card_speed
        return 1 / seconds

    @property
    def tokens_per_second(self) -> float:
        """The decoding speed to expect at the start of a text."""
        return 1 / self.seconds_per_step()

    @property
    def minutes_per_thought(self) -> float:
        """How long a thought of ``THOUGHT_TOKENS`` takes."""
        # While it is written, half of it is in the cache on average.
        return THOUGHT_TOKENS * self.seconds_per_step(context=THOUGHT_TOKENS // 2) / 60

    def seconds_per_step(self, tokens: int = 1, *, context: int = 0) -> float:
        """How long a step takes that computes so many tokens after a text of ``context`` tokens.

        One token is what a model writes alone; it computes several to check those of a draft.
        Fetching and unpacking weights overlap in part (``speed``); the waiting of a mixture's
        threads and attention to the text come on top.
        """
        machine, mixture = self.machine, self.expert_layers > 0
        fetched = bytes_read_per_step(self.architecture, self.quantisation, tokens)
        work = step_work(tokens, mixture=mixture)
        unpacking = machine.unpacking_bytes_per_second
        if unpacking is None:
            unpacking = unpacked_per_core(machine.cpu_name) * machine.cores
        seconds = overlapping(
            self._in_memory(fetched) / machine.memory_bandwidth_bytes_per_second,
            self._in_memory(work * self.bytes_per_token) / unpacking,
            steadied_overlap(machine.overlap),
        )
        waiting = machine.seconds_per_expert_layer
        if waiting is None:
            waiting = SECONDS_PER_EXPERT_LAYER
        attending = seconds_to_attend(
            self.architecture, context, cores=machine.cores, kv_type=self.kv_type
        )
        # What lies on the card neither makes the processor's threads wait nor has them attend.
        seconds += self._in_memory(work * waiting * self.expert_layers + tokens * attending)
        if self.card is not None:
            cached = context * self.architecture.cache_bytes_per_token(self.kv_type)
            seconds += card_seconds(self._on_card(fetched + cached), self._card_speed)
        return seconds

    def draft_pays_from(self, drafted: int = DRAFTED, draft: Plan | None = None) -> float | None:
        """The acceptance rate from which a draft of so many tokens makes writing faster.

        ``draft``: the plan of a model that proposes them; None for looking words up, which costs
        nothing.  None where no rate does (``speculation``).
        """
        seconds = draft.seconds_per_step() if draft is not None else 0.0
        return pays_from(drafted, self.seconds_per_step, seconds)

    def seconds_to_read(self, tokens: int) -> float:
        """How long reading a prompt of so many tokens takes, on the processor alone.

        A graphics card reads prompts several times as fast; by how much, this course has not
        measured.
        """
        return seconds_to_read(self.architecture, tokens, cores=self.machine.cores)

    def _on_card(self, whole: float) -> float:
        return whole * self.card.share if self.card is not None else 0.0

    def _in_memory(self, whole: float) -> float:
        return whole - self._on_card(whole)

    @property
    def _card_speed(self) -> float | None:
        return self.machine.card and self.machine.card.bandwidth_bytes_per_second

    @property
    def needed_bytes(self) -> int:
        """Bytes of the machine's own memory, of which a card may have its share too."""
        if self.card is not None and self.machine.card.shares_memory:
            return self.memory.total + self.card.total
        return self.memory.total

    @property
    def fits(self) -> bool:
        """Whether the machine has so much memory free, with a reserve left over."""
        return self.needed_bytes <= room_for_a_model(self.machine.available_memory_bytes)

    @property
    def verdict(self) -> str:
        """ "fits", "fits only with ..." a smaller cache, or "does not fit; ... would"."""
        if self.fits:
            return "fits"
        if self.instead is None:
            return "does not fit; the nano thinker, which comes with the course, would"
        if (self.instead.model, self.instead.quantisation) == (self.model, self.quantisation):
            return f"fits only with {self._changed_settings()}"
        changed = self._changed_settings()
        other = f"{self.instead.title} {self.instead.quantisation} would"
        return f"does not fit; {other}, with {changed}" if changed else f"does not fit; {other}"

    def on(self, machine: Machine) -> Plan:
        """The same plan for the same machine with its speeds measured anew."""
        return replace(self, machine=machine, instead=self.instead and self.instead.on(machine))

    def parts(self) -> dict[str, int]:
        """Bytes by label, for a stacked bar: main memory first, then what lies on a card."""
        on_card = self.card.parts() if self.card is not None else {}
        return self.memory.parts() | on_card

    def _changed_settings(self) -> str:
        """What ``instead`` opens differently from this plan; empty where nothing."""
        other = self.instead
        cache = f"a {other.kv_type.upper()} cache" if other.kv_type != self.kv_type else ""
        context = f"{other.context // 1024}k context" if other.context != self.context else ""
        return " and ".join(filter(None, (cache, context)))

    def __str__(self) -> str:
        free, total = self.machine.available_memory_bytes, self.machine.total_memory_bytes
        needed = self.needed_bytes + RESERVE_BYTES
        asked, left = readable_memory(needed), readable_memory(free)
        if asked == left and needed > free:
            left = f"{left} ({math.ceil((needed - free) / MIB)} MiB too little)"
        parts = ", ".join(
            f"{label} {readable_memory(count)}" for label, count in self.memory.parts().items()
        )
        lines = [
            f"{self.title} {self.quantisation}, {self.context:,} tokens of context, "
            f"{self.kv_type.upper()} cache: {self.verdict}.",
            f"Memory: {readable_memory(self.memory.total)} ({parts}); "
            f"{asked} with {readable_memory(RESERVE_BYTES)} in reserve; "
            f"free here: {left} of {readable_memory(total)}.",
        ]
        if self.card is not None:
            lines.append(
                f"On the card ({self.machine.card.name}): {self.card.layers} of "
                f"{self.card.all_layers} layers, {readable_memory(self.card.total)} of "
                f"{readable_memory(self.machine.card.free_memory_bytes)}."
            )
        if self.fits and self.in_the_cache:
            lines.append("Speed: not bound by memory; it is small enough to try.")
        elif self.fits:
            lines.append(self._speed_line())
            at_most = "at most" if self.card is not None else "roughly"
            lines.append(
                f"A thought of {THOUGHT_TOKENS:,} tokens: about "
                f"{_minutes(self.minutes_per_thought)}. With a full context it writes "
                f"{_speed(1 / self.seconds_per_step(context=self.context))} tokens per second."
            )
            lines.append(
                f"Reading a prompt of {PROMPT_TOKENS:,} tokens: {at_most} "
                f"{_minutes(self.seconds_to_read(PROMPT_TOKENS) / 60)}."
            )
        elif self.needed_bytes <= free:
            lines.append(
                "If you loaded it anyway, it would use up the reserve, and the system might soon "
                "read parts of it from disk again."
            )
        else:
            lines.append("If you loaded it anyway, every token would read it from disk again.")
        if not self.fits and self.instead is not None:
            lines.append(
                f"What would fit takes {readable_memory(self.instead.needed_bytes)} and writes "
                f"about {_speed(self.instead.tokens_per_second)} tokens per second."
            )
        if self.machine.busy:
            lines.append("Other programs kept this machine busy; without them it is faster.")
        return "\n".join(lines)

    def draft_line(self) -> str:
        """Above what acceptance rate a draft makes this plan faster, in a sentence."""
        if self.card is not None:
            return "Whether a draft pays off with a graphics card, this course has not measured."
        draft = f"A draft of {DRAFTED} tokens (speculative decoding)"
        rate = self.draft_pays_from()
        if rate is None:
            return f"{draft} does not pay off, however many of its tokens are accepted."
        return f"{draft} pays off if more than {rate:.0%} of its tokens are accepted."

    def _speed_line(self) -> str:
        reads = (
            f"{self.bytes_per_token / 1e9:.1f} GB per token at "
            f"{self.machine.memory_bandwidth_bytes_per_second / 1e9:.0f} GB/s"
        )
        if self.card is not None:
            reads = (
                f"{self._in_memory(self.bytes_per_token) / 1e9:.1f} GB per token from memory at "
                f"{self.machine.memory_bandwidth_bytes_per_second / 1e9:.0f} GB/s, "
                f"{self._on_card(self.bytes_per_token) / 1e9:.1f} on the card at "
                f"{self._card_speed / 1e9:.0f} GB/s"
            )
        line = (
            f"Speed: about {_speed(self.tokens_per_second)} tokens per second (at most "
            f"{_speed(self.ceiling)}: {reads})."
        )
        if self.quantisation.startswith("IQ") and self.card is None:
            line += " Weights of this kind take longer to unpack than is counted here; rehearse."
        return line


def plan(
    model: str,
    context: int = DEFAULT_CONTEXT,
    kv_type: str = "f16",
    machine: Machine | None = None,
    quantisation: str | None = None,
    *,
    repack: bool = False,
    gpu_layers: int | str = "auto",
) -> Plan:
    """Plan a model of the catalogue on a machine, by default this one.

    ``model`` may name a file, as in "qwq-32b:Q6_K"; so may ``quantisation``.  Any quantisation
    of ``course_utils.model_files.quantisation.QUANTISATIONS`` can be planned, offered for download
    or not.
    ``repack``: count llama.cpp's private copy of the weights too.  ``gpu_layers``: how many layers
    lie on the machine's graphics card: as many as fit ("auto"), a number, or "all".

    Raises OptionError for an unknown name, type or quantisation, a context below 1, and layers on
    a card where there is none, or more than it holds.
    """
    name, _, named_quantisation = str(model).partition(":")
    entry = find_model(name)
    machine = machine or this_machine()
    if not isinstance(context, int) or isinstance(context, bool) or context < 1:
        raise OptionError(f"context={context!r} is not valid.", "Give a whole number from 1.")
    cache_bytes_per_value(kv_type)
    quantisation = quantisation_name(quantisation or named_quantisation or entry.quantisation)
    asked = _plan(entry, quantisation, context, kv_type.lower(), machine, repack, gpu_layers)
    if asked.fits:
        return asked
    for other in alternatives(
        entry, quantisation, context, _file_bytes(entry, entry.architecture, quantisation)
    ):
        tried = _plan(
            other.model, other.quantisation, other.context, other.kv_type, machine, False, "auto"
        )
        if tried.fits:
            return replace(asked, instead=tried)
    return asked


def _file_bytes(entry: Model, architecture: Architecture, quantisation: str) -> int:
    if entry.path is not None and entry.path.is_file():
        return entry.path.stat().st_size
    if quantisation in entry.files:
        return entry.files[quantisation].size_bytes
    return predicted_file_bytes(architecture, quantisation)


def _plan(
    entry: Model,
    quantisation: str,
    context: int,
    kv_type: str,
    machine: Machine,
    repack: bool,
    gpu_layers: int | str,
) -> Plan:
    architecture = entry.architecture
    memory = memory_need(
        file_bytes=_file_bytes(entry, architecture, quantisation),
        architecture=architecture,
        context=context,
        kv_type=kv_type,
        repacked=repacked_bytes(architecture, quantisation) if repack else 0,
    )
    layers = layers_that_fit(architecture, quantisation, memory, machine.card, gpu_layers)
    card = on_card(architecture, quantisation, memory, layers) if layers else None
    return Plan(
        model=entry.name,
        title=entry.title,
        quantisation=quantisation,
        context=context,
        kv_type=kv_type,
        machine=machine,
        memory=card.left_in(memory) if card is not None else memory,
        bytes_per_token=bytes_read_per_token(architecture, quantisation),
        architecture=architecture,
        card=card,
    )


def _speed(value: float) -> str:
    digits = 2 if value < 1 else 1 if value < 20 else 0
    return f"{value:.{digits}f}"


def _minutes(minutes: float) -> str:
    return f"{minutes:.0f} minutes" if minutes >= 1.5 else f"{60 * minutes:.0f} seconds"
