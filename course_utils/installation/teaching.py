"""What teachers need beside the course: an environment in .venv/teaching, laid over the course's.

nbgrader and JupyterHub put extensions into JupyterLab; learners' own environment stays free of
them.  The layer sees every package of the course and adds those of requirements-teaching.txt.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

from course_utils import command_line
from course_utils.errors import MachineError
from course_utils.paths import repository_root

PINS = "requirements-teaching.txt"


def teaching_folder() -> Path:
    """The environment's folder, whether it is there or not."""
    own = Path(sys.prefix)
    return own if own.name == "teaching" else own / "teaching"


def teaching_python() -> Path:
    """Its Python, whether it is there or not."""
    inside = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
    return teaching_folder() / inside


def jupyter_paths() -> dict[str, str]:
    """Variables by which Jupyter, started in the layer, finds what lies in the course's own."""
    below = teaching_folder().parent
    return {
        "JUPYTER_PATH": str(below / "share" / "jupyter"),
        "JUPYTER_CONFIG_PATH": str(below / "etc" / "jupyter"),
        "JUPYTERLAB_DIR": str(below / "share" / "jupyter" / "lab"),
    }


def install() -> None:
    """Make the environment, or bring it up to date. Raises MachineError where a step fails."""
    python, folder = teaching_python(), teaching_folder()
    pins = repository_root() / PINS
    mark = folder / "complete"
    if mark.exists() and mark.read_text(encoding="utf-8") == pins.read_text(encoding="utf-8"):
        return
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    below = sysconfig.get_path("purelib")
    there = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    # `addsitedir` and not the bare path: the course itself is found through a .pth file there.
    line = f"import site; site.addsitedir({below!r})\n"
    (Path(there) / "course.pth").write_text(line, encoding="utf-8")
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps"]
    _run([*command, "--python", str(python), "--requirement", str(pins)])
    mark.write_text(pins.read_text(encoding="utf-8"), encoding="utf-8")
    print(f"Ready: {python}")


def keep_only_new_pins() -> None:
    """Take out of the pins what requirements.txt pins already."""
    pins = repository_root() / PINS
    course = set((repository_root() / "requirements.txt").read_text(encoding="utf-8").splitlines())
    names = {_name(line) for line in course}
    lines = pins.read_text(encoding="utf-8").splitlines()
    # What the course leaves out stays out here too: packages for CUDA and for browsers.
    new = [
        line
        for line in lines
        if _name(line) not in names
        and "== 'emscripten'" not in line
        and not line.startswith(("nvidia-", "cuda-", "triton="))
    ]
    pins.write_text("\n".join(new) + "\n", encoding="utf-8")


def _name(line: str) -> str:
    return line.partition("==")[0].strip().lower()


def _run(command: list[str]) -> None:
    if subprocess.run(command, check=False).returncode != 0:
        raise MachineError(
            f"This failed: {' '.join(command)}",
            "Read the lines above; the same command goes on where it stopped.",
        )


def main() -> int:
    parser = command_line.parser(__doc__)
    parser.add_argument("--only-new-pins", action="store_true", help="for `make requirements`")
    options = parser.parse_args()
    return command_line.run(keep_only_new_pins if options.only_new_pins else install)


if __name__ == "__main__":
    sys.exit(main())
