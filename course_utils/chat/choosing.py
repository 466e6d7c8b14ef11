"""Which file of a model does this machine run? One that is here, or one to download; it fits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from course_utils.download import model_path
from course_utils.errors import CourseError, MachineError
from course_utils.machine import Machine, this_machine
from course_utils.model_files.capacity import Plan, plan
from course_utils.model_files.catalogue import ModelFile, find_file, find_model
from course_utils.model_files.found import LocalCopy, find_copies
from course_utils.model_files.quantisation import quantisation_name

SPARE_DISK_BYTES = 10**9

OURS = "downloaded by the course"


@dataclass(frozen=True)
class Choice:
    """What to run: ``plan`` fits this machine.

    ``copy``: the file if it is on this machine; otherwise ``file``, to be downloaded.  ``refused``:
    the plan that was asked for, where it does not fit and this one takes its place.  ``larger``: a
    plan that fits too, with a larger file than the one that is here.
    """

    plan: Plan
    copy: LocalCopy | None = None
    file: ModelFile | None = None
    refused: Plan | None = None
    larger: Plan | None = None

    @property
    def name(self) -> str:
        """What ``download_model`` takes."""
        return f"{self.plan.model}:{self.plan.quantisation}"

    @property
    def options(self) -> dict[str, object]:
        """What ``open_model`` takes, so that it takes what was planned."""
        return {"context": self.plan.context, "kv_type": self.plan.kv_type}


def choose(name: str, *, machine: Machine | None = None, **wanted) -> Choice | None:
    """The file to run a model of the catalogue with; None where only the nano models fit.

    ``name``: as in the catalogue; where it names no quantisation, a file that is here already and
    fits is taken before any download.  ``wanted``: ``context`` and ``kv_type``, as ``plan`` takes
    them.  Raises OptionError for an unknown name, and where nothing of that name is offered.
    """
    machine = machine or this_machine()
    asked = plan(name, machine=machine, **wanted)
    here = {copy.quantisation: copy for copy in reversed(files_here(name))}
    fitting = [
        (planned, copy)
        for copy in here.values()
        if (planned := _smallest_change(copy, machine, wanted)) is not None
    ]
    if fitting:
        # More bytes, more of the model; and no change to what was asked for before a change to it.
        best, copy = max(fitting, key=lambda pair: (pair[0].memory.weights, pair[0].context))
        possible = asked if asked.fits else asked.instead
        is_larger = (
            possible is not None
            and possible.model == best.model
            and possible.memory.weights > 1.02 * best.memory.weights
        )
        return Choice(
            best,
            copy=copy,
            refused=None if asked.fits else asked,
            larger=possible if is_larger else None,
        )
    best = asked if asked.fits else asked.instead
    if best is None:
        return None
    refused = None if best is asked else asked
    copies = files_here(f"{best.model}:{best.quantisation}")
    if copies:
        return Choice(best, copy=copies[0], refused=refused)
    return Choice(best, file=find_file(f"{best.model}:{best.quantisation}"), refused=refused)


def files_here(name: str) -> list[LocalCopy]:
    """The files of a model on this machine: those the course downloaded, then those it found."""
    title, _, quantisation = name.partition(":")
    downloaded = [
        LocalCopy(file.model, file.quantisation, file.local_path, file.size_bytes, OURS)
        for file in find_model(title).files.values()
        if file.quantisation
        == (quantisation_name(quantisation) if quantisation else file.quantisation)
        and file.local_path.is_file()
    ]
    return downloaded + find_copies(name)


def path_to_open(copy: LocalCopy) -> Path:
    """The path of a file that is here; one that the course downloaded is verified first.

    Raises ModelFileError where such a file is not the one that the catalogue means.
    """
    return model_path(f"{copy.model}:{copy.quantisation}") if copy.keeper == OURS else copy.path


def _smallest_change(copy: LocalCopy, machine: Machine, wanted: dict) -> Plan | None:
    """A plan that runs this very file here, if need be with less context or a smaller cache."""
    planned = plan(f"{copy.model}:{copy.quantisation}", machine=machine, **wanted)
    if not planned.fits:
        planned = planned.instead
    if planned is None or (planned.model, planned.quantisation) != (copy.model, copy.quantisation):
        return None
    return planned


def check_disk(file: ModelFile, machine: Machine) -> None:
    """Raise MachineError where the disk cannot take a download; found out before it starts."""
    needed = file.size_bytes + SPARE_DISK_BYTES
    if machine.free_disk_bytes < needed:
        raise MachineError(
            f"{file.name} takes {file.size_bytes / 1e9:.1f} GB of disk, and "
            f"{machine.free_disk_bytes / 1e9:.1f} GB are free.",
            "Make room, or give the path of a file on another disk in place of the model's name.",
        )


def is_in_catalogue(name: str) -> bool:
    """Whether this is a model of the catalogue that is not shipped with the course."""
    try:
        return find_model(name).path is None
    except CourseError:
        return False
