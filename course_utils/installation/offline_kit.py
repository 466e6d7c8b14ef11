"""The course on a stick, for a room without a network: ``make offline-kit``.

The folder holds the course, its models, and every package of the environment that works here,
packed as wheels again: nothing is downloaded, and what is installed is what was tested.  It suits
machines of this kind of system, processor and Python version; ``install.py`` in it says so.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import platform
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, distributions
from pathlib import Path, PurePosixPath

from course_utils import command_line
from course_utils.errors import MachineError, OptionError
from course_utils.paths import downloads_folder, repository_root

# What an installer writes itself, and would be wrong on another machine.
_LEFT_OUT = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}
COURSE_ITSELF = "qwq-course"


def make(folder: Path, with_downloads: bool = False, say=print) -> None:
    """Write the kit into a new folder.

    with_downloads: also the large models in ``models/downloads``.
    Raises OptionError where the folder holds something, MachineError where the disk is too small.
    """
    if folder.exists() and any(folder.iterdir()):
        raise OptionError(f"{folder} is not empty.", "Name a folder that does not exist yet.")
    (folder / "wheels").mkdir(parents=True)
    try:
        _copy_course(folder / "course", with_downloads)
        packed = [
            pack(package, folder / "wheels")
            for package in distributions(path=[str(_site_packages())])
            if package.metadata["Name"] != COURSE_ITSELF
        ]
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise MachineError(
            f"The kit could not be written: {error.strerror or error}.",
            "It needs about 2 GB, and the downloaded models' size where they go along.",
        ) from None
    made_for = {"python": _minor(), "system": platform.system(), "machine": platform.machine()}
    (folder / "kit.json").write_text(json.dumps(made_for, indent=1) + "\n", encoding="utf-8")
    shutil.copy2(Path(__file__).with_name("from_kit.py"), folder / "install.py")
    say(f"{len(packed)} packages, the course and its models: {folder}")
    say(f"On the other machine: python3 {folder.name}/install.py")


def pack(package: Distribution, folder: Path) -> Path:
    """Pack an installed package as a wheel again; gives the wheel's path.

    Files outside its own folder become a wheel's ``data`` and ``scripts``, as before it was
    installed; the commands that entry points describe are left to the installer.
    """
    name = package.metadata["Name"].replace("-", "_").replace(".", "_")
    stem = f"{name}-{package.version}"
    tags = [
        line[5:] for line in (package.read_text("WHEEL") or "").splitlines() if line[:5] == "Tag: "
    ]
    tag = _joined(tags) if tags else "py3-none-any"
    wheel = folder / f"{stem}-{tag}.whl"
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    entry_points = {point.name for point in package.entry_points if "scripts" in point.group}
    info = None
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
        for entry in package.files or []:
            there = Path(package.locate_file(entry))
            if there.suffix == ".pyc" or entry.name in _LEFT_OUT or not there.is_file():
                info = info or (entry.parts[0] if entry.parts[0].endswith(".dist-info") else None)
                continue
            inside = _place(there, f"{stem}.data", entry_points)
            if inside is None:
                continue
            content = there.read_bytes()
            archive.write(there, inside)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            rows.writerow([inside, f"sha256={digest.decode()}", len(content)])
            if PurePosixPath(inside).parts[0].endswith(".dist-info"):
                info = PurePosixPath(inside).parts[0]
        rows.writerow([f"{info}/RECORD", "", ""])
        archive.writestr(f"{info}/RECORD", record.getvalue())
    return wheel


def _place(there: Path, data: str, entry_points: set[str]) -> str | None:
    """Where in a wheel an installed file belongs; None for what the installer makes anew."""
    site, prefix = _site_packages(), Path(sys.prefix).resolve()
    full = there.parent.resolve() / there.name
    if full.is_relative_to(site):
        return full.relative_to(site).as_posix()
    if not full.is_relative_to(prefix):
        return None
    parts = full.relative_to(prefix).parts
    if parts[0] in ("bin", "Scripts"):
        return None if full.stem in entry_points else f"{data}/scripts/{full.name}"
    return f"{data}/data/{'/'.join(parts)}"


def _joined(tags: list[str]) -> str:
    """Several tags as a file's name holds them: ``py2.py3-none-any``."""
    columns = zip(*(tag.split("-") for tag in tags), strict=True)
    return "-".join(".".join(dict.fromkeys(column)) for column in columns)


def _site_packages() -> Path:
    import sysconfig

    return Path(sysconfig.get_path("purelib")).resolve()


def _copy_course(target: Path, with_downloads: bool) -> None:
    root = repository_root()
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=False
    )
    names = [name for name in listed.stdout.decode().split("\0") if name]
    if not names:
        raise MachineError(
            "Git lists no file of the course.", "Make the kit in a clone of its repository."
        )
    for name in names:
        if (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)
    if with_downloads and downloads_folder().is_dir():
        shutil.copytree(downloads_folder(), target / "models" / "downloads")


def _minor() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def main() -> int:
    parser = command_line.parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--with-downloads", action="store_true", help="the large models too")
    options = parser.parse_args()
    return command_line.run(lambda: make(options.folder, options.with_downloads))


if __name__ == "__main__":
    sys.exit(main())
