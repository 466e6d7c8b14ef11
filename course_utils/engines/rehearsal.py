"""How fast will a model be on this machine? Run a stand-in of it, before any download.

``rehearse("qwq-32b")`` writes the model's stand-in (see ``model_files.standin``), loads it through
the same engine as every other model, reads a prompt and writes a few tokens, and sets what it
measured beside the plan.  Where memory cannot hold the whole, it runs a few layers and extrapolates
by bytes and operations per token, and says that it did.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import mean

from course_utils.engines.checks import whole_number
from course_utils.engines.decoding_rates import measure_decoding_rates
from course_utils.engines.rehearsal_process import Measurement, measure_in_own_process
from course_utils.errors import MachineError
from course_utils.machine import Machine, measure_memory_bandwidth, this_machine
from course_utils.model_files.architectures import Architecture
from course_utils.model_files.capacity import DEFAULT_CONTEXT, Plan, plan
from course_utils.model_files.catalogue import find_model, predicted_file_bytes
from course_utils.model_files.memory import RESERVE_BYTES, memory_need, repacked_bytes
from course_utils.model_files.quantisation import bytes_read_per_token
from course_utils.model_files.standin import Standin, standin, standins_take_no_space
from course_utils.units import GIB, readable_memory

EXTRACT_BYTES = 4 * GIB
"""When only a few layers are run: at most about so much weight, so that it takes seconds."""


@dataclass(frozen=True)
class Rehearsal:
    """A rehearsal's plan and measurements, for the whole model.

    ``layers`` were run, of ``all_layers``.  When they are fewer, the four figures below them are
    extrapolated from ``measured``, and ``why_partial`` says why.
    """

    plan: Plan
    measured: Measurement
    layers: int
    all_layers: int
    why_partial: str | None
    write_seconds: float
    disk_bytes: int
    load_seconds: float
    resident_bytes: int
    prefill_tokens_per_second: float
    decode_tokens_per_second: float
    seconds: float

    @property
    def extrapolated(self) -> bool:
        return self.layers < self.all_layers

    @property
    def share_of_bandwidth(self) -> float:
        """Bytes read per second while decoding, as a share of the machine's read bandwidth."""
        return self.decode_tokens_per_second / self.plan.ceiling

    @property
    def speed_against_plan(self) -> float:
        """Measured decoding speed over the predicted one; 1 is perfect agreement."""
        return self.decode_tokens_per_second / self.plan.tokens_per_second

    @property
    def memory_against_plan(self) -> float:
        """Measured resident memory over the predicted one; 1 is perfect agreement."""
        return self.resident_bytes / self.plan.memory.total

    def __str__(self) -> str:
        about = "extrapolated" if self.extrapolated else "measured"
        lines = [
            f"{self.plan.title} {self.plan.quantisation}, rehearsed in {self.seconds:.0f} s with a "
            f"file that takes {_megabytes(self.disk_bytes)} of disk:",
            f"  load      {self.load_seconds:8.1f} s",
            f"  memory    {self.resident_bytes / GIB:8.1f} GiB  {about}, "
            f"{self.plan.memory.total / GIB:.1f} planned",
            f"  prefill   {self.prefill_tokens_per_second:8.1f} tokens per second",
            f"  decoding  {self.decode_tokens_per_second:8.2f} tokens per second  {about}, "
            + (
                "too small to plan"
                if self.plan.in_the_cache
                else f"{self.plan.tokens_per_second:.2f} planned, {self.plan.ceiling:.2f} at most"
            ),
        ]
        if self.extrapolated:
            lines.append(
                f"{self.layers} of {self.all_layers} layers were run, and the rest extrapolated: "
                f"{self.why_partial}"
            )
        return "\n".join(lines)


