"""Changed headers of real and tiny models: no file that our check lets pass ends llama.cpp.

Each input is a sound file in which one to three entries are changed with their structure in view:
a setting takes another plausible or absurd value, a list loses an entry, a tensor its shape.  The
check must answer with a CourseError or let the file pass; those that pass are opened and run by
llama.cpp.  All of it happens in another process, which must live.
"""

from __future__ import annotations

import collections
import json
import math
import os
import queue
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import gguf

from course_utils.paths import nano_folder, repository_root
from tests.fuzz.gguf_files import GgufFile, TensorEntry
from tests.llama_cpp_corpus import OutOfReach, models_folder
from tests.tiny_models import mamba_model, tiny_model

SECONDS_PER_FILE = 120

# Of the time for all modules: two thousand files should pass the check in ten minutes.
SHARE = 3

NUMBERS = (0, 1, 2, 3, 4, 7, 8, 31, 32, 33, 64, 96, 128, 255, 256, 512, 513, 1024, 4096, 10**6)
ABSURD = (2**16, 2**24 + 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63, 2**64 - 1, -1)
FLOATS = (0.0, 1e-12, 1e-6, 1e-5, 0.5, 1.0, 2.0, 1e4, 1e6, -1.0, 1e30, math.inf, math.nan)
TEXTS = ("", "qwen2", "qwen3", "qwen3moe", "llama", "deepseek2", "gpt2", "default", "llama-bpe")
TEXTS += ("tekken", "qwen35", "deepseek-llm", "yarn", "linear", "longrope", "none", "model", "\x00")
# Settings that files may lack, and that llama.cpp computes with where they are.
OPTIONAL = (
    *("attention.head_count_kv", "attention.key_length", "attention.value_length"),
    *("attention.sliding_window", "rope.dimension_count", "vocab_size", "expert_count"),
    *("expert_used_count", "expert_shared_count", "expert_feed_forward_length"),
    *("expert_group_count", "expert_group_used_count", "expert_gating_func"),
    *("leading_dense_block_count", "nextn_predict_layers", "attention.key_length_mla"),
    *("expert_shared_feed_forward_length", "rope.scaling.original_context_length"),
    *("attention.q_lora_rank", "attention.kv_lora_rank", "embedding_length_out", "pooling_type"),
    *("attention.indexer.head_count", "attention.group_norm_groups", "ssm.conv_kernel"),
)
OPTIONAL_FRACTIONS = (
    *("rope.scaling.factor", "rope.scaling.attn_factor", "rope.scaling.yarn_log_multiplier"),
    *("expert_weights_scale", "attention.clamp_kqv", "attention.max_alibi_bias", "logit_scale"),
    *("attention.scale", "residual_scale", "embedding_scale", "rope.scale_linear"),
    *("final_logit_softcapping", "attn_logit_softcapping", "rope.scaling.yarn_ext_factor"),
)
OPTIONAL_FLAGS = (
    *("attention.causal", "expert_weights_norm", "use_parallel_residual"),
    *("rope.scaling.finetuned", "interleave_moe_layer_step"),
)
TOKENIZER = ("bos", "eos", "eot", "eom", "unknown", "seperator", "padding", "mask", "fim_pre")
TOKENIZER_FLAGS = ("add_bos_token", "add_eos_token", "add_sep_token", "add_space_prefix")


# ---- one change each -------------------------------------------------------------------------


def another_value(file: GgufFile, draw: random.Random) -> str:
    key = draw.choice([key for key, (kind, _) in file.keys.items() if "ARRAY" not in kind])
    kind, value = file.keys[key]
    new = _plausible(kind, value, draw)
    file.set(key, kind, new)
    return f"{key} = {new!r}"


def another_type(file: GgufFile, draw: random.Random) -> str:
    key = draw.choice([key for key, (kind, _) in file.keys.items() if kind in _SCALARS])
    kind = draw.choice(_SCALARS)
    value = file.keys[key][1]
    file.set(key, kind, value if math.isfinite(value) else 0)
    return f"{key} is of type {kind}"


