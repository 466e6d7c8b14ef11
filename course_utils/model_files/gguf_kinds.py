"""Kinds of GGUF files: a whole language model, one part of one, or something that belongs to one.

Many GGUF files are no models: adapters, projectors for pictures, importance matrices, vocabularies.
A large model may be split into several files, which llama.cpp opens by the first.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from course_utils.errors import ModelFileError
from course_utils.model_files.gguf_header import EXPORT_AGAIN, GgufHeader, damaged, read_header

_OWN_FILE = "Take the file of the model itself, usually the largest in the same repository."
_OTHER_MODEL = "Choose a model that generates text, such as those in models/catalogue.toml."

# What a file holds instead of a model: its general.type or architecture, in words, and what to do.
_KINDS = {
    "adapter": (
        "a LoRA adapter: changes to another model, {base}",
        "Take that model; or merge the two with llama.cpp's llama-export-lora, and open the "
        "result.",
    ),
    "imatrix": ("an importance matrix, which helps to quantise a model", _OWN_FILE),
    "mmproj": ("a projector, which turns pictures or sounds into input for a model", _OWN_FILE),
    "controlvector": ("a control vector, which steers another model", _OWN_FILE),
    "draft": (
        "a draft model, which only guesses the next words of another one",
        _OWN_FILE,
    ),
    "embedding": ("a model that turns texts into vectors and writes none", _OTHER_MODEL),
    "translation": (
        "a model with an encoder and a decoder, which this course cannot run",
        _OTHER_MODEL,
    ),
    "speech": ("a model for speech or music", _OTHER_MODEL),
    "picture": ("a model for pictures or video", _OTHER_MODEL),
}
_KIND_OF_ARCHITECTURE = {
    **dict.fromkeys(("clip",), "mmproj"),
    **dict.fromkeys(("controlvector",), "controlvector"),
    **dict.fromkeys(("eagle3", "dflash", "gemma4-assistant"), "draft"),
    **dict.fromkeys(
        (
            *("bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "jina-bert-v3", "neo-bert"),
            *("modern-bert", "eurobert", "gemma-embedding", "llama-embed", "t5encoder"),
        ),
        "embedding",
    ),
    **dict.fromkeys(("t5",), "translation"),
    **dict.fromkeys(("wavtokenizer-dec", "pockettts", "qwen3tts", "whisper"), "speech"),
    **dict.fromkeys(
        (
            *("flux", "sd1", "sd3", "sdxl", "aura", "hidream", "cosmos", "lumina2", "qwen_image"),
            *("ltxv", "hyvid", "wan"),
        ),
        "picture",
    ),
}
# The same told by the names of the tensors, for files that say nothing.
_KIND_OF_TENSOR = (
    (re.compile(r"\.lora_[ab]$"), "adapter"),
    (re.compile(r"\.(in_sum2|counts)$"), "imatrix"),
    (re.compile(r"^direction\.\d+$"), "controlvector"),
    (re.compile(r"^(v|a|mm)\."), "mmproj"),
)


def whole_model(header: GgufHeader) -> GgufHeader:
    """The header of a whole language model: of a split one, with the tensors of all its parts.

    Raises ModelFileError, saying what the file is and what to take instead, for anything else.
    """
    header = _join_parts(header)
    kind = header.metadata.get("general.type", "model")
    if kind != "model":
        raise _other(header, kind if isinstance(kind, str) else repr(kind))
    for tensor in header.tensors[:1]:
        for names, told in _KIND_OF_TENSOR:
            if names.search(tensor.name):
                raise _other(header, told)
    family = header.architecture
    if not family:
        raise damaged(header.path, "it does not name its architecture (general.architecture)")
    if not family.isascii() or not family.isprintable():
        raise damaged(header.path, f"its architecture is named {family!r}")
    if not header.tensors:
        raise ModelFileError(
            f"{header.path} holds a vocabulary or settings, but no weights.", _OWN_FILE
        )
    if family in _KIND_OF_ARCHITECTURE:
        raise _other(header, _KIND_OF_ARCHITECTURE[family])
    if header.tensor("token_embd.weight") is None:
        raise ModelFileError(
            f"{header.path} is not a language model: it has no tensor token_embd.weight.",
            EXPORT_AGAIN,
        )
    return header


def _other(header: GgufHeader, kind: str) -> ModelFileError:
    words, remedy = _KINDS.get(kind, (f"something that belongs to one ({kind!r})", _OWN_FILE))
    base = header.metadata.get("general.base_model.0.name") or header.architecture
    words = words.format(base=base or "which it does not name")
    return ModelFileError(f"{header.path} holds no language model but {words}.", remedy)


# ---- split models -------------------------------------------------------------------------


def _join_parts(header: GgufHeader) -> GgufHeader:
    """The header of all parts together, if this is the first of a model that is split."""
    count = _number(header, "split.count")
    if count < 2:
        return header
    number = _number(header, "split.no")
    stem = re.fullmatch(r"(.+)-\d{5}-of-\d{5}\.gguf", header.path.name)
    names = [f"{stem[1]}-{n:05d}-of-{count:05d}.gguf" for n in range(1, count + 1)] if stem else []
    if number:
        first = names[0] if names else "whose name ends in -00001-of-…"
        raise ModelFileError(
            f"{header.path} is part {number + 1} of {count} of a split model.",
            f"Open part 1, {first}, with the other parts beside it: llama.cpp finds them itself. "
            "'llama-gguf-split --merge' joins them into one file.",
        )
    if not names or names[0] != header.path.name:
        raise ModelFileError(
            f"{header.path} is part 1 of {count} of a split model, but its name does not say so.",
            f"Name the parts as they were downloaded, <name>-00001-of-{count:05d}.gguf and so on: "
            "llama.cpp finds the others by their names.",
        )
    paths = [header.path.with_name(name) for name in names]
    missing = [path.name for path in paths if not path.exists()]
    if missing:
        shown = ", ".join(missing[:4]) + (", …" if len(missing) > 4 else "")
        raise ModelFileError(
            f"{header.path} is part 1 of {count}, and {len(missing)} of the parts are not beside "
            f"it: {shown}.",
            f"Download the missing parts into the folder {header.path.parent}.",
        )
    parts = [header, *(_part(path, number) for number, path in enumerate(paths[1:], 1))]
    tensors = [tensor for part in parts for tensor in part.tensors]
    # The whole header of each part was sound, so a wrong total means parts of different models.
    if len({tensor.name for tensor in tensors}) != len(tensors) or header.metadata.get(
        "split.tensors.count"
    ) != len(tensors):
        raise damaged(header.path, f"its {count} parts do not make up one model")
    return replace(
        header,
        tensors=tuple(tensors),
        file_bytes=sum(part.file_bytes for part in parts),
    )


def _part(path: Path, number: int) -> GgufHeader:
    part = read_header(path)
    if _number(part, "split.no") != number:
        raise damaged(path, f"it does not say that it is part {number + 1}")
    return part


def _number(header: GgufHeader, key: str) -> int:
    """A count of parts: 0 where the file has none."""
    value = header.metadata.get(key, 0)
    if header.types.get(key, "UINT16") != "UINT16":
        raise damaged(header.path, f"{key} is {value!r}, but must be a number of type UINT16")
    return value
