"""How does one GPU train tiny models fast? It records a computation once and replays it whole.

A model of a million parameters keeps a GPU busy for microseconds at a time; starting the hundreds
of operations of a step from Python takes a hundred times as long.  A CUDA graph starts them all at
once.  What is replayed must have the same shapes each time.  On a CPU nothing is recorded: the same
functions run as they are.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def replayed(function: Callable, *examples: Tensor) -> Callable:
    """``function`` of tensors shaped like ``examples``, recorded if they are on a GPU.

    It is called once for practice, on the examples.  What the recorded function returns is
    overwritten by its next call.
    """
    if examples[0].device.type != "cuda":
        return function
    kept = [example.clone() for example in examples]
    practice = torch.cuda.Stream()
    practice.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(practice):
        function(*kept)
    torch.cuda.current_stream().wait_stream(practice)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = function(*kept)

    def replay(*tensors: Tensor):
        for place, tensor in zip(kept, tensors, strict=True):
            place.copy_(tensor)
        graph.replay()
        return result

    return replay


def optimizer_for(model, groups: list[dict], betas: tuple[float, float]) -> torch.optim.AdamW:
    """AdamW whose steps can be recorded, at learning rate 0; ``set_rate`` sets it."""
    gpu = model.device.type == "cuda"
    rate = torch.zeros((), device=model.device) if gpu else 0.0
    return torch.optim.AdamW(
        groups, lr=rate, betas=betas, weight_decay=0.0, fused=True, capturable=gpu
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate, in place where it is part of a recording."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def forget(optimizer: torch.optim.Optimizer) -> None:
    """Set the optimiser's averages back to 0 after practice, in place."""
    for state in optimizer.state.values():
        for value in state.values():
            value.zero_()