def lost_key(file: GgufFile, draw: random.Random) -> str:
    key = draw.choice(list(file.keys))
    file.remove(key)
    return f"without {key}"


def added_setting(file: GgufFile, draw: random.Random) -> str:
    family = file.keys.get("general.architecture", ("", "qwen2"))[1]
    names, kind = draw.choice(
        ((OPTIONAL, "UINT32"), (OPTIONAL_FRACTIONS, "FLOAT32"), (OPTIONAL_FLAGS, "BOOL"))
    )
    key = f"{family}.{draw.choice(names)}"
    value = _plausible(kind, 0, draw)
    file.set(key, kind, value)
    return f"{key} = {value!r}"


def one_value_per_layer(file: GgufFile, draw: random.Random) -> str:
    key = draw.choice([key for key, (kind, _) in file.keys.items() if kind == "UINT32"])
    value = file.keys[key][1]
    values = [value] * draw.choice((0, 1, 2, 3, 4))
    if values and draw.random() < 0.5:
        values[draw.randrange(len(values))] = draw.choice(NUMBERS)
    file.set(key, f"ARRAY[{draw.choice(('UINT32', 'INT32', 'BOOL'))}]", values)
    return f"{key} = {values}"


def another_special_token(file: GgufFile, draw: random.Random) -> str:
    if draw.random() < 0.3:
        key, kind = f"tokenizer.ggml.{draw.choice(TOKENIZER_FLAGS)}", "BOOL"
        value = draw.randrange(2)
    else:
        key, kind = f"tokenizer.ggml.{draw.choice(TOKENIZER)}_token_id", "UINT32"
        size = len(file.keys.get("tokenizer.ggml.tokens", ("", [0]))[1])
        value = draw.choice((draw.randrange(max(1, size)), size, 2**32 - 1, 0))
    file.set(key, kind, value)
    return f"{key} = {value}"


def another_list(file: GgufFile, draw: random.Random) -> str:
    lists = [key for key, (kind, values) in file.keys.items() if "ARRAY" in kind and values]
    if not lists:
        return another_value(file, draw)
    key = draw.choice(lists)
    kind, values = file.keys[key]
    values = list(values)
    place = draw.randrange(len(values))
    how = draw.choice(("change", "change", "change", "swap", "lose", "double", "cut", "type"))
    if how == "change":
        values[place] = _plausible(kind[6:-1], values[place], draw)
    elif how == "swap":
        other = draw.randrange(len(values))
        values[place], values[other] = values[other], values[place]
    elif how == "lose":
        del values[place]
    elif how == "double":
        values.insert(place, values[draw.randrange(len(values))])
    elif how == "cut":
        del values[draw.choice((0, place)) :]
    elif kind != "ARRAY[STRING]":
        kind = f"ARRAY[{draw.choice(('UINT32', 'INT32', 'INT8', 'UINT64'))}]"
        values = [int(v) if math.isfinite(v) else 0 for v in values]
    file.set(key, kind, values)
    return f"{key}: {how} at {place}"


def another_tensor(file: GgufFile, draw: random.Random) -> str:
    if not file.tensors:
        return another_value(file, draw)
    tensor = draw.choice(file.tensors)
    name = tensor.name.decode(errors="replace")
    how = draw.choice(("kind", "shape", "turn", "name", "offset", "lose", "double", "dimensions"))
    if how == "kind":
        tensor.kind = draw.choice((0, 1, 2, 3, 8, 12, 14, 24, 26, 28, 30, 31, 36, 42, 97, 2**31))
    elif how == "shape":
        place = draw.randrange(len(tensor.shape))
        sound = tensor.shape[place]
        tensor.shape[place] = draw.choice((0, 1, sound + 1, sound - 1, 2 * sound, 2**62, 2**64 - 1))
    elif how == "turn":
        tensor.shape.reverse()
    elif how == "name":
        other = draw.choice(file.tensors)
        tensor.name, other.name = other.name, tensor.name
    elif how == "offset":
        tensor.offset = (tensor.offset + draw.choice((1, 32, -32, 2**40))) % 2**64
    elif how == "lose":
        file.tensors.remove(tensor)
    elif how == "double":
        file.tensors.append(TensorEntry(tensor.name, tensor.shape, tensor.kind, tensor.offset))
    else:
        tensor.shape = tensor.shape[:1] if draw.random() < 0.5 else [*tensor.shape, 1]
    return f"tensor {name}: {how}"


