"""Is there a graphics card that llama.cpp can use here, and how much memory has it left?

llama.cpp reaches a card only where llama-cpp-python was built for it (Metal, CUDA, Vulkan); its own
list of devices says so, and is asked here.  On a machine without such a build there is no card, as
far as the course is concerned.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

# ggml-backend.h, enum ggml_backend_dev_type.
_CARD, _SHARED_CARD = 1, 2

PUBLISHED_BANDWIDTH = {
    "RTX 3060": 360e9,
    "RTX 3090": 936e9,
    "RTX 4060": 272e9,
    "RTX 4070": 504e9,
    "RTX 4090": 1008e9,
    "RTX 5090": 1792e9,
}
"""Bytes per second of memory. Read at cputronic.com (RTX 3060 and 4070, compared), guru3d.com (4060
and 4090, in "Rumored NVIDIA RTX 5090 specs"), hardwarepedia.com/learn/memory-bandwidth (5090) and
baem1n.dev (3090, in "llm-bench")."""

ASSUMED_BANDWIDTH = 250e9
"""For a card that is not listed: about that of the slower ones with 8 GB, as the smaller RTX 3060
(240 GB/s) and the RTX 4060 for laptops (256), compared at fpsbench.com."""


@dataclass(frozen=True)
class GraphicsCard:
    """A graphics card: its free memory in bytes, and how fast it reads it, in bytes per second.

    ``shares_memory``: its memory is the machine's own, as with Apple's processors; then
    ``free_memory_bytes`` is how much of it the card may use.
    """

    name: str
    free_memory_bytes: int
    bandwidth_bytes_per_second: float
    shares_memory: bool = False


def graphics_card(memory_bandwidth: float = ASSUMED_BANDWIDTH) -> GraphicsCard | None:
    """The card with the most free memory that llama.cpp can use here; None if there is none.

    ``memory_bandwidth``: that of main memory, which a card that shares it has as well.
    """
    try:
        import llama_cpp.llama_cpp as C
    except (ImportError, OSError, RuntimeError):
        return None  # llama.cpp is missing or does not load; the self-test says so

    if not C.llama_supports_gpu_offload():
        return None
    C.llama_backend_init()
    return max(
        _cards(_ggml(Path(C.__file__).parent / "lib"), memory_bandwidth),
        key=lambda card: card.free_memory_bytes,
        default=None,
    )


def _cards(ggml: SimpleNamespace, memory_bandwidth: float) -> Iterator[GraphicsCard]:
    for place in range(ggml.ggml_backend_dev_count()):
        device = ggml.ggml_backend_dev_get(place)
        kind = ggml.ggml_backend_dev_type(device)
        if kind not in (_CARD, _SHARED_CARD):
            continue
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        ggml.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
        name = ggml.ggml_backend_dev_description(device).decode("utf-8", errors="replace")
        shares = kind == _SHARED_CARD or name.startswith("Apple")
        listed = (speed for known, speed in PUBLISHED_BANDWIDTH.items() if known in name)
        speed = memory_bandwidth if shares else next(listed, ASSUMED_BANDWIDTH)
        yield GraphicsCard(name, free.value, speed, shares)


# The functions of ggml that tell of devices: what they return, and what they take.
_SIZE = ctypes.POINTER(ctypes.c_size_t)
_SIGNATURES = {
    "ggml_backend_dev_count": (ctypes.c_size_t, []),
    "ggml_backend_dev_get": (ctypes.c_void_p, [ctypes.c_size_t]),
    "ggml_backend_dev_type": (ctypes.c_int, [ctypes.c_void_p]),
    "ggml_backend_dev_memory": (None, [ctypes.c_void_p, _SIZE, _SIZE]),
    "ggml_backend_dev_description": (ctypes.c_char_p, [ctypes.c_void_p]),
}


def _ggml(folder: Path) -> SimpleNamespace:
    """These functions; they lie in one library or another, depending on the build."""
    # Windows names them ggml.dll, the others libggml.so and libggml.dylib.
    libraries = [
        ctypes.CDLL(str(path))
        for stem in ("ggml", "ggml-base")
        for path in sorted(folder.glob(f"*{stem}.*"))
        if path.suffix in (".so", ".dylib", ".dll")
    ]
    found = {}
    for name, (result, arguments) in _SIGNATURES.items():
        function = next(getattr(each, name) for each in libraries if hasattr(each, name))
        function.restype, function.argtypes = result, arguments
        found[name] = function
    return SimpleNamespace(**found)
