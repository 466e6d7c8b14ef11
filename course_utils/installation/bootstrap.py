"""The set-up: makes ``.venv`` and fills it, so that a fresh clone becomes a course that runs.

``make lab`` and ``make test`` call it; on Windows run
``py course_utils\\installation\\bootstrap.py``.  It needs nothing but Python and a C++ compiler, it
may be interrupted and started again, and a second run returns at once.  uv brings the packages;
pip, which every new environment has, brings uv, and llama.cpp is compiled.

It stands alone: it runs before any package is there, and even on a Python that is too old for
the rest of the course, so it is written for Python 3.8 and imports only its neighbour.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

if __package__:
    from . import llama_build
else:  # run by its path
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import llama_build

ROOT = Path(__file__).resolve().parent.parent.parent
OLDEST, TOO_NEW = (3, 11), (3, 15)
ON_WINDOWS = sys.platform == "win32"
LOG_LINES_SHOWN = 20
READ_ABOVE = (
    "Read the lines above. If the network failed, check the connection (behind a proxy, set "
    "HTTPS_PROXY) and start again: what was downloaded is kept. If PyTorch has no package for this "
    f"computer (Intel Macs, 32-bit systems), {llama_build.CONDA}."
)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rebuild", action="store_true", help="compile llama.cpp again, for this processor"
    )
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A folder's name may hold letters that the terminal lacks.
            stream.reconfigure(errors="replace")
    use_a_python_that_fits()
    environment = Environment(ROOT / ".venv")
    try:
        set_up(environment, options.rebuild)
    except llama_build.SetupError as error:
        if error.log:
            print(f"\nThe last lines of {environment.log}:\n\n{error.log}")
        print(f"\n{error.problem}\nWhat to do: {error.remedy}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Start it again and it goes on where it stopped.", file=sys.stderr)
        return 130
    return 0


def set_up(environment, rebuild=False):
    """Bring ``environment`` to the state that requirements.txt describes, doing only what lacks."""
    if environment.complete() and not rebuild:
        return
    started = time.monotonic()
    pins = read_pins(ROOT / "requirements.txt")
    print(f"Setting up the course in {environment.folder}. This happens once.", flush=True)
    if not environment.usable():
        environment.make()
    installed = environment.installed()
    lacks_llama = rebuild or installed.get(llama_build.PACKAGE) != pins[llama_build.PACKAGE]
    has_compiler = not lacks_llama or llama_build.compiler_works()
    if not has_compiler:
        # The part that may not be had comes first: nothing is downloaded in vain.
        llama_build.install_prebuilt(environment, pins[llama_build.PACKAGE])
    environment.pip("uv", ["install", "--quiet", f"uv=={pins['uv']}"])
    if sys.platform.startswith("linux") and installed.get("torch") != pins["torch"]:
        install_cpu_torch(environment, pins)
    install_packages(environment)
    if not has_compiler:
        llama_build.check_prebuilt(environment)
    elif lacks_llama:
        llama_build.compile_llama(environment, pins[llama_build.PACKAGE], count_cores(), rebuild)
    environment.pip(
        "the course itself",
        ["install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
    )
    environment.mark_complete()
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(f"Ready after {minutes} min {seconds} s.")
    if ON_WINDOWS:
        print(r"Open the course: .venv\Scripts\jupyter lab notebooks\00_start_here.ipynb")


class Environment:
    """The virtual environment ``.venv``, its log and the mark that says it is complete."""

    def __init__(self, folder):
        self.folder = folder
        self.python = folder / ("Scripts/python.exe" if ON_WINDOWS else "bin/python")
        self.log = folder / "set-up.log"
        self.mark = folder / "set-up-complete"

    def state(self):
        """What a complete environment depends on: the pins, this Python, and the place."""
        text = [(ROOT / name).read_bytes() for name in ("requirements.txt", "pyproject.toml")]
        here = f"{platform.python_version()} {self.folder}"
        return hashlib.sha256(b"\0".join([*text, here.encode()])).hexdigest()

    def complete(self):
        try:
            return self.mark.read_text() == self.state() and self.python.exists()
        except OSError:
            return False

    def mark_complete(self):
        self.mark.write_text(self.state())

    def usable(self):
        """Whether it runs, has pip, belongs to this Python, and still lies where it was made."""
        code = "import pip, platform, sys; print(platform.python_version(), sys.prefix)"
        try:
            answer = subprocess.run(
                [str(self.python), "-c", code], capture_output=True, text=True, timeout=60
            )
            # Its commands hold the absolute path of the folder in which they were made.
            config = (self.folder / "pyvenv.cfg").read_text()
        except (OSError, subprocess.TimeoutExpired):
            return False
        made_at = re.search(r"^command = .* (\S.*)$", config, re.MULTILINE)
        moved = made_at is not None and not made_at.group(1).endswith(str(self.folder))
        version = answer.stdout.split()[:1]
        return answer.returncode == 0 and version == [platform.python_version()] and not moved

    def make(self):
        if self.folder.exists():
            print(f"{self.folder} is unfinished, moved or of another Python: making it again.")
        answer = subprocess.run(
            [sys.executable, "-m", "venv", "--clear", str(self.folder)],
            capture_output=True,
            text=True,
        )
        if answer.returncode != 0:
            raise llama_build.SetupError(
                "Python could not make a virtual environment.",
                "On Debian or Ubuntu: sudo apt install python3-venv. Elsewhere: install Python "
                f"from its own site, or {llama_build.CONDA}.",
                answer.stdout + answer.stderr,
            )

    def installed(self):
        """The packages that are there: {name: version without local part}."""
        code = (
            "import importlib.metadata as m\n"
            "for d in m.distributions(): print(d.metadata['Name'], d.version)"
        )
        answer = subprocess.run([str(self.python), "-c", code], capture_output=True, text=True)
        pairs = (line.split() for line in answer.stdout.splitlines())
        return {normalise(pair[0]): pair[1].partition("+")[0] for pair in pairs if len(pair) == 2}

    def pip(self, what, arguments, variables=None):
        """Run pip in the environment; it writes to the screen itself."""
        command = [str(self.python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
        self.run(what, [*command, *arguments], variables)

    def uv(self, what, arguments, variables=None):
        """Run ``uv pip install`` in the environment; all is pinned, so nothing is resolved."""
        command = [str(self.python), "-m", "uv", "pip", "install", "--no-deps", "--python"]
        self.run(what, [*command, str(self.python), *arguments], variables)

    def run(self, what, command, variables=None, run=subprocess.run):
        """Run a command; ``variables`` are added to the environment's, or taken away where None.

        Raises SetupError, with a remedy, when the command fails.  ``run`` may keep what it says.
        """
        settings = {**os.environ, "PYTHONUNBUFFERED": "1", **(variables or {})}
        settings = {name: value for name, value in settings.items() if value is not None}
        started = time.monotonic()
        answer = run(command, stdin=subprocess.DEVNULL, env=settings)
        if answer.returncode != 0:
            log = answer.stdout or ""
            end = "".join(log.splitlines(keepends=True)[-LOG_LINES_SHOWN:])
            remedy = llama_build.remedy_for(log) if log else READ_ABOVE
            raise llama_build.SetupError(f"Installing {what} failed.", remedy, end)
        print(f"  done: {what} ({time.monotonic() - started:.0f} s)", flush=True)


def use_a_python_that_fits():
    """Go on in a Python that the course supports, or say which one to install."""
    if OLDEST <= sys.version_info[:2] < TOO_NEW:
        return
    for minor in (13, 12, 11, 14):
        found = shutil.which(f"python3.{minor}")
        if found:
            sys.exit(subprocess.call([found, *sys.argv]))
    print(
        f"The course needs Python 3.11, 3.12, 3.13 or 3.14; this is {platform.python_version()}.\n"
        f"What to do: install one of them and start again, or {llama_build.CONDA}.",
        file=sys.stderr,
    )
    sys.exit(1)


def install_cpu_torch(environment, pins):
    """Install PyTorch's CPU build from PyTorch's own index, or any build where it is out of reach.

    uv knows where that index is; pip does not.  Two short attempts, then pip's own sources.
    """
    torch = f"torch=={pins['torch']}"
    patience = {"UV_HTTP_CONNECT_TIMEOUT": "5", "UV_HTTP_RETRIES": "1"}
    try:
        environment.uv("PyTorch, CPU build", ["--torch-backend", "cpu", torch], patience)
    except llama_build.SetupError:
        print(
            "  PyTorch's own index gave no CPU build, so pip's usual source is asked. On Linux\n"
            "  that may bring the CUDA build: the course runs the same on it, but it downloads\n"
            "  several GB.",
            flush=True,
        )
        environment.pip("PyTorch", ["install", "--no-compile", torch])


def install_packages(environment):
    """Install every pinned package but llama-cpp-python; all are pinned, so nothing is resolved."""
    lines = (ROOT / "requirements.txt").read_text().splitlines(keepends=True)
    others = environment.folder / "requirements-without-llama.txt"
    others.write_text("".join(line for line in lines if not line.startswith(llama_build.PACKAGE)))
    try:
        environment.uv("packages", ["--requirement", str(others)])
    except llama_build.SetupError:
        # pip knows sources that uv does not read: pip.conf, and the variables that begin with PIP_.
        print("  uv could not; pip tries.", flush=True)
        arguments = ["install", "--no-deps", "--no-compile", "--requirement", str(others)]
        environment.pip("packages", arguments)


def read_pins(file):
    """The versions in requirements.txt: {name: version}."""
    pins = {}
    for line in file.read_text().splitlines():
        name, equals, rest = line.partition("==")
        if equals and not line.startswith("#"):
            pins[normalise(name)] = rest.split(";")[0].strip()
    return pins


def normalise(name):
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def count_cores():
    """Cores this process may use (a stand-alone script cannot ask ``course_utils.machine``)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
