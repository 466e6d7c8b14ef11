"""Damaged model files, made from sound ones; and a process that tries to open them all.

``corruptions`` makes files that cannot be right: each must be refused.  ``scratches`` changes
single bytes, which may also leave a sound file, say with another word in its vocabulary: each must
be refused or run.  Neither may end the process, so they are tried in one of their own:

    python -m tests.corrupt_models corruptions COUNT SEED MODEL...

prints one line of JSON per file, first what is tried and then how it ended.
"""

from __future__ import annotations

import json
import random
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf

ABSURD_COUNTS = (2**16 + 1, 2**24 + 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
ABSURD_FLOATS = (0.0, -1.0, 1e30, float("inf"), float("nan"))

# Settings that the tensors' shapes follow from, or that have to agree with one another.
STRUCTURAL = (
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "expert_count",
    "expert_used_count",
    "expert_feed_forward_length",
)
ESSENTIAL = (
    "general.architecture",
    "tokenizer.ggml.model",
    "tokenizer.ggml.tokens",
    "tokenizer.ggml.merges",
)


@dataclass(frozen=True)
class Span:
    """Some bytes of a file."""

    start: int
    bytes: int

    def read(self, data: bytes) -> bytes:
        return data[self.start : self.start + self.bytes]


class Layout:
    """Where everything lies in a sound model file, as the gguf package's reader sees it."""

    def __init__(self, path: Path):
        reader = gguf.GGUFReader(path)
        self.data = path.read_bytes()
        self.family = reader.fields["general.architecture"].contents()
        self.keys: dict[str, list[Span]] = {}
        for name, field in reader.fields.items():
            if not name.startswith("GGUF."):  # the reader's names for version and counts
                self.keys[name] = _spans(field)
        self.tensors = {tensor.name: _spans(tensor.field) for tensor in reader.tensors}
        self.types = {tensor.name: tensor.tensor_type for tensor in reader.tensors}
        self.weights = Span(reader.data_offset, len(self.data) - reader.data_offset)

    def structural_keys(self) -> list[str]:
        names = [f"{self.family}.{name}" for name in STRUCTURAL]
        if self.family.endswith("moe"):
            names.remove(f"{self.family}.feed_forward_length")  # where every layer has experts
        return [name for name in names if name in self.keys]

    def with_bytes(self, span: Span, new: bytes) -> bytes:
        return self.data[: span.start] + new + self.data[span.start + span.bytes :]

    def with_number(self, span: Span, number: int) -> bytes:
        return self.with_bytes(
            span, (number % 2 ** (8 * span.bytes)).to_bytes(span.bytes, "little")
        )


def _spans(field: gguf.ReaderField) -> list[Span]:
    spans, position = [], field.offset
    for part in field.parts:
        spans.append(Span(position, part.nbytes))
        position += part.nbytes
    return spans


# ---- one kind of damage each -----------------------------------------------------------------


def cut_off(layout: Layout, draw: random.Random) -> bytes:
    # The last tensor is followed by padding, which nobody would miss.
    return layout.data[: draw.randrange(len(layout.data) - 64)]


def flipped_magic(layout: Layout, draw: random.Random) -> bytes:
    return layout.with_bytes(Span(draw.randrange(4), 1), bytes([draw.randrange(32)]))


def impossible_version(layout: Layout, draw: random.Random) -> bytes:
    return layout.with_number(Span(4, 4), draw.choice((0, 1, 4, 255, 3 << 24, 2**32 - 1)))


def absurd_count_of_tensors_or_keys(layout: Layout, draw: random.Random) -> bytes:
    span = draw.choice((Span(8, 8), Span(16, 8)))
    sound = int.from_bytes(span.read(layout.data), "little")
    return layout.with_number(span, draw.choice((0, sound - 1, sound + 1, *ABSURD_COUNTS)))


def absurd_length_of_list(layout: Layout, draw: random.Random) -> bytes:
    name = draw.choice(("tokens", "merges", "token_type"))
    span = layout.keys[f"tokenizer.ggml.{name}"][4]  # after the key, its type and the items' type
    sound = int.from_bytes(span.read(layout.data), "little")
    return layout.with_number(span, draw.choice((0, sound - 1, sound + 1, *ABSURD_COUNTS)))


def absurd_length_of_name(layout: Layout, draw: random.Random) -> bytes:
    names = [*layout.keys.values(), *layout.tensors.values()]
    return layout.with_number(draw.choice(names)[0], draw.choice((0, *ABSURD_COUNTS)))


def flipped_length_of_token(layout: Layout, draw: random.Random) -> bytes:
    lengths = layout.keys["tokenizer.ggml.tokens"][5::2]
    span = draw.choice(lengths)
    sound = int.from_bytes(span.read(layout.data), "little")
    return layout.with_number(span, sound ^ 1 << draw.randrange(64))


def unknown_type_of_value(layout: Layout, draw: random.Random) -> bytes:
    return layout.with_number(draw.choice(list(layout.keys.values()))[2], draw.randrange(13, 2**32))


def swapped_type_of_value(layout: Layout, draw: random.Random) -> bytes:
    span = layout.keys[draw.choice(layout.structural_keys())][2]
    sound = int.from_bytes(span.read(layout.data), "little")
    return layout.with_number(span, draw.choice([kind for kind in range(13) if kind != sound]))


def impossible_setting(layout: Layout, draw: random.Random) -> bytes:
    span = layout.keys[draw.choice(layout.structural_keys())][-1]
    return layout.with_number(span, draw.choice((0, 2**30, 2**31, 2**32 - 1)))


def impossible_fraction(layout: Layout, draw: random.Random) -> bytes:
    name = draw.choice(("attention.layer_norm_rms_epsilon", "rope.freq_base"))
    number = struct.pack("<f", draw.choice(ABSURD_FLOATS))
    return layout.with_bytes(layout.keys[f"{layout.family}.{name}"][-1], number)


def swapped_type_of_tensor(layout: Layout, draw: random.Random) -> bytes:
    name = draw.choice(list(layout.tensors))
    sound = layout.types[name]
    # Two types that take the same space are told apart by nothing but this number.
    space = gguf.GGML_QUANT_SIZES
    others = [
        int(kind)
        for kind in gguf.GGMLQuantizationType
        if space[kind][0] * space[sound][1] != space[kind][1] * space[sound][0]
    ]
    return layout.with_number(layout.tensors[name][-2], draw.choice([*others, 4, 31, 99, 2**31]))


def impossible_shape(layout: Layout, draw: random.Random) -> bytes:
    *_, dimensions, _kind, _offset = draw.choice(list(layout.tensors.values()))
    span = Span(dimensions.start + 8 * draw.randrange(dimensions.bytes // 8), 8)
    sound = int.from_bytes(span.read(layout.data), "little")
    return layout.with_number(
        span, draw.choice((0, sound - 1, sound + 1, 2 * sound, *ABSURD_COUNTS))
    )


def wrong_number_of_dimensions(layout: Layout, draw: random.Random) -> bytes:
    span = draw.choice(list(layout.tensors.values()))[2]
    sound = int.from_bytes(span.read(layout.data), "little")
    return layout.with_number(span, draw.choice((0, sound + 1, 5, 2**31, 2**32 - 1)))


def moved_tensor(layout: Layout, draw: random.Random) -> bytes:
    span = draw.choice(list(layout.tensors.values()))[-1]
    sound = int.from_bytes(span.read(layout.data), "little")
    return layout.with_number(span, sound + draw.choice((1, 32, -32, 2**20, 2**40, 2**62)))


def renamed_tensor(layout: Layout, draw: random.Random) -> bytes:
    name = draw.choice(list(layout.tensors))
    return layout.with_bytes(layout.tensors[name][1], b"x" * len(name))


def lost_key(layout: Layout, draw: random.Random) -> bytes:
    wanted = [n for n in layout.structural_keys() if "key_length" not in n and "_kv" not in n]
    wanted = [n for n in wanted if "value_length" not in n]
    name = draw.choice([*wanted, *ESSENTIAL])
    return layout.with_bytes(layout.keys[name][1], b"x" * len(name))


def unknown_architecture(layout: Layout, draw: random.Random) -> bytes:
    span = layout.keys["general.architecture"][-1]
    letters = bytearray(span.read(layout.data))
    letters[draw.randrange(len(letters))] = draw.choice(b"#QZ09\x00\xff")
    return layout.with_bytes(span, bytes(letters))


def token_that_does_not_exist(layout: Layout, draw: random.Random) -> bytes:
    name = draw.choice(("bos", "eos"))
    span = layout.keys[f"tokenizer.ggml.{name}_token_id"][-1]
    return layout.with_number(span, draw.choice((10**6, 2**31, 2**32 - 2)))


def two_equal_tokens(layout: Layout, draw: random.Random) -> bytes:
    texts = layout.keys["tokenizer.ggml.tokens"][6::2]
    span = draw.choice(texts)
    same_length = [text for text in texts if text.bytes == span.bytes and text != span]
    return (
        layout.with_bytes(span, draw.choice(same_length).read(layout.data))
        if same_length
        else two_equal_tokens(layout, draw)
    )


def token_that_is_not_text(layout: Layout, draw: random.Random) -> bytes:
    span = draw.choice(layout.keys["tokenizer.ggml.tokens"][6::2])
    return layout.with_bytes(span, b"\xff" * span.bytes)


def unknown_kind_of_token(layout: Layout, draw: random.Random) -> bytes:
    span = draw.choice(layout.keys["tokenizer.ggml.token_type"][5:])
    return layout.with_number(span, draw.choice((7, 99, 2**31, 2**32 - 1)))


def lost_bytes(layout: Layout, draw: random.Random) -> bytes:
    start = draw.choice(list(layout.tensors.values()))[1].start
    return layout.with_bytes(Span(start, draw.randrange(1, 9)), b"")


def run_of_zeros(layout: Layout, draw: random.Random) -> bytes:
    first = min(spans[0].start for spans in layout.tensors.values())
    start = draw.randrange(first, max(spans[0].start for spans in layout.tensors.values()))
    return layout.with_bytes(Span(start, 64), bytes(64))


KINDS: tuple[Callable[[Layout, random.Random], bytes], ...] = (
    cut_off,
    flipped_magic,
    impossible_version,
    absurd_count_of_tensors_or_keys,
    absurd_length_of_list,
    absurd_length_of_name,
    flipped_length_of_token,
    unknown_type_of_value,
    swapped_type_of_value,
    impossible_setting,
    impossible_fraction,
    swapped_type_of_tensor,
    impossible_shape,
    wrong_number_of_dimensions,
    moved_tensor,
    renamed_tensor,
    lost_key,
    unknown_architecture,
    token_that_does_not_exist,
    two_equal_tokens,
    token_that_is_not_text,
    unknown_kind_of_token,
    lost_bytes,
    run_of_zeros,
)


def corruptions(layouts: list[Layout], count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """``count`` files that cannot be right, every kind of damage in turn."""
    draw = random.Random(seed)
    for number in range(count):
        kind, layout = KINDS[number % len(KINDS)], draw.choice(layouts)
        yield f"{kind.__name__} ({layout.family}, number {number})", kind(layout, draw)


def scratches(layouts: list[Layout], count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """``count`` files with a few changed bytes, half of them in the header, half in the weights."""
    draw = random.Random(seed)
    for number in range(count):
        layout = draw.choice(layouts)
        data = bytearray(layout.data)
        header = number % 2 == 0
        changes = 1 if header else draw.choice((1, 100, 10_000))
        for _ in range(changes):
            end = layout.weights.start if header else len(data)
            data[draw.randrange(0 if header else layout.weights.start, end)] ^= draw.randrange(
                1, 256
            )
        yield f"{'header' if header else 'weights'} ({layout.family}, number {number})", bytes(data)


def try_all(files: Iterator[tuple[str, bytes]], sound: Path) -> None:
    """Open every file and let it reply; print how it ended, and at last try a sound one."""
    from course_utils.engines import PLAIN
    from course_utils.engines.local import LocalEngine, LocalOptions
    from course_utils.errors import CourseError

    def report(**what) -> None:
        print(json.dumps(what), flush=True)

    def run(path: Path) -> str:
        with LocalEngine(path, options=LocalOptions(context=256)) as engine:
            return engine.chat("1 + 1?", PLAIN.but(seed=0, max_tokens=3)).finish().stop_reason

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        for name, data in files:
            path.write_bytes(data)
            report(trying=name)
            try:
                run(path)
            except CourseError as error:
                report(error=type(error).__name__, problem=error.problem, remedy=error.remedy)
            except Exception as error:
                report(bug=f"{type(error).__name__}: {error}")
            else:
                report(ran=True)
    report(trying="a sound file")
    run(sound)
    report(ran=True)


if __name__ == "__main__":
    kind, count, seed, *paths = sys.argv[1:]
    models = [Path(path) for path in paths]
    make = {"corruptions": corruptions, "scratches": scratches}[kind]
    try_all(make([Layout(model) for model in models], int(count), int(seed)), models[0])
