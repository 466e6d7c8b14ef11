"""A GGUF file taken apart into its entries, to change one of them and put all together again.

Unlike the gguf package's writer it writes whatever it is told, however wrong.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path

from gguf.constants import GGUFValueType

from course_utils.model_files.gguf_header import read_header
from course_utils.model_files.tensor_types import STORAGES

_FORMS = {
    "UINT8": "B",
    "INT8": "b",
    "UINT16": "H",
    "INT16": "h",
    "UINT32": "I",
    "INT32": "i",
    "FLOAT32": "f",
    "BOOL": "B",
    "UINT64": "Q",
    "INT64": "q",
    "FLOAT64": "d",
}
_BITS = {"B": 8, "b": 8, "H": 16, "h": 16, "I": 32, "i": 32, "Q": 64, "q": 64}
_KIND_OF_STORAGE = {storage.name: kind for kind, storage in STORAGES.items()}


@dataclass
class TensorEntry:
    """One line of the list of tensors: shape as the file has it, the fastest dimension first."""

    name: bytes
    shape: list[int]
    kind: int
    offset: int

    def encoded(self) -> bytes:
        dimensions = struct.pack(f"<I{len(self.shape)}Q", len(self.shape), *self.shape)
        return string(self.name) + dimensions + struct.pack("<IQ", self.kind, self.offset)


@dataclass
class GgufFile:
    """All entries. ``keys``: (type, value) by name; those that are not changed stay encoded."""

    keys: dict[str, tuple[str, object]]
    tensors: list[TensorEntry]
    weights: bytes
    alignment: int = 32
    _encoded: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> GgufFile:
        header = read_header(path)
        data = path.read_bytes()
        start = min((tensor.offset for tensor in header.tensors), default=len(data))
        tensors = [
            TensorEntry(
                tensor.name.encode(),
                list(tensor.shape[::-1]),
                _KIND_OF_STORAGE[tensor.type],
                tensor.offset - start,
            )
            for tensor in header.tensors
        ]
        keys = {key: (header.types[key], value) for key, value in header.metadata.items()}
        return cls(keys, tensors, data[start:], header.alignment)

    def copy(self) -> GgufFile:
        """A copy to change: put new values into ``keys``, do not change those that are there."""
        tensors = [TensorEntry(t.name, list(t.shape), t.kind, t.offset) for t in self.tensors]
        # Both know the same encodings; ``set`` forgets those of the copy alone.
        self._encode_all()
        return GgufFile(dict(self.keys), tensors, self.weights, self.alignment, dict(self._encoded))

    def set(self, key: str, kind: str, value: object) -> None:
        self.keys[key] = (kind, value)
        self._encoded.pop(key, None)

    def remove(self, key: str) -> None:
        del self.keys[key]
        self._encoded.pop(key, None)

    def encoded(self) -> bytes:
        self._encode_all()
        head = struct.pack("<4sIQQ", b"GGUF", 3, len(self.tensors), len(self.keys))
        head += b"".join(self._encoded[key] for key in self.keys)
        head += b"".join(tensor.encoded() for tensor in self.tensors)
        return head + bytes(-len(head) % self.alignment) + self.weights

    def _encode_all(self) -> None:
        for key, (kind, value) in self.keys.items():
            if key not in self._encoded:
                self._encoded[key] = string(key) + encode(kind, value)


def string(text: str | bytes) -> bytes:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    return struct.pack("<Q", len(data)) + data


def encode(kind: str, value: object) -> bytes:
    """A typed value: ``kind`` is "UINT32" or "ARRAY[STRING]", as ``GgufHeader.types`` has it."""
    if kind.startswith("ARRAY["):
        item = kind[6:-1]
        body = (
            b"".join(map(string, value))
            if item == "STRING"
            else struct.pack(
                f"<{len(value)}{_FORMS[item]}", *(_fit(_FORMS[item], number) for number in value)
            )
        )
        head = struct.pack("<IIQ", GGUFValueType.ARRAY, GGUFValueType[item], len(value))
        return head + body
    head = struct.pack("<I", GGUFValueType[kind])
    if kind == "STRING":
        return head + string(value)
    return head + struct.pack(f"<{_FORMS[kind]}", _fit(_FORMS[kind], value))


def _fit(form: str, number) -> int | float:
    """The number, wrapped around to what the type can hold."""
    if form == "d":
        return float(number)
    if form == "f":
        return float(number) if abs(number) < 3e38 else math.copysign(math.inf, number)
    bits = _BITS[form]
    number = int(number) % 2**bits
    return number - 2**bits if form.islower() and number >= 2 ** (bits - 1) else number
