"""At how many sequences does a mixture of experts lose its advantage over a dense model?

Some layers of the stand-ins of QwQ-32B and Qwen3-30B-A3B write 1, 2, 4 ... 32 sequences at once, by
turns, so that whatever else the machine does slows both alike.  How many different experts a step
touches is read out of llama.cpp and stands beside the expectation.  Speeds of the whole models
are extrapolated by the bytes that a step reads.
Takes about two minutes and 13 GiB of free memory.
"""

from __future__ import annotations

import dataclasses
import random
import time
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import mean, median

from course_utils.engines.local import LocalEngine, LocalOptions
from course_utils.engines.local.observation import activations
from course_utils.engines.local.runtime import Batch, Context
from course_utils.machine import measure_memory_bandwidth, this_machine
from course_utils.model_files.batching import bytes_read_per_step, experts_touched
from course_utils.model_files.catalogue import find_model
from course_utils.model_files.standin import LIVE_ROWS, Standin, standin
from tests.benchmarks.report import show_place, write_report

MODELS = ("qwq-32b", "qwen3-30b-a3b")
LAYERS = 16
SEQUENCES = (1, 2, 4, 8, 16, 32)
STEPS = 7
CONTEXT = 1024
SETTINGS = ("threads", "kv_type", "flash_attention")


@dataclass
class Writer:
    """A stand-in that is loaded and whose weights have all been read once."""

    file: Standin
    engine: LocalEngine
    context: Context

    def step(self, sequences: int, position: int, draw: random.Random) -> float:
        """Seconds of one step: a new token for each sequence. Tokens decide over the experts."""
        batch = Batch(sequences)
        for sequence in range(sequences):
            token = draw.randrange(256, LIVE_ROWS)
            batch.add(token, position, sequence=sequence, logits=True)
        started = time.perf_counter()
        self.context.decode(batch)
        elapsed = time.perf_counter() - started
        batch.close()
        return elapsed

    def experts(self, sequences: int, draw: random.Random) -> float | None:
        """Different experts that a step touches, the mean of the layers; None if it has none."""
        shape = self.file.architecture
        if shape.experts is None:
            return None
        tokens = [draw.randrange(256, LIVE_ROWS) for _ in range(sequences)]
        names = [f"ffn_moe_topk-{n}" for n in range(shape.experts.dense_layers, shape.layers)]
        chosen = activations(self.engine._model, tokens, names)
        return mean(len(set(ids.ravel().tolist())) for ids in chosen.values())

    def close(self) -> None:
        self.context.close()
        self.engine.close()


def load(file: Standin, *, sequences: int = 1) -> Writer:
    """Load a stand-in as the course loads a model, and read every weight once.

    A prompt of many different tokens is sent through it, since it has to reach all experts: what
    is read for the first time takes memory, and that would be timed too.
    """
    engine = LocalEngine(file.path, options=LocalOptions(context=CONTEXT))
    settings = {name: engine.info.settings[name] for name in SETTINGS}
    context = Context(
        engine._model, context=CONTEXT, sequences=sequences, batch=CONTEXT // 2, **settings
    )
    count = CONTEXT // 2 if file.architecture.experts else 1
    batch = Batch(count)
    for position, token in enumerate(random.Random(1).choices(range(LIVE_ROWS), k=count)):
        batch.add(token, position, logits=position == count - 1)
    context.decode(batch)
    batch.close()
    context.clear()
    return Writer(file, engine, context)


def measure(writers: dict[str, Writer]) -> tuple[list[dict[str, object]], float]:
    """One row for each model and number of sequences, and the bandwidth in bytes per second."""
    rows, bandwidths = [], []
    for sequences in SEQUENCES:
        times = {name: [] for name in writers}
        draws = {name: random.Random(sequences) for name in writers}
        for turn in range(STEPS + 1):
            for name, writer in writers.items():
                seconds = writer.step(sequences, turn, draws[name])
                if turn:
                    times[name].append(seconds)
        bandwidths.append(measure_memory_bandwidth(0.5))
        for name, writer in writers.items():
            writer.context.clear()
            touched = writer.experts(sequences, random.Random(100 + sequences))
            rows.append(_row(name, writer.file, sequences, times[name], touched))
            print(
                f"{name:>14}, {sequences:>2} sequences: {rows[-1]['tokens_per_second']:6.2f} "
                f"tokens per second (whole model), experts touched: {touched}",
                flush=True,
            )
    return rows, median(bandwidths)


def _row(
    name: str, file: Standin, sequences: int, times: list[float], touched: float | None
) -> dict[str, object]:
    experts = file.full.experts
    ratio = bytes_read_per_step(file.full, file.quantisation, sequences) / bytes_read_per_step(
        file.architecture, file.quantisation, sequences
    )
    seconds = median(times)
    return {
        "model": name,
        "quantisation": file.quantisation,
        "layers_run": file.architecture.layers,
        "all_layers": file.full.layers,
        "sequences": sequences,
        "steps": len(times),
        "seconds_per_step_run": round(seconds, 4),
        "slowest_step_run": round(max(times), 4),
        "gb_per_step": round(bytes_read_per_step(file.full, file.quantisation, sequences) / 1e9, 3),
        "tokens_per_second": round(sequences / (seconds * ratio), 3),
        "experts_touched": "" if touched is None else round(touched, 1),
        "experts_expected": ""
        if experts is None
        else round(experts_touched(experts.experts, experts.used, sequences), 1),
    }


def main() -> None:
    with ExitStack() as files:
        writers = {}
        for name in MODELS:
            layers = min(LAYERS, find_model(name).architecture.layers)
            file = files.enter_context(standin(name, layers=layers))
            writers[name] = load(file, sequences=max(SEQUENCES))
            files.callback(writers[name].close)
        rows, bandwidth = measure(writers)
    machine = dataclasses.replace(this_machine(), memory_bandwidth_bytes_per_second=bandwidth)
    show_place(write_report("batching", rows, machine))


if __name__ == "__main__":
    main()
