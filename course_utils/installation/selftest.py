"""The self-test: each thing that the course needs, found or not, and what to do if not.

In a notebook: ``selftest()``.  In a terminal: ``make check``, or
``python -m course_utils.selftest``, which exits with 1 when a check failed.  A warning means that
the course runs, but less well.  Packages are imported inside the checks, so that a missing one is
a line of the table.
"""

from __future__ import annotations

import html
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from course_utils import command_line, paths
from course_utils.hashing import hash_file
from course_utils.units import GIB, readable_memory

Outcome = Literal["passed", "warning", "failed"]
SYMBOLS: dict[Outcome, str] = {"passed": "✓", "warning": "!", "failed": "✗"}
PLAIN_SYMBOLS: dict[Outcome, str] = {"passed": "+", "warning": "!", "failed": "x"}

# A kernel with PyTorch and a nano model in training stays below this.
MEMORY_NEEDED_BYTES = 2 * GIB
# Room for figures, checkpoints and a stand-in; QwQ-32B itself is planned in notebook 06.
DISK_NEEDED_BYTES = 10**9
# Below one channel of DDR3 memory something else is using the machine.
BANDWIDTH_EXPECTED = 6e9

SET_UP_AGAIN = (
    "Run `make lab` in the course's folder, or with conda "
    "`conda env update -f environment.yml --prune`, and open the notebook from there."
)


@dataclass(frozen=True)
class Check:
    """One line of the self-test: what was looked at, what was found, and the remedy if any."""

    name: str
    outcome: Outcome
    found: str
    remedy: str = ""


