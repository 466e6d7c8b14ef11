"""Opening a file: looked at, planned for, loaded, and given a KV cache; whole, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from course_utils.engines.checks import shown_path
from course_utils.engines.local.cache import KVCache
from course_utils.engines.local.loading import Loading, architecture_of, plan_loading
from course_utils.engines.local.options import LocalOptions
from course_utils.engines.local.positions import yarn_of
from course_utils.engines.local.runtime import Context, Model, repacking_crashes
from course_utils.model_files.architectures import Architecture
from course_utils.model_files.gguf_check import check_gguf
from course_utils.model_files.gguf_header import GgufHeader
from course_utils.progress import Progress


@dataclass(frozen=True)
class Opened:
    """A file that llama.cpp has loaded, and what was decided on the way.

    ``settings``: threads, batch and the kind of KV cache.  ``architecture`` is None for a family
    that the course cannot count.
    """

    header: GgufHeader
    architecture: Architecture | None
    settings: dict[str, object]
    loading: Loading
    model: Model
    cache: KVCache
    small: bool

    @property
    def context_settings(self) -> dict[str, object]:
        """What any context of this model is made with."""
        return _context_settings(self.settings, self.small)

    def close(self) -> None:
        """Free the memory."""
        self.cache.close()
        self.model.close()


def open_file(
    path: Path,
    *,
    name: str | None,
    options: LocalOptions,
    small_bytes: int,
    context: int = 0,
    in_use: int = 0,
) -> Opened:
    """Load a GGUF file. A model of at most ``small_bytes`` is computed as small ones are.

    context: how many tokens it must hold, where that is not for ``options`` to say.
    in_use: see ``plan_loading``.

    Raises ModelFileError for a damaged file, ModelLoadError where llama.cpp refuses it,
    MachineError where memory cannot hold it, and OptionError for options that do not suit it.
    """
    # llama.cpp ends the whole process on some damaged files, so look before it does.
    header = check_gguf(path)
    small = header.file_bytes <= small_bytes
    settings = options.settings(small=small)
    yarn = yarn_of(header, name, options.yarn, options.yarn_trained)
    context = context or options.context_for(yarn.reach if yarn else header.get("context_length"))
    loading = plan_loading(
        header,
        name=name or shown_path(path.name),
        context=context,
        kv_type=settings["kv_type"],
        batch=settings["batch"],
        flash_attention=settings["flash_attention"],
        repack=options.repack,
        kernels=options.kernels,
        force=options.force,
        gpu_layers=options.gpu_layers,
        repacking_crashes=repacking_crashes(),
        in_use=in_use,
    )
    with Progress("loading the model", 100, "%") as progress:
        model = Model(
            path,
            repack=loading.repack,
            check_weights=small,
            gpu_layers=loading.gpu_layers,
            yarn=yarn,
            on_progress=lambda share: progress.reach(int(100 * share)),
        )
    try:
        cache = KVCache(Context(model, context=context, **_context_settings(settings, small)))
    except BaseException:
        model.close()  # the traceback, which a notebook keeps, would keep the weights too
        raise
    return Opened(header, architecture_of(header), settings, loading, model, cache, small)


def _context_settings(settings: dict[str, object], small: bool) -> dict[str, object]:
    # A small model's step is over before anybody could want to interrupt it.
    return {**settings, "interruptible": not small}
