"""The catalogue of models: which the course knows, where their files are, what shape they have.

``models/catalogue.toml`` is the one place that names a model; this module reads and checks it.
A model goes by a short name such as ``qwq-32b``; a certain file of it is ``qwq-32b:Q5_K_M``.
"""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.errors import CourseError, ModelFileError, OptionError
from course_utils.model_files.architectures import Architecture
from course_utils.model_files.quantisation import QUANTISATIONS, quantisation_name, weight_bytes
from course_utils.paths import downloads_folder, models_folder
from course_utils.secret import may_be_key

HEADER_BYTES_PER_VOCABULARY_ENTRY, HEADER_BYTES_PER_TENSOR = 39.02, 57
"""What a Qwen GGUF's header takes: for each entry of the vocabulary (with its merge), and for each
tensor that it lists.

Taken from stand-ins with QwQ's vocabulary and few or many tensors; the published files whose exact
length is known, QwQ-32B (19,851,335,840 bytes) and Qwen3-30B-A3B (18,556,685,824 bytes), are met
within 8,000 bytes.
"""


@dataclass(frozen=True)
class ModelFile:
    """One GGUF file on the Hugging Face hub.

    ``size_bytes`` is the published length where that is known to the byte (``exact``), otherwise
    predicted from the tensor shapes.  ``sha256`` is None where the hub must be asked for it.
    ``revision`` is a commit, so that everybody gets the same file; where no commit is known it is
    a branch, and ``unpinned`` says why.
    """

    model: str
    quantisation: str
    repository: str
    revision: str
    name: str
    size_bytes: int
    exact: bool
    source: str
    sha256: str | None = None
    published_gigabytes: float | None = None
    unpinned: str = ""

    @property
    def local_path(self) -> Path:
        """Where the course keeps this file once it is downloaded."""
        return downloads_folder() / self.name


@dataclass(frozen=True)
class Model:
    """One entry of the catalogue.

    ``config`` holds the numbers of the model's config.json, empty for a shipped model, whose file
    is at hand (``path``).  ``sampling`` holds the card's recommended settings, named as in
    ``engines.sampling.Sampling``.  ``sources`` lists where the entry's statements were read.
    ``ollama``: the names of Ollama's library that have meant this model, with its size.
    ``yarn_trained``: the tokens of the longest texts it was trained on, where its card asks for
    YaRN beyond them and its file does not say so.
    """

    name: str
    title: str
    summary: str
    licence: str
    chat_format: str
    reasoning: bool
    sources: tuple[str, ...]
    sampling: Mapping[str, float]
    sampling_source: str
    config: Mapping[str, object] = field(default_factory=dict)
    config_source: str | None = None
    published_parameters: str | None = None
    default_file: str | None = None
    files: Mapping[str, ModelFile] = field(default_factory=dict)
    path: Path | None = None
    ollama: tuple[str, ...] = ()
    yarn_trained: int | None = None

    @property
    def architecture(self) -> Architecture:
        """The model's shape: from its config, or from the file itself for a shipped model."""
        if self.path is not None:
            return Architecture.from_gguf(shipped_file(self))
        return Architecture.from_config(self.config)

    @property
    def quantisation(self) -> str:
        """The quantisation of the recommended file, or of the shipped one.

        Q4_K_M, the usual choice, where the catalogue offers no file.
        """
        if self.path is None:
            return self.default_file or "Q4_K_M"
        # Told by its size: what the header takes beside the tensors is small against a type's step.
        architecture, size = self.architecture, self.path.stat().st_size
        sizes = {
            quantisation: weight_bytes(architecture, quantisation) for quantisation in QUANTISATIONS
        }
        return max(
            (quantisation for quantisation in QUANTISATIONS if sizes[quantisation] <= size),
            key=sizes.get,
        )

    def file(self, quantisation: str | None = None) -> ModelFile:
        """The file of this quantisation, or the recommended one.

        Raises OptionError when the catalogue offers no such file.
        """
        if not self.files:
            if self.path is not None:
                raise OptionError(
                    f"{self.title} comes with the course as one file.",
                    f'Name it without a quantisation: "{self.name}".',
                )
            raise OptionError(
                f"The catalogue offers no file of {self.title}.",
                "Plan or rehearse it; to run one, choose another model.",
            )
        chosen = quantisation_name(quantisation or self.default_file)
        if chosen not in self.files:
            raise OptionError(
                f"The catalogue offers no {chosen} file of {self.title}.",
                f"Choose one of: {', '.join(self.files)}.",
            )
        return self.files[chosen]


def shipped_file(model: Model) -> Path:
    """The GGUF file of a model that comes with the course; ModelFileError when it is missing."""
    if not model.path.is_file():
        raise ModelFileError(
            f"{model.title} should lie at models/{model.path.relative_to(models_folder())}, "
            "but it is not there.",
            "Clone the repository again, or run `make nano` to train it anew.",
        )
    return model.path


