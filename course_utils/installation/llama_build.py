"""llama.cpp's installation: compiled for this processor, or a wheel where no compiler is.

Like bootstrap.py, which calls it, it needs nothing but Python's standard library.
"""

from __future__ import annotations

import collections
import contextlib
import os
import queue
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ON_WINDOWS = sys.platform == "win32"
PACKAGE = "llama-cpp-python"
# Where llama-cpp-python's own project publishes wheels for computers without a compiler.
PREBUILT_WHEELS = "https://abetlen.github.io/llama-cpp-python/whl/cpu"
# Of llama.cpp's 193 files the course uses 83: the library without servers, tools and images.
ONLY_THE_LIBRARY = [
    "-DLLAVA_BUILD=OFF",
    *(f"-DLLAMA_BUILD_{part}=OFF" for part in ("TOOLS", "SERVER", "EXAMPLES", "TESTS")),
    f"-DCMAKE_PROJECT_INCLUDE={(HERE / 'only_the_library.cmake').as_posix()}",
]
# On 2 cores the compilation took 3 min 28 s of waiting, and both cores all the time.
CORE_MINUTES = 7
CONDA = "install Miniforge and follow the lines for conda in README.md: it needs no compiler"


class SetupError(Exception):
    """A problem and its remedy, in plain words; the log's last lines when there are some."""

    def __init__(self, problem, remedy, log=""):
        super().__init__(problem)
        self.problem, self.remedy, self.log = problem, remedy, log


def compiler_works():
    """Whether a C++ compiler compiles a small program here."""
    if ON_WINDOWS:
        programs = Path(os.environ.get("PROGRAMFILES(X86)", r"C:\Program Files (x86)"))
        visual_studio = programs / "Microsoft Visual Studio" / "Installer" / "vswhere.exe"
        return bool(shutil.which("cl")) or visual_studio.exists()
    compilers = [os.environ.get("CXX", ""), "c++", "g++", "clang++"]
    program = "#include <vector>\nint main() { return std::vector<int>().size(); }\n"
    return any(
        subprocess.run(
            [compiler, "-x", "c++", "-fsyntax-only", "-"],
            input=program.encode(),
            capture_output=True,
        ).returncode
        == 0
        for compiler in filter(None, (shutil.which(name) for name in compilers if name))
    )


def compiler_command():
    """The command that installs a C++ compiler on this system."""
    if ON_WINDOWS:
        return "Visual Studio's Build Tools with the C++ workload"
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


def install_prebuilt(environment, version):
    """Install the wheel that llama-cpp-python's project has built, where there is no compiler."""
    print(
        "No working C++ compiler was found, so a llama.cpp is taken that was compiled elsewhere.\n"
        "It runs on most processors and uses the full strength of none: answers come as fast, but\n"
        "where a build of one's own read 95 tokens of a prompt in a second, such a one read 69.",
        flush=True,
    )
    wheel = ["--only-binary", PACKAGE, "--index-url", PREBUILT_WHEELS, f"{PACKAGE}=={version}"]
    with _remedy_of_a_missing_compiler():
        environment.pip("llama.cpp, prebuilt", ["install", "--retries", "1", "--no-deps", *wheel])


def check_prebuilt(environment):
    """Raise SetupError unless the prebuilt library runs here; numpy has to be there."""
    with _remedy_of_a_missing_compiler():
        _load_library(environment)


@contextlib.contextmanager
def _remedy_of_a_missing_compiler():
    try:
        yield
    except SetupError as error:
        raise SetupError(
            "No working C++ compiler was found, and no prebuilt llama.cpp that fits this computer.",
            f"Install a compiler and start again: {compiler_command()}. Or {CONDA}.",
            error.log,
        ) from None


def _load_library(environment):
    """Load the library: that finds every function which llama_cpp expects in it."""
    environment.run("llama.cpp", [str(environment.python), "-c", "import llama_cpp"])