CHANGES = (
    *(another_value,) * 3,
    *(added_setting,) * 3,
    *(another_special_token,) * 2,
    *(another_list,) * 4,
    *(another_type, lost_key, one_value_per_layer, another_tensor),
)
_SCALARS = ("UINT8", "INT8", "UINT16", "INT16", "UINT32", "INT32", "FLOAT32", "BOOL", "UINT64")


def _plausible(kind: str, value: object, draw: random.Random) -> object:
    if kind == "STRING":
        text = str(value)
        place = draw.randrange(len(text) + 1)
        changed = (
            text[:place] + draw.choice((" ", "x", "", "<0x41>", "Ġ", "\udcff", "▁")) + text[place:]
        )
        return draw.choice((changed, changed, text[:place], *draw.sample(TEXTS, 2)))
    if kind.startswith("FLOAT"):
        return draw.choice((*FLOATS, 2 * value))
    if kind == "BOOL":
        return draw.randrange(2)
    near = (value + 1, max(0, value - 1), 2 * value, value // 2)
    return draw.choice((*near, draw.choice(NUMBERS), draw.choice(NUMBERS), draw.choice(ABSURD)))


# ---- sound files to change -------------------------------------------------------------------


@dataclass(frozen=True)
class Sound:
    """A sound file, read when it is first chosen; ``megabytes`` says about what it costs."""

    megabytes: float
    read: Callable[[], GgufFile]


def sound_files(folder: Path) -> list[Sound]:
    """Tiny models, shipped ones, and every vocabulary of llama.cpp with a tiny body."""
    paths = [
        tiny_model(folder / f"{family}.gguf", family)
        for family in ("qwen2", "qwen3", "qwen2moe", "qwen3moe", "llama")
    ]
    paths += [nano_folder() / f"{name}.gguf" for name in ("thinker", "moe")]
    files = [Sound(_megabytes(path), cache(partial(GgufFile.read, path))) for path in paths]
    # Of a family that the course does not know: each that passes is tried out for a second first.
    files += [Sound(3, cache(partial(GgufFile.read, mamba_model(folder / "mamba.gguf"))))]
    try:
        vocabularies = sorted(models_folder().glob("ggml-vocab-*.gguf"))
    except OutOfReach as reason:
        print(f"without the vocabularies: {reason}")
        vocabularies = []
    return files + [
        Sound(2 * _megabytes(path), cache(lambda path=path: with_body(GgufFile.read(path))))
        for path in vocabularies
    ]


def with_body(vocabulary: GgufFile, hidden: int = 32) -> GgufFile:
    """A model of one small layer, all of its weights zero, with this vocabulary."""
    family = "qwen2" if "qwen" in str(vocabulary.keys.get("tokenizer.ggml.pre")) else "llama"
    rows = len(vocabulary.keys["tokenizer.ggml.tokens"][1])
    keys = {"general.architecture": ("STRING", family)}
    for name in ("embedding_length", "feed_forward_length"):
        keys[f"{family}.{name}"] = ("UINT32", hidden)
    keys |= {
        f"{family}.context_length": ("UINT32", 512),
        f"{family}.block_count": ("UINT32", 1),
        f"{family}.attention.head_count": ("UINT32", 2),
        f"{family}.attention.layer_norm_rms_epsilon": ("FLOAT32", 1e-5),
    }
    keys |= {key: value for key, value in vocabulary.keys.items() if key.startswith("tokenizer.")}
    matrices = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    shapes = {"token_embd.weight": [hidden, rows], "output_norm.weight": [hidden]}
    shapes |= {f"blk.0.{name}.weight": [hidden, hidden] for name in matrices}
    shapes |= {f"blk.0.{name}.weight": [hidden] for name in ("attn_norm", "ffn_norm")}
    if family == "qwen2":
        shapes |= {f"blk.0.attn_{name}.bias": [hidden] for name in "qkv"}
    tensors, offset = [], 0
    for name, shape in shapes.items():
        kind = gguf.GGMLQuantizationType.Q4_0 if len(shape) > 1 else gguf.GGMLQuantizationType.F32
        block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        tensors.append(TensorEntry(name.encode(), shape, int(kind), offset))
        size = math.prod(shape) // block * block_bytes
        offset += size + -size % 32
    return GgufFile(keys, tensors, bytes(offset))


def choose(files: list[Sound], draw: random.Random) -> GgufFile:
    """One of the files, the large ones seldom, since each costs as much as many small ones."""
    weights = [1 / (0.3 + file.megabytes) ** 2 for file in files]
    return draw.choices(files, weights)[0].read()


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6


# ---- running ---------------------------------------------------------------------------------


class Runner:
    """The process that opens files; started again when it has ended."""

    def __init__(self):
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_exception) -> None:
        self._end()

    def run(self, path: Path) -> dict[str, str]:
        """How a file ended.

        outcome "refused" (by our check), "refused by llama.cpp" or "ran"; "bug", "died" or "hangs".
        """
        if self._process is None:
            self._start()
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        line = self._line()
        if line is None:
            return {"outcome": "hangs", "why": f"after {SECONDS_PER_FILE} s", **self._end()}
        if not line:
            code = self._process.wait()
            return {"outcome": "died", "why": f"exit code {code}: ", **self._end()}
        return json.loads(line)

    def _start(self) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.gguf_runner"],
            cwd=repository_root(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._pass_on, args=(self._process,), daemon=True).start()
        assert self._line(), "the process that opens models does not start"

    def _pass_on(self, process: subprocess.Popen) -> None:
        for line in process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _line(self) -> str | None:
        try:
            return self._lines.get(timeout=SECONDS_PER_FILE)
        except queue.Empty:
            return None

    def _end(self) -> dict[str, str]:
        if self._process is None:
            return {}
        self._process.kill()
        self._process.wait()
        self._process = None
        with self._errors:
            self._errors.seek(0)
            return {"log": self._errors.read()[:2000]}


