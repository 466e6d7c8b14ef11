"""Which files of a model are on this machine already, whichever program brought them?

Twenty gigabytes need not come twice.  Ollama, LM Studio, llama.cpp and the hub's own cache each
keep GGUF files in a place of their own, under names of their own.  A file counts as a model of the
catalogue if its name says so and nothing else (``QwQ-32B-Preview`` is another model), and if its
header has the model's shape and does not name another one.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from course_utils.errors import CourseError, ModelFileError
from course_utils.model_files.catalogue import Model, find_model, models
from course_utils.model_files.gguf_header import GgufHeader, read_header
from course_utils.model_files.quantisation import quantisation_name
from course_utils.paths import downloads_folder

DEEPEST_FOLDER = 5
"""LM Studio nests publisher/model/file, the hub's cache repository/snapshots/commit/file."""

OLLAMA_MODEL = "application/vnd.ollama.image.model"
"""The media type of the layer that holds the weights, see ollama's ``server/images.go``."""

# What stands beside a model's own name in names of files and folders, without separators.
_QUANTISATION = r"(?:ud)?(?:i?q|tq)\d(?:[k01])?(?:xxs|xs|xl|nl|s|m|l)?|bf16|fp?16|f32|mxfp4"
_PUBLISHERS = (
    r"qwen|deepseekai|bartowski|unsloth|mradermacher|lmstudiocommunity|secondstate|ggmlorg"
)
_BESIDE = rf"{_QUANTISATION}|{_PUBLISHERS}|gguf|i1|imat(?:rix)?|static|model|latest|00001of\d{{5}}"
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)


class Place(NamedTuple):
    """A folder in which a program keeps models, and the program's name."""

    keeper: str
    folder: Path


@dataclass(frozen=True)
class LocalCopy:
    """A file of a model of the catalogue. ``path`` is the first part of one that is split.

    ``size_bytes`` counts all its parts; ``keeper`` says which program keeps it.
    """

    model: str
    quantisation: str
    path: Path
    size_bytes: int
    keeper: str


def places(environment: Mapping[str, str] | None = None, home: Path | None = None) -> list[Place]:
    """Where this machine's programs keep models; only folders that exist.

    ``environment`` and ``home`` are those of this process by default.  Sources: ollama's
    ``docs/faq.md``; lmstudio.ai/docs/app/advanced/import-model; llama.cpp's ``common/arg.cpp``
    (LLAMA_CACHE); huggingface_hub's ``constants.py``.
    """
    environment = os.environ if environment is None else environment
    home = home or Path.home()

    def named(variable: str) -> Path | None:
        text = environment.get(variable, "").strip()
        return Path(os.path.expanduser(text)) if text else None

    cache = named("XDG_CACHE_HOME") or home / ".cache"
    hub_home = named("HF_HOME") or cache / "huggingface"
    system_cache = {
        "darwin": home / "Library" / "Caches",
        "win32": named("LOCALAPPDATA") or home / "AppData" / "Local",
    }.get(sys.platform, cache)
    studio = _lm_studio_home(home)
    known = [
        Place("the course", downloads_folder()),
        Place(
            "the hub's cache",
            named("HF_HUB_CACHE") or named("HUGGINGFACE_HUB_CACHE") or hub_home / "hub",
        ),
        Place("Ollama", named("OLLAMA_MODELS") or home / ".ollama" / "models"),
        Place("Ollama", Path("/usr/share/ollama/.ollama/models")),
        Place("Ollama", Path("/var/lib/ollama/models")),
        Place("LM Studio", _lm_studio_models(studio)),
        Place("LM Studio", home / ".cache" / "lm-studio" / "models"),
        Place("llama.cpp", named("LLAMA_CACHE") or system_cache / "llama.cpp"),
    ]
    return list(dict.fromkeys(place for place in known if os.path.isdir(place.folder)))