def rehearse(
    model: str = "qwq-32b",
    *,
    quantisation: str | None = None,
    context: int = DEFAULT_CONTEXT,
    kv_type: str = "f16",
    repack: bool = False,
    layers: int | None = None,
    machine: Machine | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Rehearsal:
    """Run a catalogue's model as a stand-in on this machine: about a minute for 20 GB.

    When the model fits only with a Q8_0 cache and a shorter context, it is rehearsed with those.
    layers: run only so many layers, and extrapolate.
    machine: by default this machine as it is now; its free memory decides what is run.  The plan is
    made with the memory bandwidth that the weights are read with between the tokens, since what
    other programs leave of it changes within seconds; a small model's with the mean of before and
    after.  How fast the cores unpack weights, and how far that overlaps with fetching them, small
    stand-ins show first (``decoding_rates``).  A machine that you give is taken as it is.
    on_progress: called with the percentage done, instead of a progress bar.

    Raises OptionError for an unknown name, MachineError where not even one layer fits,
    ModelLoadError where the stand-in's process fails.
    """
    started = time.perf_counter()
    before = None
    if machine is None:
        before = measure_memory_bandwidth()
        machine = replace(this_machine(), memory_bandwidth_bytes_per_second=before)
    planned = plan(model, context, kv_type, machine, quantisation, repack=repack)
    if before is not None and not planned.in_the_cache and standins_take_no_space():
        rates = measure_decoding_rates(machine, mixture=planned.expert_layers > 0)
        machine = rates.of(machine)
        planned = planned.on(machine)
    lighter = planned.instead
    if not repack and lighter is not None and _same_file(lighter, planned):
        planned = lighter
    shown, why = _layers_to_run(planned, layers, repack)
    options = {"context": planned.context, "kv_type": planned.kv_type, "repack": repack}
    wrote = time.perf_counter()
    with standin(planned.model, planned.quantisation, layers=shown) as file:
        write_seconds = time.perf_counter() - wrote
        measured = measure_in_own_process(file.path, options, on_progress)
    if before is not None:
        during = measured.bandwidth_bytes_per_second
        bandwidth = during or mean((before, measure_memory_bandwidth()))
        planned = planned.on(replace(machine, memory_bandwidth_bytes_per_second=bandwidth))
    return _rehearsal(planned, measured, file, repack, why, write_seconds, started)


def _same_file(one: Plan, other: Plan) -> bool:
    return (one.model, one.quantisation) == (other.model, other.quantisation)


def _layers_to_run(planned: Plan, asked: int | None, repack: bool) -> tuple[int, str | None]:
    """How many layers to run, and why not all."""
    architecture = find_model(planned.model).architecture
    if asked is not None and whole_number("layers", asked, 1) < architecture.layers:
        return asked, "you asked for it."
    sparse = standins_take_no_space()
    if planned.fits and (sparse or planned.memory.weights <= EXTRACT_BYTES):
        return architecture.layers, None
    why = (
        "this machine's free memory cannot hold the whole model."
        if not planned.fits
        else "the file system here does not leave holes in files out."
    )
    room = planned.machine.available_memory_bytes - RESERVE_BYTES
    for layers in range(architecture.layers, 0, -1):
        need = _need(architecture.with_layers(layers), planned, repack)
        if need <= room and (need <= EXTRACT_BYTES or layers == 1):
            return layers, why
    smaller = planned.instead.model if planned.instead else "nano-thinker"
    raise MachineError(
        f"Not even one layer of {planned.title} {planned.quantisation} fits the memory that is "
        f"free ({readable_memory(planned.machine.available_memory_bytes)}).",
        f'Rehearse a smaller model: rehearse("{smaller}").',
    )


def _need(architecture: Architecture, planned: Plan, repack: bool) -> int:
    return memory_need(
        file_bytes=predicted_file_bytes(architecture, planned.quantisation),
        architecture=architecture,
        context=planned.context,
        kv_type=planned.kv_type,
        repacked=repacked_bytes(architecture, planned.quantisation) if repack else 0,
    ).total


def _rehearsal(
    planned: Plan,
    measured: Measurement,
    file: Standin,
    repack: bool,
    why: str | None,
    write_seconds: float,
    started: float,
) -> Rehearsal:
    """Put plan and measurement together; scale up what a few layers showed."""
    part, full = file.architecture, file.full
    bytes_ratio = planned.bytes_per_token / bytes_read_per_token(part, planned.quantisation)
    # The output matrix works once per prompt; the layers work for each of its tokens.
    flops_ratio = _layer_flops(full) / _layer_flops(part)
    missing = planned.memory.total - _need(part, planned, repack)
    return Rehearsal(
        plan=planned,
        measured=measured,
        layers=part.layers,
        all_layers=full.layers,
        why_partial=why,
        write_seconds=write_seconds,
        disk_bytes=file.disk_bytes,
        load_seconds=measured.load_seconds * planned.memory.weights / file.file_bytes,
        resident_bytes=measured.resident_bytes + (missing if part.layers < full.layers else 0),
        prefill_tokens_per_second=measured.prefill_tokens_per_second / flops_ratio,
        decode_tokens_per_second=measured.decode_tokens_per_second / bytes_ratio,
        seconds=time.perf_counter() - started,
    )


def _megabytes(count: float) -> str:
    return f"{count / 1e6:.0f} MB" if count >= 1e6 else "less than 1 MB"


def _layer_flops(architecture: Architecture) -> int:
    return architecture.flops_per_token() - 2 * architecture.vocabulary * architecture.hidden
