"""What should I run here, and why? One command for a machine, with the reason in two sentences."""

from __future__ import annotations

from dataclasses import dataclass

from course_utils.machine import Machine, this_machine
from course_utils.model_files.alternatives import BETTER_OF_ITS_SIZE
from course_utils.model_files.capacity import Plan, plan
from course_utils.model_files.catalogue import find_model
from course_utils.model_files.found import find_copies
from course_utils.units import readable_memory

NANO = "nano-thinker"


@dataclass(frozen=True)
class Advice:
    """``command`` to type; ``reason``: why this one; ``plan``: what it takes and gives.

    ``plan`` is None where only the models that come with the course fit.
    """

    command: str
    reason: str
    plan: Plan | None = None

    def __str__(self) -> str:
        return f"{self.command}\n{self.reason}"


def advise(name: str = "qwq-32b", machine: Machine | None = None) -> Advice:
    """One command to run a model, or what comes nearest, on a machine, by default this one.

    Raises OptionError for a name that the catalogue lacks.
    """
    here = machine is None
    machine = machine or this_machine()
    asked = plan(name, machine=machine)
    best = asked if asked.fits else asked.instead
    if best is None:
        return Advice(
            f"python -m course_utils.chat {NANO}",
            f"{asked.title} needs {readable_memory(asked.needed_bytes)}, and "
            f"{readable_memory(machine.available_memory_bytes)} are free. The nano thinker comes "
            "with the course and runs anywhere.",
        )
    reason = _reason(asked, best)
    for copy in find_copies(best.name)[:1] if here else []:
        reason += f" The file is here already, {copy.path} ({copy.keeper})."
    return Advice(f"python -m course_utils.chat {best.name}", reason, best)


def _reason(asked: Plan, best: Plan) -> str:
    free = readable_memory(best.machine.available_memory_bytes)
    if best is asked:
        where = " of main memory" if best.card is not None else ""
        why = f"It needs {readable_memory(best.needed_bytes)}{where}, and {free} are free."
    elif best.model != asked.model:
        why = (
            f"No file of {asked.title} fits into the {free} that are free; "
            f"{find_model(best.model).title} thinks aloud too and needs "
            f"{readable_memory(best.needed_bytes)}."
        )
    elif best.quantisation == asked.quantisation:
        why = (
            f"{best.quantisation} fits into the {free} that are free with {best.context:,} tokens "
            f"of context and a KV cache in {best.kv_type.upper()}."
        )
    else:
        why = (
            f"{asked.quantisation} needs {readable_memory(asked.needed_bytes)}, and {free} are "
            f"free; {best.quantisation} needs {readable_memory(best.needed_bytes)} with "
            f"{best.context:,} tokens of context and a KV cache in {best.kv_type.upper()}."
        )
        passed = [
            quantisation
            for quantisation, better in BETTER_OF_ITS_SIZE.items()
            if better == best.quantisation
        ]
        if passed:
            why += f" Of files of about this size it is the better one ({passed[0]} is worse)."
    if best.card is not None:
        why += f" {best.card.layers} of {best.card.all_layers} layers go on the graphics card."
    busy = " while other programs keep the machine busy" if best.machine.busy else ""
    return f"{why} It writes about {best.tokens_per_second:.1f} tokens per second{busy}."
