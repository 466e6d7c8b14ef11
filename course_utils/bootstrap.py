"""How does a fresh clone become a course that runs? This makes ``.venv`` and fills it.

``make lab`` and ``make test`` call it; on Windows run ``py course_utils\\bootstrap.py``.  It needs
nothing but Python and a C++ compiler, it may be interrupted and started again, and a second run
returns at once.

It stands alone: it runs before any package is there, and even on a Python that is too old for
the rest of the course, so it is written for Python 3.8 and imports nothing of ``course_utils``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST, TOO_NEW = (3, 11), (3, 15)
ON_WINDOWS = sys.platform == "win32"
COMPILED = "llama-cpp-python"
# On 2 cores the compilation took 5 min 2 s of waiting and 9 min of processor time.
CORE_MINUTES = 9.5
LOG_LINES_SHOWN = 20
# What pip says, and what the line of progress says.
PIP_STAGES = {
    "Requirement already satisfied:": "found",
    "Collecting": "looking for",
    "Downloading": "downloading",
    "Using cached": "taking",
    "Building wheel for": "building",
}

CONDA = "install Miniforge and follow the lines for conda in README.md: it needs no compiler"


class SetupError(Exception):
    """A problem and its remedy, in plain words; the log's last lines when there are some."""

    def __init__(self, problem, remedy, log=""):
        super().__init__(problem)
        self.problem, self.remedy, self.log = problem, remedy, log


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rebuild", action="store_true", help="compile llama.cpp again, for this processor"
    )
    options = parser.parse_args(arguments)
    use_a_python_that_fits()
    environment = Environment(ROOT / ".venv")
    try:
        set_up(environment, options.rebuild)
    except SetupError as error:
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
    cores = count_cores()
    print(f"Setting up the course in {environment.folder}. This happens once.", flush=True)
    if not environment.usable():
        environment.make()
    installed = environment.installed()
    compile_llama = rebuild or installed.get(COMPILED) != pins[COMPILED]
    if compile_llama:
        require_compiler()
        estimate = max(1, round(0.3 + CORE_MINUTES / cores))
        print(
            f"Compiling llama.cpp is the long part: about {estimate} minutes on {cores} cores,\n"
            "or none if this computer has compiled it before.",
            flush=True,
        )
    if sys.platform.startswith("linux") and installed.get("torch") != pins["torch"]:
        install_cpu_torch(environment, pins)
    install_packages(environment)
    if compile_llama:
        install_llama(environment, pins[COMPILED], cores, rebuild)
    environment.pip(
        "the course itself",
        ["install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
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
            raise SetupError(
                "Python could not make a virtual environment.",
                "On Debian or Ubuntu: sudo apt install python3-venv. Elsewhere: install Python "
                f"from its own site, or {CONDA}.",
                answer.stdout + answer.stderr,
            )
        self.log.write_text("")

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
        """Run pip in the environment, showing its progress under the name ``what``."""
        command = [str(self.python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
        self.run(what, [*command, *arguments], variables)

    def run(self, what, command, variables=None):
        """Run a command with its output in the log and a line of progress on the screen.

        ``variables`` are added to those of the environment, or taken away where they are None.
        Raises SetupError with the end of the log and a remedy when the command fails.
        """
        settings = {**os.environ, "PYTHONUNBUFFERED": "1", **(variables or {})}
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={name: value for name, value in settings.items() if value is not None},
            start_new_session=True,
        )
        lines = queue.Queue()
        threading.Thread(target=_read_lines, args=(process.stdout, lines), daemon=True).start()
        progress = Progress(what)
        last_lines = []
        try:
            with open(self.log, "a", encoding="utf-8", errors="replace") as log:
                log.write(f"\n$ {' '.join(command)}\n")
                for line in _until_end(lines):
                    if line:
                        log.write(line)
                        last_lines = [*last_lines[-LOG_LINES_SHOWN + 1 :], line]
                    progress.show(line)
            status = process.wait()
        except BaseException:
            _stop(process)
            raise
        finally:
            progress.close()
        if status != 0:
            raise SetupError(
                f"Installing {what} failed.",
                remedy_for(self.log.read_text(encoding="utf-8", errors="replace")[-20000:]),
                "".join(last_lines),
            )
        print(f"  done: {what} ({progress.seconds():.0f} s)", flush=True)


class Progress:
    """One line that changes on a terminal, or a line every 15 seconds in a log file."""

    INTERVAL = 15

    def __init__(self, what, stream=None):
        self.what = what
        self.stream = stream or sys.stdout
        self.started = time.monotonic()
        self.on_terminal = self.stream.isatty()
        self.stage = "starting"
        self.step, self.steps, self.first_step_at = 0, 0, None
        self.shown_at = self.started if not self.on_terminal else 0.0

    def seconds(self):
        return time.monotonic() - self.started

    def show(self, line):
        """Take one line of output, or "" for a second that passed without any."""
        self._understand(line)
        now = time.monotonic()
        if now - self.shown_at < (0.2 if self.on_terminal else self.INTERVAL):
            return
        self.shown_at = now
        text = f"  {self.what}: {self.describe()}"
        if self.on_terminal:
            width = shutil.get_terminal_size().columns - 1
            self.stream.write("\r" + text[:width].ljust(width))
        else:
            self.stream.write(text + "\n")
        self.stream.flush()

    def describe(self):
        """What is being done, how far it is, and for how long it has been going on."""
        minutes, seconds = divmod(round(self.seconds()), 60)
        waited = f"{minutes} min {seconds:02d} s"
        if not self.steps:
            return f"{self.stage}, {waited}"
        filled = 20 * self.step // self.steps
        bar = "#" * filled + "." * (20 - filled)
        return f"[{bar}] {self.step} of {self.steps} files compiled, {waited}"

    def close(self):
        if self.on_terminal:
            self.stream.write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")
            self.stream.flush()

    def _understand(self, line):
        step = re.match(r"\s*\[(\d+)/(\d+)\]", line)
        if step:
            self.step, self.steps = int(step.group(1)), int(step.group(2))
            return
        stage = re.match(rf"\s*({'|'.join(PIP_STAGES)}) (\S+)", line)
        if stage:
            verb = PIP_STAGES[stage.group(1)]
            name = stage.group(2).split("/")[-1]
            self.stage = f"{verb} {name}"
        elif line.startswith("Installing collected packages"):
            self.stage, self.steps = "copying files", 0


def _stop(process):
    """End a command and all that it started: pip alone would leave the compilers running."""
    if ON_WINDOWS:
        process.terminate()
    else:
        os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def _read_lines(stream, lines):
    for line in stream:
        lines.put(line)
    lines.put(None)


def _until_end(lines):
    """Lines as they come; "" for every second without one, so that progress is seen."""
    while True:
        try:
            line = lines.get(timeout=1)
        except queue.Empty:
            line = ""
        if line is None:
            return
        yield line


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
        f"What to do: install one of them and start again, or {CONDA}.",
        file=sys.stderr,
    )
    sys.exit(1)


def require_compiler():
    """Raise SetupError unless a C++ compiler compiles a small program."""
    if ON_WINDOWS:
        found = (
            shutil.which("cl")
            or Path(
                os.environ.get("PROGRAMFILES(X86)", r"C:\Program Files (x86)"),
                "Microsoft Visual Studio/Installer/vswhere.exe",
            ).exists()
        )
        if not found:
            raise SetupError(
                "No C++ compiler was found, and llama.cpp has to be compiled.",
                f"Easiest: {CONDA}. Or install Visual Studio's Build Tools with the C++ workload.",
            )
        return
    compilers = [os.environ.get("CXX", ""), "c++", "g++", "clang++"]
    for compiler in filter(None, (shutil.which(name) for name in compilers if name)):
        command = [compiler, "-x", "c++", "-fsyntax-only", "-"]
        program = "#include <vector>\nint main() { return std::vector<int>().size(); }\n"
        answer = subprocess.run(command, input=program, capture_output=True, text=True)
        if answer.returncode == 0:
            return
    raise SetupError(
        "No working C++ compiler was found, and llama.cpp has to be compiled.",
        f"Install one and start again: {compiler_command()}. Or {CONDA}.",
    )


def compiler_command():
    """The command that installs a C++ compiler on this system."""
    if sys.platform == "darwin":
        return "xcode-select --install"
    commands = {
        "apt": "sudo apt install build-essential",
        "dnf": "sudo dnf install gcc-c++ make",
        "pacman": "sudo pacman -S base-devel",
        "zypper": "sudo zypper install gcc-c++ make",
        "apk": "apk add build-base",
    }
    return next((commands[name] for name in commands if shutil.which(name)), "g++ or clang++")


def install_cpu_torch(environment, pins):
    """Install PyTorch's CPU build from PyTorch's own index, or any build where it is out of reach.

    uv knows where that index is; pip does not.  Two short attempts, then pip's own sources.
    """
    torch, uv = (f"{name}=={pins[name]}" for name in ("torch", "uv"))
    environment.pip("uv", ["install", uv])
    command = [str(environment.python), "-m", "uv", "pip", "install", "--no-deps"]
    command += ["--python", str(environment.python), "--torch-backend", "cpu", torch]
    patience = {"UV_HTTP_CONNECT_TIMEOUT": "5", "UV_HTTP_RETRIES": "1"}
    try:
        environment.run("PyTorch, CPU build", command, patience)
    except SetupError:
        print(
            "  PyTorch's own index gave no CPU build, so pip's usual source is asked. On Linux\n"
            "  that may bring the CUDA build: the course runs the same on it, but it downloads\n"
            "  several GB.",
            flush=True,
        )
        environment.pip("PyTorch", ["install", "--no-compile", torch])


def install_packages(environment):
    """Install every pinned package but llama-cpp-python, so that compiling comes last."""
    lines = (ROOT / "requirements.txt").read_text().splitlines(keepends=True)
    others = environment.folder / "requirements-without-llama.txt"
    others.write_text("".join(line for line in lines if not line.startswith(COMPILED)))
    # Python compiles a module when it is first imported; most of these never are.
    environment.pip("packages", ["install", "--no-compile", "--requirement", str(others)])


def install_llama(environment, version, cores, rebuild):
    """Compile llama-cpp-python for this processor, or take it from pip's cache."""
    again = ["--force-reinstall", "--no-cache-dir", "--no-binary", COMPILED] if rebuild else []
    arguments = ["install", "--verbose", "--no-deps", *again, f"{COMPILED}=={version}"]
    jobs = "CMAKE_BUILD_PARALLEL_LEVEL"
    variables = {
        # Without a number, ninja starts more compilers than a container has cores or memory for.
        jobs: os.environ.get(jobs, str(cores)),
        # Where this is set, llama.cpp leaves out AVX2 to make equal files on unequal processors.
        "SOURCE_DATE_EPOCH": None,
    }
    environment.pip("llama.cpp", arguments, variables)


def remedy_for(log):
    """What to do about the failure that pip's output tells of."""
    signs = (
        (r"No space left on device", "Free 3 GB of disk space and start again."),
        (
            r"[Kk]illed signal|fatal error: Killed|Cannot allocate memory|out of memory",
            "Memory ran out. Close other programs, then: CMAKE_BUILD_PARALLEL_LEVEL=1 make lab.",
        ),
        (
            r"No CMAKE_C(XX)?_COMPILER could be found|CMAKE_C(XX)?_COMPILER not set",
            f"Install a C++ compiler and start again: {compiler_command()}.",
        ),
        (
            r"Temporary failure in name resolution|Name or service not known|getaddrinfo failed"
            r"|ConnectTimeout|Read timed out|Connection (refused|reset|aborted)"
            r"|Network is unreachable|SSLError|ProxyError",
            "The network failed. Check the connection (behind a proxy, set HTTPS_PROXY) and start "
            "again; what was downloaded is kept.",
        ),
        (
            r"No matching distribution found for torch",
            "PyTorch has no package for this computer with pip (Intel Macs, 32-bit systems): "
            f"{CONDA}.",
        ),
    )
    for pattern, remedy in signs:
        if re.search(pattern, log):
            return remedy
    return f"Read the lines above, mend what they name and start again. Or {CONDA}."


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