def compile_llama(environment, version, cores, rebuild):
    """Compile llama-cpp-python for this processor, or take it from pip's cache."""
    estimate = max(1, round(0.3 + CORE_MINUTES / cores))
    print(
        f"Compiling llama.cpp is the long part: about {estimate} minutes on {cores} cores,\n"
        "or none if this computer has compiled it before.",
        flush=True,
    )
    jobs = "CMAKE_BUILD_PARALLEL_LEVEL"
    variables = {
        # Without a number, ninja starts more compilers than a container has cores or memory for.
        jobs: os.environ.get(jobs, str(cores)),
        # Where this is set, llama.cpp leaves out AVX2 to make equal files on unequal processors.
        "SOURCE_DATE_EPOCH": None,
    }

    def build(arguments, variables):
        command = [str(environment.python), "-m", "pip", "--disable-pip-version-check", *arguments]
        run = run_showing_files("llama.cpp", environment.log)
        environment.run("llama.cpp, compiled", command, variables, run)
        _load_library(environment)

    anew = ["--force-reinstall", "--no-cache-dir", "--no-binary", PACKAGE]
    arguments = ["install", "--verbose", "--no-deps", f"{PACKAGE}=={version}"]
    options = " ".join([os.environ.get("CMAKE_ARGS", ""), *map(shlex.quote, ONLY_THE_LIBRARY)])
    try:
        less = {**variables, "CMAKE_ARGS": options.strip()}
        build([*arguments, *(anew if rebuild else [])], less)
    except SetupError as error:
        if error.log and error.remedy != UNKNOWN_REMEDY:
            raise
        # A new version may want what is left out here, to build or to load.
        print("  llama.cpp could not be built without its tools; all of it is built.", flush=True)
        build([*arguments, *anew], variables)


class Progress:
    """One line that changes on a terminal, or a line every 15 seconds in a log file."""

    INTERVAL = 15

    def __init__(self, what, stream=None):
        self.what = what
        self.stream = stream or sys.stdout
        self.started = time.monotonic()
        self.on_terminal = self.stream.isatty()
        self.step, self.steps = 0, 0
        self.shown_at = self.started if not self.on_terminal else 0.0

    def show(self, line):
        """Take one line of output, or "" for a second that passed without any."""
        step = re.match(r"\s*\[(\d+)/(\d+)\]", line)
        if step:
            self.step, self.steps = int(step.group(1)), int(step.group(2))
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
        """How far it is, and for how long it has been going on."""
        minutes, seconds = divmod(round(time.monotonic() - self.started), 60)
        waited = f"{minutes} min {seconds:02d} s"
        if not self.steps:
            return waited
        filled = 20 * self.step // self.steps
        bar = "#" * filled + "." * (20 - filled)
        return f"[{bar}] {self.step} of {self.steps} files compiled, {waited}"

    def close(self):
        if self.on_terminal:
            self.stream.write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")
            self.stream.flush()


def run_showing_files(what, log_file):
    """What runs a command as ``subprocess.run`` does: output to the log, a bar on the screen."""

    def run(command, **options):
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            **options,
        )
        lines = queue.Queue()
        threading.Thread(target=_read_lines, args=(process.stdout, lines), daemon=True).start()
        progress = Progress(what)
        kept = collections.deque(maxlen=1000)
        try:
            with open(log_file, "a", encoding="utf-8", errors="replace") as log:
                for line in _until_end(lines):
                    log.write(line)
                    kept.append(line)
                    progress.show(line)
            return subprocess.CompletedProcess(command, process.wait(), "".join(kept))
        except BaseException:
            _stop(process)
            raise
        finally:
            progress.close()

    return run


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


UNKNOWN_REMEDY = f"Read the lines above, mend what they name and start again. Or {CONDA}."


def remedy_for(log):
    """What to do about the failure that the output of a build tells of."""
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
            r"|ConnectTimeout|Read timed out|Connection (refused|reset|aborted)|dns error"
            r"|Network is unreachable|SSLError|ProxyError|error sending request",
            "The network failed. Check the connection (behind a proxy, set HTTPS_PROXY) and start "
            "again; what was downloaded is kept.",
        ),
    )
    return next((remedy for pattern, remedy in signs if re.search(pattern, log)), UNKNOWN_REMEDY)