def find_copies(name: str, where: list[Place] | None = None) -> list[LocalCopy]:
    """The files of a model on this machine, the largest first; those the course brought lead.

    ``name``: as in the catalogue; with ``"qwq-32b:Q6_K"`` only files of that quantisation.  A file
    that cannot be read, is not complete, or is of a type that the course cannot count, is left
    out.  Raises OptionError for an unknown name.
    """
    title, _, quantisation = str(name).partition(":")
    model = find_model(title)
    wanted = quantisation_name(quantisation) if quantisation else None
    found: dict[object, LocalCopy] = {}
    for place in places() if where is None else where:
        files = _ollama_files if place.keeper == "Ollama" else _gguf_files
        for path in files(place.folder, model):
            copy = _copy_at(path, model, place.keeper)
            if copy is not None and wanted in (None, copy.quantisation):
                # The same file may be linked from several folders.
                found.setdefault(_identity(copy.path), copy)
    return sorted(found.values(), key=lambda copy: (copy.keeper != "the course", -copy.size_bytes))


def model_in_folder(folder: Path) -> Path:
    """The one GGUF model in a folder, the first part of it if it is split.

    Raises ModelFileError where there is none, or more than one.
    """
    files = sorted(path for path in _ggufs(folder, deepest=1) if not _is_later_part(path))
    files = [path for path in files if not path.name.lower().startswith("mmproj")]
    if len(files) == 1:
        return files[0]
    if not files:
        raise ModelFileError(
            f"The folder {folder} holds no GGUF file.",
            "Give the path of the model file itself; its name ends in .gguf.",
        )
    shown = ", ".join(path.name for path in files[:6]) + (", …" if len(files) > 6 else "")
    raise ModelFileError(
        f"The folder {folder} holds {len(files)} models.",
        f"Give the path of one of them: {shown}.",
    )


# ---- where the programs keep their files -------------------------------------------------------


def _lm_studio_home(home: Path) -> Path:
    """LM Studio's own folder, which a note in the home folder may place elsewhere."""
    try:
        noted = (home / ".lmstudio-home-pointer").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        noted = ""
    return Path(noted) if noted and os.path.isdir(noted) else home / ".lmstudio"


def _lm_studio_models(studio: Path) -> Path:
    """Its folder of models, which its settings may place on another disk."""
    try:
        chosen = json.loads((studio / "settings.json").read_text(encoding="utf-8"))
        chosen = chosen.get("downloadsFolder") if isinstance(chosen, dict) else None
    except (OSError, ValueError):
        chosen = None
    return Path(chosen) if isinstance(chosen, str) and chosen else studio / "models"


def _gguf_files(folder: Path, model: Model) -> Iterator[Path]:
    for path in _ggufs(folder):
        if not _is_later_part(path) and _names_only(path.stem, model):
            yield path


def _ggufs(folder: Path, deepest: int = DEEPEST_FOLDER) -> Iterator[Path]:
    """All GGUF files below a folder, links followed, but never in a circle."""
    start = str(folder)
    for where, inside, names in os.walk(start, followlinks=True):
        if where[len(start) :].count(os.sep) >= deepest - 1:
            inside.clear()
        yield from (Path(where, name) for name in names if name.lower().endswith(".gguf"))


def _ollama_files(folder: Path, model: Model) -> Iterator[Path]:
    """The blobs whose manifests name the model: ``manifests/host/owner/name/tag``."""
    manifests = folder / "manifests"
    for where, _, tags in os.walk(manifests):
        parts = Path(where).relative_to(manifests).parts
        for tag in tags if len(parts) >= 3 else ():
            library = parts[:2] == ("registry.ollama.ai", "library")
            if library and f"{parts[2]}:{tag}".lower() not in _ollama_names(model, tag):
                continue
            if not library and not _names_only(f"{parts[-1]} {tag}", model):
                continue
            try:
                manifest = json.loads(Path(where, tag).read_text(encoding="utf-8"))
                digests = [
                    str(layer["digest"])
                    for layer in manifest["layers"]
                    if layer["mediaType"] == OLLAMA_MODEL
                ]
            except (OSError, ValueError, KeyError, TypeError):
                continue
            for digest in digests:
                # Written with a colon until 2024.
                for name in (digest.replace(":", "-"), digest):
                    if re.fullmatch(r"sha256[-:][0-9a-f]{64}", name):
                        yield folder / "blobs" / name


