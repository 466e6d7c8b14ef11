"""Which model for which machine, and what does it cost a class? Every assumption is a number here.

Speeds are computed as in ``course_utils.model_files.capacity``, for several sequences at once: a
step takes as long as reading its weights, or as its arithmetic, whichever is longer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from course_utils.machine import Machine
from course_utils.model_files.batching import bytes_read_per_step
from course_utils.model_files.catalogue import find_model, predicted_file_bytes
from course_utils.model_files.memory import RESERVE_BYTES, memory_need
from course_utils.model_files.speed import SECONDS_PER_EXPERT_LAYER, decoding_bytes_per_second
from course_utils.units import GIB

MODELS = ("qwq-32b", "qwen3-30b-a3b", "deepseek-r1")

OPERATIONS_PER_CORE = 0.3e12
"""Operations per second and core with 4-bit weights. The prefill of QwQ-32B on a 2-core server is
9.5 tokens per second (``models/full_size.csv``), each of 64 thousand million operations."""

IN_USE_BYTES = 3 * GIB
"""What a system and its programs take of the memory."""


@dataclass(frozen=True)
class Place:
    """A kind of machine. ``machines``: how many there are; price in euros, power in watts.

    The ready-made ones below are examples.  Bandwidth is what programs read: memory channels x
    8 bytes x transfers per second, times ``READ_OF_SOLD``; prices and watts are assumptions, there
    to be changed.
    """

    name: str
    machines: int
    cores: int
    memory_gib: float
    bandwidth_gb_per_second: float
    price: float
    watts: float


READ_OF_SOLD = 0.78
"""What a good program reads of the bandwidth that memory is sold with: 40 of 51 GB/s on
``course_utils.machine.typical_laptop``.  Notebook 06 has measurements from half to four fifths."""

PLACES = {
    # 2 channels of DDR4-3200, as ``course_utils.machine.typical_laptop``; every learner has one.
    "laptop": Place("laptop", 30, 8, 32, READ_OF_SOLD * 2 * 8 * 3.2, 1000, 45),
    # 8 channels of DDR5-4800, one for the whole class.
    "workstation": Place("workstation", 1, 32, 128, READ_OF_SOLD * 8 * 8 * 4.8, 6000, 400),
    # Two processors with 12 channels of DDR5-4800 each, one for the whole class.
    "server": Place("server", 1, 128, 768, READ_OF_SOLD * 2 * 12 * 8 * 4.8, 25000, 1000),
}


@dataclass(frozen=True)
class Lesson:
    """What a class does. ``tokens``: per answer, thought included; ``context``: kept per learner.

    ``hours_of_life``: how many hours a machine works before it is replaced; euros per kWh.
    """

    learners: int = 30
    questions: int = 5
    tokens: int = 2000
    context: int = 4096
    hours_of_life: float = 5000
    euros_per_kwh: float = 0.30


@dataclass(frozen=True)
class Choice:
    """What one model takes and gives at one place. Speeds in tokens per second.

    ``sequences``: how many learners one machine serves at once; 0 where the model does not fit,
    and then ``hours`` and ``euros`` are infinite.
    """

    model: str
    title: str
    memory_bytes: int
    sequences: int
    speed_for_one: float
    speed_for_class: float
    hours: float
    euros: float

    @property
    def fits(self) -> bool:
        return self.sequences > 0


def place_of(machine: Machine, *, price: float = 1000, watts: float = 45) -> Place:
    """The machine you sit at, as a place of which there is one."""
    return Place(
        "this machine",
        1,
        machine.cores,
        machine.total_memory_bytes / GIB,
        machine.memory_bandwidth_bytes_per_second / 1e9,
        price,
        watts,
    )


def choose(
    model: str, place: Place, lesson: Lesson | None = None, quantisation: str = "Q4_K_M"
) -> Choice:
    """What this model of the catalogue does for a class with these machines.

    Raises OptionError for an unknown model or quantisation.
    """
    lesson = lesson or Lesson()
    entry = find_model(model)
    architecture = entry.architecture
    file_bytes = predicted_file_bytes(architecture, quantisation)
    room = place.memory_gib * GIB - IN_USE_BYTES - RESERVE_BYTES

    def need(sequences: int) -> int:
        return memory_need(
            file_bytes=file_bytes,
            architecture=architecture,
            context=sequences * lesson.context,
        ).total

    def speed(sequences: int) -> float:
        """Tokens per second of one machine; half of an answer is in the cache on average."""
        midway = lesson.tokens // 2
        read = bytes_read_per_step(architecture, quantisation, sequences)
        read += sequences * midway * architecture.cache_bytes_per_token()
        rate = decoding_bytes_per_second(place.bandwidth_gb_per_second * 1e9, place.cores)
        fetched = read / rate + SECONDS_PER_EXPERT_LAYER * architecture.expert_layers
        operations = sequences * architecture.flops_per_token(midway)
        return sequences / max(fetched, operations / (place.cores * OPERATIONS_PER_CORE))

    wanted = math.ceil(lesson.learners / place.machines)
    sequences = next((n for n in range(wanted, 0, -1) if need(n) <= room), 0)
    in_all = speed(sequences) * place.machines if sequences else 0.0
    tokens = lesson.learners * lesson.questions * lesson.tokens
    hours = tokens / in_all / 3600 if in_all else math.inf
    per_hour = place.price / lesson.hours_of_life + place.watts / 1000 * lesson.euros_per_kwh
    return Choice(
        model=entry.name,
        title=entry.title,
        memory_bytes=need(max(1, sequences)),
        sequences=sequences,
        speed_for_one=speed(1) if sequences else 0.0,
        speed_for_class=in_all,
        hours=hours,
        euros=hours * place.machines * per_hour,
    )
