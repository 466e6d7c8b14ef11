"""How fast do this machine's cores unpack weights, and does that overlap with fetching them?

A plan needs three rates that no data sheet tells (see ``model_files.speed``).  Three small
stand-ins show them in a few seconds, before any download:

- *inside the cache*, nothing has to be fetched, so what is left is the unpacking;
- *outside the cache*, the same work also waits for the memory: how much longer it takes tells how
  far the two overlap;
- *a tiny mixture of experts* inside the cache has next to nothing to unpack either: what is left
  is the threads' waiting for each other.

A token also costs time that has nothing to do with weights.  So where it would matter, two
stand-ins are compared that differ in nothing but the bytes, or the layers, that are asked about.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import NamedTuple

from course_utils.engines.local import LocalEngine, LocalOptions
from course_utils.engines.sampling import PLAIN
from course_utils.errors import CourseError
from course_utils.machine import Machine, available_memory_bytes, this_machine, usable_cores
from course_utils.machine.load import OtherLoad
from course_utils.model_files.architectures import Architecture, GroupedQueryAttention
from course_utils.model_files.layer_parts import MixtureOfExperts
from course_utils.model_files.quantisation import bytes_read_per_token
from course_utils.model_files.speed import measured_overlap
from course_utils.model_files.standin import standin, standin_of, standins_take_no_space
from course_utils.progress import Progress
from course_utils.units import GIB

QUANTISATION = "Q4_K_M"

OUTSIDE = "r1-distill-qwen-1.5b"
"""At 1.1 GB it is larger than any cache, also than one that a virtual machine is not told of."""

FEW_LAYERS = 8
"""So many of its layers, where less than 4 GiB are free."""

NARROW, WIDE = 256, 2048
"""Widths of the feed-forward networks of the two stand-ins inside the cache: 4 and 10 MB."""

# As in large models, one of the two layers has its most sensitive matrices in 6 bits.
_TINY = Architecture(
    family="qwen2",
    layers=2,
    hidden=1024,
    feed_forward=NARROW,
    vocabulary=512,
    attention=GroupedQueryAttention(heads=8, key_value_heads=2, head_dimension=128, biases=True),
    context=2048,
)
_TINY_MIXTURE = replace(
    _TINY,
    family="qwen3moe",
    hidden=512,
    attention=GroupedQueryAttention(
        heads=4, key_value_heads=2, head_dimension=128, head_norms=True
    ),
    experts=MixtureOfExperts(experts=32, used=8, width=256),
)
_FEW_EXPERT_LAYERS, _MORE_EXPERT_LAYERS = 2, 6

LEAST_TOKENS, MOST_TOKENS, SECONDS = 6, 200, 0.3
"""How much is written each time; on a busy machine the seconds end it."""

SECONDS_IN_A_HURRY = 0.1
"""The same where somebody waits for a plan."""

ROUNDS = 3
"""So often each pair is measured, by turns, so that whatever else runs slows both alike."""


class DecodingRates(NamedTuple):
    """What was measured; the fields of ``Machine`` of the same names, in the same units."""

    unpacking_bytes_per_second: float
    overlap: float
    seconds_per_expert_layer: float | None

    def of(self, machine: Machine) -> Machine:
        """A machine that is planned for with these rates."""
        return replace(machine, **self._asdict())


def measured_machine(*, mixture: bool = False) -> Machine:
    """This machine with its rates, for a plan that need not assume them: some three seconds.

    They are measured once in a process.  Where the stand-ins cannot be run, would fill the disk, or
    share the cores with other busy programs, it is the machine as ``this_machine`` gives it, and
    the plan assumes the rates of a quiet one.
    """
    machine = this_machine()
    rates = _rates_of_this_process(mixture)
    return machine if rates is None else rates.of(machine)


@functools.cache
def _rates_of_this_process(mixture: bool) -> DecodingRates | None:
    try:
        if not standins_take_no_space():
            return None
        machine = this_machine()
        if machine.busy:  # it would take minutes, too
            return None
        others = OtherLoad()
        with Progress("measuring this machine", 3 if mixture else 2) as progress:
            rates = measure_decoding_rates(
                machine,
                mixture=mixture,
                seconds=SECONDS_IN_A_HURRY,
                on_step=progress.advance,
            )
        return None if others.disturbs() else rates
    except (CourseError, OSError):
        return None


def measure_decoding_rates(
    machine: Machine,
    *,
    mixture: bool = False,
    seconds: float = SECONDS,
    on_step: Callable[[int], None] = lambda count: None,
) -> DecodingRates:
    """Measure this machine's rates beside its memory bandwidth: about four seconds, 1.2 GB.

    ``machine``: this machine, with the bandwidth that was just measured.  ``mixture``: measure the
    waiting between experts too, a second more; it is None otherwise.  ``seconds``: how long each
    stand-in writes at a time.  ``on_step``: called with 1 after each measurement.

    Raises ModelLoadError or MachineError where even these stand-ins cannot be run.
    """
    unpacking = unpacking_inside_the_cache(seconds)
    on_step(1)
    decoded = decoding_outside_the_cache(seconds)
    on_step(1)
    # Work that includes fetching cannot be faster than the unpacking alone.
    unpacking = max(unpacking, decoded)
    waiting = None
    if mixture:
        waiting = waiting_per_expert_layer(unpacking, seconds)
        on_step(1)
    overlap = measured_overlap(decoded, machine.memory_bandwidth_bytes_per_second, unpacking)
    return DecodingRates(unpacking, overlap, waiting)


def unpacking_inside_the_cache(seconds: float = SECONDS) -> float:
    """Bytes of 4-bit weights per second that all cores unpack when none has to be fetched."""
    shapes = [replace(_TINY, feed_forward=width) for width in (NARROW, WIDE)]
    narrow, wide = (bytes_read_per_token(shape, QUANTISATION) for shape in shapes)
    return (wide - narrow) / _difference(shapes, seconds)


def waiting_per_expert_layer(unpacking: float, seconds: float = SECONDS) -> float:
    """Seconds per token and layer that a mixture takes beyond ``unpacking`` its weights."""
    layers = (_FEW_EXPERT_LAYERS, _MORE_EXPERT_LAYERS)
    shapes = [_TINY_MIXTURE.with_layers(count) for count in layers]
    few, more = (bytes_read_per_token(shape, QUANTISATION) for shape in shapes)
    longer = _difference(shapes, seconds) - (more - few) / unpacking
    return max(0.0, longer / (_MORE_EXPERT_LAYERS - _FEW_EXPERT_LAYERS))


def decoding_outside_the_cache(seconds: float = SECONDS) -> float:
    """Bytes of 4-bit weights per second that all cores fetch from memory and unpack."""
    layers = None if available_memory_bytes() > 4 * GIB else FEW_LAYERS
    with standin(OUTSIDE, QUANTISATION, layers=layers) as file, _running(file.path) as engine:
        read = bytes_read_per_token(file.architecture, file.quantisation)
        return read / _seconds_per_token(engine, seconds)


def _difference(shapes: list[Architecture], seconds: float) -> float:
    """How many seconds longer a token takes with the second shape than with the first."""
    with ExitStack() as open_now:
        engines = []
        for shape in shapes:
            file = open_now.enter_context(standin_of(shape, QUANTISATION))
            engines.append(open_now.enter_context(_running(file.path)))
        rounds = [[_seconds_per_token(e, seconds) for e in engines] for _ in range(ROUNDS)]
    first, second = (median(column) for column in zip(*rounds, strict=True))
    # On a machine so busy that the larger one seems as quick, it counts as a little slower.
    return max(second - first, second / 100)


@contextmanager
def _running(path: Path) -> Iterator[LocalEngine]:
    options = LocalOptions(context=512, threads=usable_cores(), repack=False)
    engine = LocalEngine(path, options=options)
    try:
        yield engine
    finally:
        engine.close()


def _seconds_per_token(engine: LocalEngine, seconds: float) -> float:
    """Median time between tokens; few candidates keep a mixture to tokens with embeddings."""
    stream = engine.complete("a", PLAIN.but(top_k=40, seed=0, max_tokens=MOST_TOKENS))
    times = []
    for piece in stream:
        times.append(piece.seconds)
        if len(times) >= LEAST_TOKENS and times[-1] - times[0] > seconds:
            break
    stream.close()
    return median(later - earlier for earlier, later in pairwise(times))
