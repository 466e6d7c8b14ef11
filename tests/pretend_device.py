"""A second device on a machine that has none: tensors that say "meta" and compute on the CPU.

PyTorch refuses to quantisation tensors of two devices only where a second device exists.  Inside
``pretend_device()`` a tensor made with ``device="meta"``, or moved there, is a wrapper around a
tensor of the CPU: every operation on it is computed, and one that meets a plain tensor is refused
as CUDA refuses it.  So code that forgets where its model is fails here as it would on a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

ELSEWHERE = torch.device("meta")
CROSSES = (torch.ops.aten._to_copy, torch.ops.aten.copy_)
TAKES_INDICES = (torch.ops.aten.index, torch.ops.aten.index_put, torch.ops.aten.index_put_)


class Elsewhere(torch.Tensor):
    """A tensor that says it is on ``ELSEWHERE``; ``inner`` holds its numbers."""

    @staticmethod
    def __new__(cls, inner: torch.Tensor):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=ELSEWHERE,
            requires_grad=inner.requires_grad,
        )

    def __init__(self, inner: torch.Tensor):
        self.inner = inner

    def __repr__(self) -> str:
        return f"Elsewhere({self.inner!r})"

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return compute(function, args, kwargs or {})


def compute(function, args, kwargs):
    """Run one operation on the CPU; its result is where its tensors, or ``device``, say."""
    wanted = kwargs.get("device")
    values = tree_flatten((args, kwargs))[0]
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    elsewhere = any(isinstance(tensor, Elsewhere) for tensor in tensors)
    # As on CUDA, numbers without a dimension and indices may stay on the CPU; a copy crosses over.
    bound = (args[0], *args[2:]) if function.overloadpacket in TAKES_INDICES else (args, kwargs)
    strangers = [t for t in tree_flatten(bound)[0] if isinstance(t, torch.Tensor) and t.dim()]
    strangers = [t for t in strangers if not isinstance(t, Elsewhere)]
    if elsewhere and strangers and function.overloadpacket not in CROSSES:
        raise RuntimeError(f"{function}: a tensor on {ELSEWHERE} meets one on the CPU")
    if wanted is not None:
        elsewhere = torch.device(wanted).type == ELSEWHERE.type
        kwargs = {**kwargs, "device": torch.device("cpu")}

    def inside(value):
        return value.inner if isinstance(value, Elsewhere) else value

    made = function(*tree_map(inside, args), **tree_map(inside, kwargs))
    if not elsewhere:
        return made
    known = {id(tensor.inner): tensor for tensor in tensors if isinstance(tensor, Elsewhere)}

    def outside(value):
        if not isinstance(value, torch.Tensor):
            return value
        # What was changed in place is still the tensor that it was.
        return known[id(value)] if id(value) in known else Elsewhere(value)

    return tree_map(outside, made)


class Factories(TorchDispatchMode):
    """Operations that take no tensor, such as ``torch.zeros(3, device=ELSEWHERE)``."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return compute(function, args, kwargs or {})


class Lists(TorchFunctionMode):
    """From lists, to lists, and lists as indices: PyTorch makes these without an operation."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function is torch.tensor and torch.device(kwargs.get("device") or "cpu") == ELSEWHERE:
            return Elsewhere(torch.tensor(*args, **{**kwargs, "device": "cpu"}))
        if function is torch.Tensor.tolist:
            return args[0].to("cpu").tolist()
        if function in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            index = tuple(torch.tensor(i) if isinstance(i, list | range) else i for i in index)
            args = (args[0], index, *args[2:])
        return function(*args, **kwargs)


class Generator(torch.Generator):
    """Random numbers for any device, drawn on the CPU."""

    def __new__(cls, device="cpu"):
        return super().__new__(cls)


@contextmanager
def pretend_device() -> Iterator[torch.device]:
    """For as long as the ``with`` block lasts, ``model.to(device)`` moves a model elsewhere."""
    with Factories(), Lists(), mock.patch.object(torch, "Generator", Generator):
        yield ELSEWHERE