def changed(files: list[Sound], seed: int, number: int) -> tuple[str, GgufFile]:
    """Input ``number`` of a seed: what is changed, and the file."""
    draw = random.Random(f"{seed} {number}")
    file = choose(files, draw).copy()
    family = file.keys.get("general.architecture", ("", "?"))[1]
    split = file.keys.get("tokenizer.ggml.pre", ("", "?"))[1]
    told = [draw.choice(CHANGES)(file, draw) for _ in range(draw.choice((1, 1, 1, 2, 3)))]
    return f"{family}/{split}: {'; '.join(told)}", file


def fuzz(
    seed: int, seconds: float, *, most: int | None = None, findings: list[str] | None = None
) -> dict[str, int]:
    """Try changed headers for so long, or so many; count how they ended.

    Raises AssertionError, naming seed and input, at the first that ends a process or raises
    anything but a CourseError; with ``findings``, adds them to that list and goes on.
    """
    counts: collections.Counter[str] = collections.Counter()
    deadline = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder, Runner() as runner:
        files = sound_files(Path(folder))
        path = Path(folder) / "changed.gguf"
        while time.monotonic() < deadline and (most is None or counts["tried"] < most):
            number = counts["tried"]
            counts["tried"] += 1
            told, file = changed(files, seed, number)
            path.write_bytes(file.encoded())
            outcome = runner.run(path)
            if outcome["outcome"] in ("bug", "died", "hangs"):
                finding = f"seed {seed}, input {number} ({told}): {outcome}"
                assert findings is not None, finding
                findings.append(finding)
                print(finding, flush=True)
            counts[outcome["outcome"]] += 1
    return dict(counts)


if __name__ == "__main__":
    # All findings of so many inputs: python -m tests.fuzz.headers SEED COUNT
    found: list[str] = []
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(fuzz(int(sys.argv[1]), math.inf, most=int(sys.argv[2]), findings=found))
    sys.exit(bool(found))
