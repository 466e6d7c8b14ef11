"""How does a long thought slow a model down, and what does checking a draft cost, on this machine?

``rehearse_steps("qwq-32b", contexts=(0, 16384), tokens=(1, 5))`` runs some layers of the model's
stand-in, with a cache as full as after that many tokens, and scales up to the whole model: weights
by the work of a step, attention by layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from course_utils.engines import step_times
from course_utils.engines.checks import whole_number
from course_utils.engines.local.options import MOST_DRAFTED
from course_utils.engines.rehearsal_process import run_aside
from course_utils.errors import OptionError
from course_utils.model_files.architectures import Architecture
from course_utils.model_files.quantisation import bytes_read_per_token, weight_bytes_by_part
from course_utils.model_files.speed import step_work
from course_utils.model_files.standin import standin

LAYERS = 8
"""Enough for attention and weights to be measured, and few enough for a cache of 32,768 tokens to
fit beside them."""

LONGEST = 1_048_576


@dataclass(frozen=True)
class StepRehearsal:
    """Seconds of a step of the whole model, by (tokens of text before it, tokens computed).

    ``flash_attention`` is None where the engine chose.  ``layers`` were run, of ``all_layers``;
    ``run`` are the seconds of those, as measured.
    """

    model: str
    quantisation: str
    kv_type: str
    flash_attention: bool | None
    layers: int
    all_layers: int
    seconds: dict[tuple[int, int], float]
    run: dict[tuple[int, int], float] = field(repr=False)

    def step_seconds(self, tokens: int) -> float:
        """Seconds of a step of so many tokens at the start of a text, see ``speculation``.

        Raises OptionError for a number of tokens that was not measured.
        """
        shortest = min(context for context, _ in self.seconds)
        if (shortest, tokens) not in self.seconds:
            raise OptionError(
                f"A step of {tokens} tokens was not measured.",
                f"Rehearse it: rehearse_steps({self.model!r}, tokens=(1, {tokens})).",
            )
        return self.seconds[shortest, tokens]

    def __str__(self) -> str:
        about = "measured" if self.layers == self.all_layers else "extrapolated"
        lines = [
            f"{self.model} {self.quantisation}, {self.kv_type.upper()} cache"
            f"{'' if self.flash_attention is not False else ' without flash attention'}, "
            f"{self.layers} of {self.all_layers} layers run; for the whole model, {about}:"
        ]
        lines += [
            f"  after {context:>6,} tokens, a step of {tokens:>2}: {seconds:8.3f} s, at most "
            f"{tokens / seconds:.2f} tokens per second"
            for (context, tokens), seconds in sorted(self.seconds.items())
        ]
        return "\n".join(lines)


def rehearse_steps(
    model: str = "qwq-32b",
    *,
    contexts: Sequence[int] = (0, 8192, 16_384, 32_768),
    tokens: Sequence[int] = (1,),
    quantisation: str | None = None,
    kv_type: str = "f16",
    layers: int | None = LAYERS,
    threads: int | None = None,
    flash_attention: bool | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> StepRehearsal:
    """Time steps of a catalogue's model on this machine, with a stand-in of some layers.

    contexts: tokens of text before the step.  tokens: how many a step computes, one when the model
    writes alone.  layers: how many are run; None for all.  For a short text and all layers the
    memory must hold the whole model, for 32,768 tokens and 8 layers of QwQ-32B 5 GB.
    flash_attention: see ``LocalOptions``; None lets the engine choose.

    Raises OptionError for an unknown name or a wrong number, MachineError or ModelLoadError where
    memory does not hold it.
    """
    contexts = [whole_number("contexts", each, 0, LONGEST, unit="tokens") for each in contexts]
    tokens = [whole_number("tokens", each, 1, MOST_DRAFTED + 1) for each in tokens]
    if not contexts or not tokens:
        raise OptionError("There is nothing to measure.", "Give contexts=(0,) and tokens=(1,).")
    # Attention is what a longer text adds to the shortest.
    contexts = sorted({0, *contexts})
    name, _, named_quantisation = str(model).partition(":")
    with standin(name, quantisation or named_quantisation or None, layers=layers) as file:
        found = run_aside(
            step_times.__name__,
            {
                "path": str(file.path),
                "contexts": contexts,
                "tokens": tokens,
                "kv_type": kv_type,
                "threads": threads,
                "flash_attention": flash_attention,
            },
            on_progress,
        )
    run = {(row["context"], row["tokens"]): row["seconds"] for row in found}
    return StepRehearsal(
        model=name,
        quantisation=file.quantisation,
        kv_type=kv_type,
        flash_attention=flash_attention,
        layers=file.architecture.layers,
        all_layers=file.full.layers,
        seconds=of_the_whole(run, file.architecture, file.full, file.quantisation),
        run=run,
    )


def of_the_whole(
    run: dict[tuple[int, int], float], part: Architecture, full: Architecture, quantisation: str
) -> dict[tuple[int, int], float]:
    """Seconds of the whole model's steps, from those of some of its layers.

    ``run``, and what is returned: by (tokens of text before the step, tokens that it computes).
    """
    if part.layers == full.layers:
        return dict(run)
    found = {}
    for (context, tokens), seconds in run.items():
        of_weights = run[0, tokens]
        more_weights = _work(full, quantisation, tokens) / _work(part, quantisation, tokens)
        attending = max(0.0, seconds - of_weights) * full.layers / part.layers
        found[context, tokens] = of_weights * more_weights + attending
    return found


def _work(architecture: Architecture, quantisation: str, tokens: int) -> float:
    """What the time of a step grows with: bytes, each as often as its tokens need them unpacked.

    The output matrix is dense in a mixture of experts too, and of a few layers a large part.
    """
    output = weight_bytes_by_part(architecture, quantisation).get("output", 0)
    layers = bytes_read_per_token(architecture, quantisation) - output
    mixture = architecture.experts is not None
    return output * step_work(tokens, mixture=False) + layers * step_work(tokens, mixture=mixture)
