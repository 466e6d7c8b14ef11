"""What will each learner get? Slots, context and speed for a class, said before it begins.

Memory is that of the capacity plan, with one KV cache for each slot.  Speed is the plan's too,
for several replies at once: one step reads the weights once for all of them, while the cores
unpack and multiply for each.  The class's own rehearsal replaces the estimate by a measurement.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from course_utils.errors import MachineError, OptionError
from course_utils.machine import Machine, this_machine
from course_utils.model_files.capacity import CACHED_BYTES, THOUGHT_TOKENS, Plan, plan
from course_utils.model_files.catalogue import find_model
from course_utils.model_files.memory import RESERVE_BYTES
from course_utils.units import readable_memory

CONTEXTS = (4096, 2048)
"""Tokens of context for one learner: room for a thought of 2,000 tokens, and the least."""

KV_TYPES = ("f16", "q8_0")

MOST_SLOTS = 16
"""Replies written at once. Beyond that the first word comes late, and the sum hardly grows."""

MOST_SLOTS_ASKED = 256

MOST_LEARNERS = 1000

PLAIN_REPLY = 300
"""Tokens of a reply without a thought, for saying how long a class waits."""


@dataclass(frozen=True)
class ClassPlan:
    """A model for a class on one machine.

    ``plan`` counts memory for all slots together.  ``slots`` replies are written at a time, each
    in ``context`` tokens of its own; one learner has at most ``per_learner`` of them.  ``longest``
    requests may wait.  ``together``: tokens per second of all slots, None where only a rehearsal
    can say; ``reply``: tokens of a reply, thought included.  ``rehearsed``: whether that is
    measured.
    """

    plan: Plan
    learners: int
    slots: int
    context: int
    kv_type: str
    per_learner: int
    longest: int
    reply: float
    together: float | None
    rehearsed: bool = False

    @property
    def each(self) -> float | None:
        """Tokens per second of one reply while all slots are busy."""
        return None if self.together is None else self.together / self.slots

    @property
    def seconds_for_all(self) -> float | None:
        """When everybody asks at once: until the last reply is there."""
        return None if self.together is None else self.learners * self.reply / self.together

    def measured(self, together: float, reply: float) -> ClassPlan:
        """The same plan with what a rehearsal measured."""
        return replace(self, together=together, reply=reply, rehearsed=True)

    def __str__(self) -> str:
        memory = readable_memory(self.plan.needed_bytes)
        lines = [
            f"{self.plan.title} {self.plan.quantisation} for {self.learners} learners: "
            f"{self.slots} {'reply' if self.slots == 1 else 'replies'} at a time, "
            f"{self.context:,} tokens of context for each, {memory} of memory.",
            f"One learner has at most {self.per_learner} of them at a time; up to {self.longest} "
            "requests wait in line.",
        ]
        if self.together is None:
            lines.append("Speed: not bound by memory; the rehearsal measures it.")
            return "\n".join(lines)
        how = "Measured in a rehearsal" if self.rehearsed else "Expected"
        lines.append(
            f"{how}: {_speed(self.together)} tokens per second together, so {_speed(self.each)} "
            "for each reply while all slots are busy."
        )
        lines.append(
            f"When all {self.learners} ask at once, with replies of {self.reply:,.0f} tokens, the "
            f"last one is there after about {readable_wait(self.seconds_for_all)}."
        )
        if self.seconds_for_all > 20 * 60:
            lines.append(
                "That is too long for a class: take a smaller model or one with fewer active "
                "parameters, let groups share a key, or use a machine with a graphics card."
            )
        return "\n".join(lines)


def plan_class(
    model: str,
    learners: int = 30,
    *,
    machine: Machine | None = None,
    context: int | None = None,
    slots: int | None = None,
) -> ClassPlan:
    """Size a model of the catalogue for a class on a machine, by default this one.

    context: tokens for each learner's conversation; by default what the class's memory allows.
    slots: replies written at a time; by default as many as memory allows, 16 at most.

    Raises OptionError for an unknown model and numbers that are none, MachineError where the model
    does not fit with a single slot.
    """
    learners = _count("learners", learners, MOST_LEARNERS)
    machine = machine or this_machine()
    entry = find_model(model.partition(":")[0])
    trained = entry.architecture.context
    if context is not None:
        context = _count("context", context, trained)
    wanted = min(learners, MOST_SLOTS)
    if slots is not None:
        wanted = _count("slots", slots, MOST_SLOTS_ASKED)
    contexts = (context,) if context is not None else tuple(min(c, trained) for c in CONTEXTS)
    enough = wanted if slots is not None else -(-wanted // 2)
    sized = _largest(model, contexts, wanted, enough, machine)
    if sized is None or (slots is not None and sized[0] < slots):
        smallest = plan(model, contexts[-1] * (slots or 1), KV_TYPES[-1], machine)
        raise MachineError(
            f"{smallest.title} {smallest.quantisation} with {slots or 1} x {contexts[-1]:,} tokens "
            f"of context needs {readable_memory(smallest.needed_bytes)} of memory and "
            f"{readable_memory(RESERVE_BYTES)} beside it, and "
            f"{readable_memory(machine.available_memory_bytes)} are free.",
            "Serve a smaller model, such as nano-thinker, give --slots and --context smaller "
            "numbers, or use a larger machine (docs/class_server.md).",
        )
    fitting, size, kv_type, found = sized
    reply = THOUGHT_TOKENS if entry.reasoning else PLAIN_REPLY
    return ClassPlan(
        plan=found,
        learners=learners,
        slots=fitting,
        context=size,
        kv_type=kv_type,
        per_learner=max(1, fitting // 4),
        longest=4 * learners,
        reply=reply,
        # While a reply is written, half of it stands before its next token on average.
        together=tokens_per_second_together(found, fitting, context=reply // 2),
    )


def tokens_per_second_together(planned: Plan, sequences: int, *, context: int = 0) -> float | None:
    """What so many replies at once are expected to come to, in tokens per second.

    context: tokens that each of them has before it.
    None for a model that lies in the processor's cache, where none of this holds.
    """
    if planned.bytes_per_token < CACHED_BYTES:
        return None
    return sequences / planned.seconds_per_step(sequences, context=context)


def readable_wait(seconds: float) -> str:
    """A wait in words, no more precise than it is known."""
    if seconds < 1:
        return "a second"
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"


def _largest(
    model: str, contexts: tuple[int, ...], wanted: int, enough: int, machine: Machine
) -> tuple[int, int, str, Plan] | None:
    """The slots that fit, with their context, cache and plan; None where not one fits.

    The first of the contexts with ``enough`` slots, or else the most slots.
    """
    best = None
    for context in contexts:
        for kv_type in KV_TYPES:
            for slots in range(wanted, 0, -1):
                if best is not None and slots <= best[0]:
                    break
                found = plan(model, context * slots, kv_type, machine)
                if found.fits:
                    best = (slots, context, kv_type, found)
                    break
            if best is not None and best[0] >= enough:
                return best
    return best


def _count(name: str, value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise OptionError(
            f"{name}={str(value)[:40]!r} is not valid.", f"Give a whole number from 1 to {most}."
        )
    return value


def _speed(value: float) -> str:
    if value < 1:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 20 else f"{value:,.0f}"