@dataclass(frozen=True, repr=False)
class Report:
    """The self-test's result: a table in a notebook, lines of text elsewhere."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """True when nothing failed; warnings are allowed."""
        return all(check.outcome != "failed" for check in self.checks)

    @property
    def verdict(self) -> str:
        passed = sum(check.outcome != "failed" for check in self.checks)
        warnings = sum(check.outcome == "warning" for check in self.checks)
        note = f" ({warnings} with a warning)" if warnings else ""
        return f"{passed} of {len(self.checks)} checks passed{note}."

    def __repr__(self) -> str:
        lines = ["Self-test of this machine"]
        symbols = SYMBOLS if _can_show(SYMBOLS.values()) else PLAIN_SYMBOLS
        for check in self.checks:
            lines.append(f"{symbols[check.outcome]} {check.name}: {check.found}")
            if check.remedy:
                lines.append(f"  {check.outcome}; what to do: {check.remedy}")
        return "\n".join([*lines, self.verdict])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{html.escape(check.name)}</th>'
            '<td style="text-align:left;white-space:nowrap">'
            f"{SYMBOLS[check.outcome]} {check.outcome}</td>"
            f'<td style="text-align:left">{_html_text(check.found)}'
            + (f"<br><strong>What to do:</strong> {_html_text(check.remedy)}" * bool(check.remedy))
            + "</td></tr>"
            for check in self.checks
        )
        head = "".join(
            f'<th scope="col" style="text-align:left">{title}</th>'
            for title in ("Check", "Result", "Found")
        )
        return (
            '<table class="self-test"><caption>Self-test of this machine</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
            f"<p>{html.escape(self.verdict)}</p>"
        )


def selftest() -> Report:
    """Look at everything the course needs. Takes a few seconds and never raises."""
    return Report(tuple(_run(name, check) for name, check in CHECKS))


def main(arguments: Sequence[str] = ()) -> int:
    command_line.refuse_arguments(__doc__, arguments)
    report = selftest()
    print(report)
    return 0 if report.ok else 1


def _run(name: str, check: Callable[[], tuple[Outcome, str, str]]) -> Check:
    try:
        return Check(name, *check())
    except ImportError as error:
        return Check(name, "failed", f"the package {error.name} is missing", SET_UP_AGAIN)
    except Exception as error:
        # On a machine this odd, the rest of the table is worth more than a traceback.
        found = f"could not be looked at ({type(error).__name__}: {error})"
        return Check(name, "warning", found, "Go on; come back here if a notebook fails.")


def _python() -> tuple[Outcome, str, str]:
    from packaging.specifiers import SpecifierSet

    bits = 64 if sys.maxsize > 2**32 else 32
    found = f"{platform.python_version()}, {bits} bits, {platform.system()} {platform.machine()}"
    wanted = SpecifierSet(_project()["requires-python"])
    if not wanted.contains(platform.python_version(), prereleases=True) or bits != 64:
        return "failed", found, f"Install a 64-bit Python {wanted}, then: {SET_UP_AGAIN}"
    if _under_rosetta():
        return (
            "warning",
            f"{found}, translated for an Intel Mac",
            "Install Python for Apple silicon; this one runs everything several times slower.",
        )
    return "passed", found, ""


def _course_folder() -> tuple[Outcome, str, str]:
    root = paths.repository_root()
    missing = [name for name in ("notebooks", "models") if not (root / name).is_dir()]
    if missing:
        remedy = "Clone the whole course and install it from that folder with `pip install -e .`."
        return "failed", f"no folder {' or '.join(missing)} beside course_utils", remedy
    return "passed", "notebooks and models are beside course_utils", ""


def _packages() -> tuple[Outcome, str, str]:
    from packaging.requirements import Requirement

    wanted = [Requirement(line) for line in _project()["dependencies"]]
    wrong = []
    for requirement in wanted:
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, wanted {requirement.specifier}")
    if wrong:
        return "failed", "; ".join(wrong), SET_UP_AGAIN
    return "passed", f"all {len(wanted)} packages, each new enough", ""


def _llama_cpp() -> tuple[Outcome, str, str]:
    # In a process of its own: a library built for another processor kills the one that loads it.
    code = (
        "import llama_cpp, llama_cpp.llama_cpp as library;"
        "print(llama_cpp.__version__); print(library.llama_print_system_info().decode())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    if answer.returncode != 0:
        last_line = (answer.stderr.strip().splitlines() or ["no message"])[-1]
        found = f"does not load (exit status {answer.returncode}: {last_line})"
        return "failed", found, rebuild_remedy()
    version, _, system_info = answer.stdout.strip().partition("\n")
    missing = missing_cpu_feature(system_info, platform.machine())
    if not missing:
        features = ", ".join(cpu_features(system_info))
        return "passed", f"llama-cpp-python {version}, built with {features}", ""
    found = (
        f"llama-cpp-python {version}, built without {missing}: it runs several times slower than "
        "it could"
    )
    if missing == "AVX2" and not _processor_may_have_avx2():
        return "warning", found, "Nothing to mend: this processor has no AVX2. Expect long waits."
    return "warning", found, rebuild_remedy()


def cpu_features(system_info: str) -> list[str]:
    """The processor features llama.cpp uses, from the text of ``llama_print_system_info``."""
    features = []
    for entry in system_info.replace("CPU :", "|").split("|"):
        name, _, value = entry.partition("=")
        if value.strip() == "1":
            features.append(name.strip())
    return features


def missing_cpu_feature(system_info: str, architecture: str) -> str:
    """The feature llama.cpp should have been built with on this architecture, or ""."""
    wanted = {"x86_64": "AVX2", "amd64": "AVX2", "arm64": "NEON", "aarch64": "NEON"}
    feature = wanted.get(architecture.lower(), "")
    return "" if feature in ("", *cpu_features(system_info)) else feature


def rebuild_remedy() -> str:
    """How to compile llama.cpp again, for this processor."""
    remedy = (
        "Build it again for this processor: `make rebuild` (about four minutes). With conda, "
        "install a C++ compiler and run `python -m pip install --force-reinstall --no-deps "
        "--no-cache-dir --no-binary llama-cpp-python llama-cpp-python`."
    )
    if "SOURCE_DATE_EPOCH" in os.environ:
        remedy = (
            "The environment variable SOURCE_DATE_EPOCH is set, and then llama.cpp is built for "
            f"the oldest processors: unset it first. {remedy}"
        )
    return remedy


def _cores() -> tuple[Outcome, str, str]:
    from course_utils import machine

    usable, present = machine.usable_cores(), os.cpu_count() or 1
    found = f"{usable} usable"
    if usable < present:
        found += f" of {present} (the process is limited to them)"
    found += f", {machine.cpu_name()}"
    if usable == 1:
        return "warning", found, "Allow two or more cores if you can; training waits are doubled."
    return "passed", found, ""


def _memory() -> tuple[Outcome, str, str]:
    from course_utils import machine

    available, total = machine.available_memory_bytes(), machine.total_memory_bytes()
    found = f"{readable_memory(available)} free of {readable_memory(total)}"
    if available >= MEMORY_NEEDED_BYTES:
        return "passed", found, ""
    needed = f"{MEMORY_NEEDED_BYTES / GIB:.0f} GiB"
    remedy = f"Close other programs and notebooks until {needed} are free."
    if total < MEMORY_NEEDED_BYTES:
        remedy = f"Use a machine (or a container, or WSL) that is given {needed} or more."
    return "warning", found, remedy


def _bandwidth() -> tuple[Outcome, str, str]:
    from course_utils import machine

    rate = machine.memory_bandwidth_bytes_per_second()
    found = f"{rate / 1e9:.1f} GB read per second, with all usable cores"
    if rate < BANDWIDTH_EXPECTED:
        remedy = "Stop other busy programs, restart the kernel and look again."
        return "warning", found, remedy
    return "passed", found, ""


def _disk() -> tuple[Outcome, str, str]:
    from course_utils import machine

    free = machine.free_disk_bytes(paths.models_folder())
    found = f"{free / 1e9:.1f} GB free for models"
    if free < DISK_NEEDED_BYTES:
        return "warning", found, f"Free {DISK_NEEDED_BYTES / 1e9:.0f} GB on this disk."
    return "passed", found, ""


def _models() -> tuple[Outcome, str, str]:
    problems, intact = damaged_models(paths.nano_folder())
    if problems or not intact:
        found = "; ".join(problems) or "no model in models/nano"
        return "failed", found, "Fetch them again: `git checkout -- models/nano`."
    return "passed", f"{intact} nano models, each as its card says", ""


def damaged_models(folder: Path) -> tuple[list[str], int]:
    """What is wrong with the models in ``folder``, and how many are intact.

    Each model has a card, ``NAME.card.json``, which names its ``file`` and the ``sha256`` of it.
    """
    problems, intact = [], 0
    for card in sorted(folder.glob("*.card.json")):
        facts = json.loads(card.read_text(encoding="utf-8"))
        model = folder / facts["file"]
        if not model.is_file():
            problems.append(f"{model.name} is missing")
        elif hash_file(model) != facts["sha256"]:
            problems.append(f"{model.name} is damaged")
        else:
            intact += 1
    return problems, intact


def _project() -> dict:
    text = (paths.repository_root() / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["project"]


def _under_rosetta() -> bool:
    """Whether this is an Intel Python on Apple silicon, translated instruction by instruction."""
    if sys.platform != "darwin" or platform.machine() != "x86_64":
        return False
    answer = subprocess.run(
        ["/usr/sbin/sysctl", "-n", "sysctl.proc_translated"],
        capture_output=True,
        text=True,
        timeout=5,
        check=False,
    )
    return answer.stdout.strip() == "1"


def _processor_may_have_avx2() -> bool:
    """False only where the processor's own list of features is known and lacks AVX2."""
    file = Path("/proc/cpuinfo")
    return not file.is_file() or "avx2" in file.read_text().split()


def _can_show(symbols: Iterable[str]) -> bool:
    """Whether the terminal has these letters; older Windows terminals lack the check mark."""
    try:
        "".join(symbols).encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _html_text(text: str) -> str:
    """Escape ``text`` and set what stands between backticks as code."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


CHECKS: tuple[tuple[str, Callable[[], tuple[Outcome, str, str]]], ...] = (
    ("Python", _python),
    ("Course folder", _course_folder),
    ("Packages", _packages),
    ("llama.cpp", _llama_cpp),
    ("Processor cores", _cores),
    ("Memory", _memory),
    ("Memory bandwidth", _bandwidth),
    ("Disk", _disk),
    ("Shipped models", _models),
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
