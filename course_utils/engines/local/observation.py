"""Looks inside: what a model computes on the way to its logits, by llama.cpp's own callback.

While llama.cpp computes, it offers each intermediate result ("tensor") by name to a callback.  The
functions here run a text through a context of their own, with flash attention off, since the fused
computation never forms the attention maps.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import llama_cpp.llama_cpp as C
import numpy as np

from course_utils.engines.local.library import ggml
from course_utils.engines.local.loading import context_bytes, refuse_unless_room
from course_utils.engines.local.runtime import Batch, Context, Model
from course_utils.engines.protocol import Attention, Routing, Token
from course_utils.errors import NotSupportedError, OptionError, PromptError
from course_utils.model_files.architectures import Architecture

# A map has a cell for every pair of tokens, in every head of every layer.
LONGEST_TEXT = 512

# Nothing is rounded that is to be looked at.
KV_TYPE = "f32"

_ELEMENT_TYPES = {
    C.GGML_TYPE_F32: np.float32,
    C.GGML_TYPE_F16: np.float16,
    C.GGML_TYPE_I32: np.int32,
}


class _TensorHead(ctypes.Structure):
    """The first fields of ``struct ggml_tensor``, see ggml.h: sizes and strides of 4 dimensions."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("sizes", ctypes.c_int64 * 4),
        ("strides", ctypes.c_size_t * 4),
    )


def attention(model: Model, token_ids: list[int], tokens: list[Token]) -> Attention:
    """Attention maps: (layers, heads, tokens, tokens), see ``protocol.Attention``."""
    names = [f"kq_soft_max-{layer}" for layer in range(model.layers)]
    try:
        maps = activations(model, token_ids, names)
    except OptionError:
        raise NotSupportedError(
            "This model does not have attention in every layer.",
            "Open one that has, or look at what it computes: activation_names() lists it.",
        ) from None
    count = len(token_ids)
    # The cache is longer than the text; what lies behind it has weight zero.
    weights = np.stack([maps[name].reshape(-1, *maps[name].shape[-2:]) for name in names])
    return Attention(tokens, weights[:, :, :count, :count].copy())


def routing(model: Model, token_ids: list[int], tokens: list[Token]) -> Routing:
    """The router's choices, see ``protocol.Routing``. Raises NotSupportedError if dense."""
    present = set(activation_names(model))
    layers = [i for i in range(model.layers) if f"ffn_moe_topk-{i}" in present]
    if not layers:
        raise NotSupportedError(
            "This model is dense: it has no router.",
            "Open a mixture of experts to see routing.",
        )
    # Most families scale the chosen experts' weights so that they sum to 1.
    scaled = "weights_norm" if f"ffn_moe_weights_norm-{layers[0]}" in present else "weights"
    parts = {
        part: [f"ffn_moe_{part}-{layer}" for layer in layers] for part in ("topk", scaled, "probs")
    }
    values = activations(model, token_ids, [name for names in parts.values() for name in names])
    count = len(token_ids)
    experts, weights, probabilities = (
        np.stack([values[name].reshape(count, -1) for name in names]) for names in parts.values()
    )
    order = np.argsort(-weights, axis=-1, kind="stable")
    return Routing(
        tokens,
        np.take_along_axis(experts, order, axis=-1),
        np.take_along_axis(weights, order, axis=-1),
        probabilities,
    )


def activations(model: Model, token_ids: list[int], names: Sequence[str]) -> dict[str, np.ndarray]:
    """The named tensors for a text, by name. Raises OptionError for a name that does not occur."""
    refuse_long(token_ids)
    wanted = set(names)
    found: dict[str, np.ndarray] = {}

    def keep(name: str, tensor: int) -> None:
        found[name] = _read_tensor(name, tensor)

    _run(model, token_ids, wanted.__contains__, keep)
    missing = [name for name in names if name not in found]
    if missing:
        raise OptionError(
            f"This model computes nothing called {missing[0]!r}.",
            "activation_names() lists what it computes.",
        )
    return found


def refuse_too_much(token_ids: list[int], architecture: Architecture | None, *, maps: bool) -> None:
    """Raises PromptError for a text too long to look into, MachineError for want of memory.

    maps: whether attention maps are wanted, which take the most.
    """
    refuse_long(token_ids)
    count = len(token_ids)
    need = context_bytes(
        architecture, context=count, kv_type=KV_TYPE, batch=count, flash_attention=False
    )
    if maps and architecture is not None:
        # They exist as read, as one array, and cut to the text.
        need += 3 * 4 * architecture.layers * architecture.attention.heads * count**2
    refuse_unless_room(
        need,
        f"Looking into {count} tokens",
        "Look into a shorter text, or into a smaller model.",
    )


def refuse_long(token_ids: list[int]) -> None:
    """Raises PromptError for a text too long for maps of tokens by tokens."""
    if len(token_ids) > LONGEST_TEXT:
        raise PromptError(
            f"The text has {len(token_ids)} tokens, too many to look at one by one.",
            f"Use a text of at most {LONGEST_TEXT} tokens.",
        )


def activation_names(model: Model) -> list[str]:
    """The names of all tensors that the model computes, in order."""
    names: list[str] = []

    def want(name: str) -> bool:
        if name not in names:
            names.append(name)
        return False

    _run(model, [0], want, lambda _name, _tensor: None)
    return names


def _run(
    model: Model,
    token_ids: list[int],
    want: Callable[[str], bool],
    keep: Callable[[str, int], None],
) -> None:
    """Compute a text; ``want`` is asked for each tensor, ``keep`` gets those wanted."""
    problems: list[BaseException] = []

    @C.ggml_backend_sched_eval_callback
    def on_tensor(tensor: int, asking: bool, _user_data) -> bool:
        # An exception cannot pass through C: it is kept, and the rest of the run is let through.
        try:
            name = ggml().ggml_get_name(tensor).decode()
            if asking:
                return want(name)
            keep(name, tensor)
        except BaseException as problem:
            problems.append(problem)
        return not asking

    context = Context(
        model,
        context=max(len(token_ids), 8),
        threads=1,
        kv_type=KV_TYPE,
        flash_attention=False,
        on_tensor=on_tensor,
    )
    batch = Batch(len(token_ids))
    try:
        for position, token in enumerate(token_ids):
            # Logits for all, because a row without logits is dropped before the last layer.
            batch.add(token, position, logits=True)
        context.decode(batch)
    finally:
        batch.close()
        context.close()
    if problems:
        raise problems[0]


def _read_tensor(name: str, tensor: int) -> np.ndarray:
    """Copy a tensor's values out of llama.cpp, its dimensions in numpy's order."""
    head = _TensorHead.from_address(tensor)
    if head.type not in _ELEMENT_TYPES:
        raise NotSupportedError(
            f"The values of {name} are stored in a packed format.",
            "Ask for a result of the computation, not for a weight.",
        )
    data = np.empty(ggml().ggml_nbytes(tensor), np.uint8)
    ggml().ggml_backend_tensor_get(tensor, data.ctypes.data, 0, data.nbytes)
    # Some results are views with gaps between their rows, so the strides have to be kept.
    values = np.lib.stride_tricks.as_strided(
        data.view(_ELEMENT_TYPES[head.type]), tuple(head.sizes)[::-1], tuple(head.strides)[::-1]
    ).copy()
    while values.ndim > 1 and values.shape[0] == 1:
        values = values[0]
    return values