def _ollama_names(model: Model, tag: str) -> set[str]:
    """What Ollama's library calls this model, for a tag: its size, and maybe a quantisation.

    "latest" may be a model of another size or age; the header decides.
    """
    names = set()
    for known in model.ollama:
        name, _, size = known.partition(":")
        rest = tag.lower().removeprefix(size)
        if tag.lower() == "latest" or rest == "" or re.fullmatch(rf"(?:{_BESIDE})*", _plain(rest)):
            names.add(f"{name}:{tag}".lower())
    return names


# ---- is it the model? --------------------------------------------------------------------------


def _copy_at(path: Path, model: Model, keeper: str) -> LocalCopy | None:
    try:
        status = path.stat()
        facts = _header_facts(path, status.st_size, status.st_mtime_ns)
        size = sum(part.stat().st_size for part in parts_of(path))
    except (OSError, CourseError):
        return None
    if facts is None or not _is_shaped_like(facts, model) or _is_named_otherwise(facts.name, model):
        return None
    return LocalCopy(model.name, facts.quantisation, path, size, keeper)


def parts_of(path: Path) -> list[Path]:
    """All files of a model that may be split; the file itself where it is not."""
    part = _PART.fullmatch(path.name)
    if part is None:
        return [path]
    count = int(part["count"])
    return [
        path.with_name(f"{part['stem']}-{number:05d}-of-{part['count']}{path.suffix}")
        for number in range(1, count + 1)
    ]


class _HeaderFacts(NamedTuple):
    name: str
    quantisation: str
    family: str
    numbers: tuple[int | None, ...]


@functools.lru_cache(maxsize=256)
def _header_facts(path: Path, _size: int, _changed: int) -> _HeaderFacts | None:
    """What a file's header says that matters here; read once for each state of the file."""
    header = read_header(path)
    try:
        quantisation = quantisation_name(header.quantisation)
    except CourseError:
        return None
    name = header.metadata.get("general.name")
    return _HeaderFacts(
        name if isinstance(name, str) else "",
        quantisation,
        header.architecture or "",
        _shape(header),
    )


def _shape(header: GgufHeader) -> tuple[int | None, ...]:
    keys = (
        "block_count",
        "embedding_length",
        "attention.head_count",
        "attention.head_count_kv",
        "expert_count",
    )
    return tuple(header.get(key) for key in keys)


def _is_shaped_like(facts: _HeaderFacts, model: Model) -> bool:
    shape = model.architecture
    key_value_heads = getattr(shape.attention, "key_value_heads", None)
    numbers = (
        shape.layers,
        shape.hidden,
        shape.attention.heads,
        # Latent attention is written to GGUF as having one key/value head.
        key_value_heads or facts.numbers[3],
        shape.experts.experts if shape.experts else None,
    )
    return facts.family == shape.family and facts.numbers == numbers


def _is_named_otherwise(name: str, model: Model) -> bool:
    """Whether the name in a header is that of another model of the same shape.

    Names such as "Models" or "Hf" say nothing, and are common.
    """
    plain = _plain(name)
    if _plain(model.title) in plain:
        return not _names_only(name, model)
    return any(_plain(other.title) in plain for other in models().values())


def _names_only(text: str, model: Model) -> bool:
    """Whether a name holds this model's title, and beside it nothing of another model's."""
    title = _plain(model.title)
    plain = _plain(re.sub(r"\(\d+\)|\bcopy\b", "", text))
    words = rf"(?:{re.escape(title)}|{_BESIDE})*"
    return title in plain and re.fullmatch(words, plain, re.ASCII) is not None


def _plain(text: str) -> str:
    """Latin letters and digits alone, in lower case: programs differ in all the rest."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _is_later_part(path: Path) -> bool:
    part = _PART.fullmatch(path.name)
    return part is not None and int(part["number"]) != 1


def _identity(path: Path) -> object:
    status = path.stat()
    return (status.st_dev, status.st_ino)