def models() -> dict[str, Model]:
    """All models of the catalogue by name, the shipped ones first.

    Raises ModelFileError when ``models/catalogue.toml`` is missing or not as it should be.
    """
    return dict(_load(models_folder() / "catalogue.toml"))


def find_model(name: str) -> Model:
    """The model of this name; a quantisation after a colon is allowed and ignored.

    Raises OptionError, with the nearest names, when there is none.
    """
    known = models()
    wanted = str(name).split(":")[0].strip().lower()
    if wanted in known:
        return known[wanted]
    # "qwq32b" and "QwQ_32B" are nearer to qwq-32b without their separators.
    plain = {re.sub(r"[-_. ]", "", each): each for each in known}
    near = difflib.get_close_matches(re.sub(r"[-_. ]", "", wanted), plain, n=3, cutoff=0.5)
    suggestion = f"Did you mean {' or '.join(plain[each] for each in near)}? " if near else ""
    # What resembles none of the names may have been meant for another place, as a key is.
    named = f"model called {name!r}" if near and not may_be_key(wanted) else "model of this name"
    raise OptionError(
        f"The catalogue has no {named}.",
        f"{suggestion}The models are: {', '.join(known)}.",
    )


def find_file(name: str) -> ModelFile:
    """The file that a name such as ``qwq-32b`` or ``qwq-32b:Q5_K_M`` stands for.

    Raises OptionError when the model or the quantisation is not in the catalogue.
    """
    _, _, quantisation = str(name).partition(":")
    return find_model(name).file(quantisation or None)


@functools.cache
def _load(path: Path) -> dict[str, Model]:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))["models"]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise ModelFileError(
            f"The catalogue {path.name} cannot be read ({error}).",
            "Restore models/catalogue.toml from the repository.",
        ) from error
    return {name: _model(name, entry) for name, entry in entries.items()}


def _model(name: str, entry: Mapping) -> Model:
    """Check one entry and build the model; the first thing wrong is named."""
    try:
        sampling, config = dict(entry["sampling"]), dict(entry.get("config", {}))
        model = Model(
            name=name,
            title=entry["title"],
            summary=entry["summary"],
            licence=entry["licence"],
            chat_format=entry["chat_format"],
            reasoning=entry["reasoning"],
            sources=tuple(entry["sources"]),
            sampling_source=sampling.pop("source"),
            sampling=sampling,
            config_source=config.pop("source", None),
            config=config,
            published_parameters=entry.get("published_parameters"),
            default_file=entry.get("default_file"),
            path=models_folder() / entry["path"] if "path" in entry else None,
            ollama=tuple(entry.get("ollama", ())),
            yarn_trained=entry.get("yarn_trained"),
        )
        files = {
            quantisation_name(quantisation): _file(model, quantisation_name(quantisation), facts)
            for quantisation, facts in entry.get("files", {}).items()
        }
    except KeyError as error:
        raise _wrong_entry(name, f"it lacks {error}") from error
    except CourseError as error:
        raise _wrong_entry(name, error.problem) from error
    if not model.sources or (config and not model.config_source):
        raise _wrong_entry(name, "it states no source")
    if files and model.default_file not in files:
        raise _wrong_entry(name, "its default_file is not among its files")
    if not config and model.path is None:
        raise _wrong_entry(name, "it has neither a config nor a path")
    object.__setattr__(model, "files", files)
    return model


def _file(model: Model, quantisation: str, facts: Mapping) -> ModelFile:
    exact = facts.get("bytes")
    sha256 = facts.get("sha256")
    if sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise _wrong_entry(model.name, f"the sha256 of {quantisation} is not 64 hexadecimal digits")
    revision, unpinned = facts["revision"], facts.get("unpinned", "")
    if bool(re.fullmatch(r"[0-9a-f]{40}", revision)) == bool(unpinned):
        raise _wrong_entry(
            model.name,
            f"the revision of {quantisation} has to be a commit (40 hexadecimal digits), or "
            "'unpinned' has to say why it is none",
        )
    return ModelFile(
        model=model.name,
        quantisation=quantisation,
        repository=facts["repository"],
        revision=revision,
        name=facts["file"],
        size_bytes=exact
        or predicted_file_bytes(Architecture.from_config(model.config), quantisation),
        exact=exact is not None,
        source=facts["source"],
        sha256=sha256,
        published_gigabytes=facts.get("gigabytes"),
        unpinned=unpinned,
    )


def predicted_file_bytes(architecture: Architecture, quantisation: str) -> int:
    """The length of a quantised GGUF: its tensors to the byte, and an estimate of its header."""
    header = architecture.vocabulary * HEADER_BYTES_PER_VOCABULARY_ENTRY
    header += len(architecture.tensors()) * HEADER_BYTES_PER_TENSOR
    return weight_bytes(architecture, quantisation) + round(header)


def _wrong_entry(name: str, what: str) -> ModelFileError:
    return ModelFileError(
        f"The catalogue's entry {name!r} is not as it should be: {what}.",
        "Mend it in models/catalogue.toml.",
    )
