"""What the self-test promises: a remedy on every failing line, and a report on every machine."""

import hashlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from nbval.plugin import get_sanitize_patterns

from course_utils import machine, paths
from course_utils.installation import selftest
from course_utils.installation.selftest import Check, Report
from course_utils.units import GIB

X86 = "CPU : SSE3 = 1 | AVX = 1 | AVX2 = 1 | F16C = 1 | LLAMAFILE = 1 | "
X86_OLD = "CPU : SSE3 = 1 | AVX2 = 0 | LLAMAFILE = 1 | "
APPLE = "Metal : EMBED_LIBRARY = 1 | CPU : NEON = 1 | ARM_FMA = 1 | "


def line(report, name):
    return next(check for check in report.checks if check.name == name)


@pytest.fixture(scope="module")
def report():
    return selftest.selftest()


def test_this_machine_can_run_the_course(report):
    assert [check for check in report.checks if check.outcome == "failed"] == []
    assert report.ok


def test_every_line_that_is_not_passed_says_what_to_do(report):
    assert all(check.remedy for check in report.checks if check.outcome != "passed")
    assert all(check.found for check in report.checks)


def test_the_processor_features_of_llama_cpp_are_told(report):
    assert re.search(r"AVX2|NEON", line(report, "llama.cpp").found)


def test_the_table_says_in_words_what_the_symbols_say():
    shown = Report(
        (Check("Disk", "warning", "1 < 2", "Run `make lab`."), Check("Python", "passed", "3.12"))
    )
    table = shown._repr_html_()
    assert "! warning" in table and "✓ passed" in table
    assert "1 &lt; 2" in table and "<code>make lab</code>" in table
    assert '<th scope="row"' in table and "<caption>" in table
    assert "What to do: Run" not in table.replace("<strong>What to do:</strong>", "")
    assert "warning; what to do: Run `make lab`." in repr(shown)


def test_a_warning_passes_and_a_failure_does_not():
    warning, failure = Check("a", "warning", "b", "c"), Check("a", "failed", "b", "c")
    assert Report((warning,)).ok and not Report((warning, failure)).ok
    assert Report((warning, failure)).verdict == "1 of 2 checks passed (1 with a warning)."


def test_a_check_that_breaks_down_is_a_line_and_not_a_traceback(monkeypatch):
    def no_such_file():
        raise OSError("odd machine")

    monkeypatch.setattr(machine, "cpu_name", no_such_file)
    cores = line(selftest.selftest(), "Processor cores")
    assert cores.outcome == "warning" and "odd machine" in cores.found


def test_a_missing_package_is_a_line_with_the_way_to_mend_it(monkeypatch):
    real = importlib.metadata.version

    def without_tokenizers(name):
        if name == "tokenizers":
            raise importlib.metadata.PackageNotFoundError(name)
        return "0.1" if name == "jinja2" else real(name)

    monkeypatch.setattr(selftest.importlib.metadata, "version", without_tokenizers)
    packages = line(selftest.selftest(), "Packages")
    assert packages.outcome == "failed"
    assert "tokenizers is missing" in packages.found and "jinja2 is 0.1" in packages.found
    assert "make lab" in packages.remedy


def test_a_bare_python_still_gets_a_report():
    """Without a single package installed, the self-test names what is missing."""
    code = "from course_utils.selftest import selftest; print(selftest())"
    answer = subprocess.run(
        [sys.executable, "-S", "-I", "-c", f"import sys; sys.path.insert(0, '.'); {code}"],
        capture_output=True,
        text=True,
        cwd=paths.repository_root(),
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert "the package psutil is missing" in answer.stdout


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii", "utf-8"])
@pytest.mark.parametrize("program", ["selftest", "installation.selftest"])
def test_every_terminal_can_show_the_report(encoding, program):
    """Run without a single package, which is fast: the lines are there, whatever they say."""
    answer = subprocess.run(
        [sys.executable, "-S", "-m", f"course_utils.{program}"],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": "", "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        cwd=paths.repository_root(),
        check=False,
    )
    shown = answer.stdout.decode(encoding)
    assert answer.stderr == b"" and answer.returncode == 1
    assert ("✓" if encoding == "utf-8" else "+") + " Course folder" in shown
    assert "checks passed" in shown


def test_letters_that_a_terminal_lacks_are_replaced_by_the_nearest():
    code = "import sys; sys.argv = ['-m']; import course_utils; print('✓ 3 × é → “ł”…')"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": "."},
        cwd=paths.repository_root(),
        check=True,
    )
    assert answer.stdout.decode().strip() == '+ 3 x e -> "?"...'


@pytest.mark.parametrize(
    ("system_info", "architecture", "missing"),
    [
        (X86, "x86_64", ""),
        (X86, "AMD64", ""),
        (X86_OLD, "x86_64", "AVX2"),
        (APPLE, "arm64", ""),
        ("CPU : ARM_FMA = 1", "aarch64", "NEON"),
        ("CPU : RVV = 1", "riscv64", ""),
        ("", "x86_64", "AVX2"),
    ],
)
def test_a_llama_cpp_built_without_vector_instructions_is_noticed(
    system_info, architecture, missing
):
    assert selftest.missing_cpu_feature(system_info, architecture) == missing


def test_the_build_date_variable_is_named_as_the_cause_when_it_is_set(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert "SOURCE_DATE_EPOCH" not in selftest.rebuild_remedy()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert "unset it" in selftest.rebuild_remedy()


def test_a_llama_cpp_that_dies_on_loading_does_not_take_the_kernel_along(monkeypatch, tmp_path):
    package = tmp_path / "llama_cpp"
    package.mkdir()
    (package / "__init__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = line(selftest.selftest(), "llama.cpp")
    assert found.outcome == "failed" and "does not load" in found.found
    assert "Build it again" in found.remedy


@pytest.mark.parametrize(
    ("total", "available", "outcome"), [(8, 5, "passed"), (8, 1, "warning"), (1, 0.5, "warning")]
)
def test_too_little_memory_is_a_warning(monkeypatch, total, available, outcome):
    monkeypatch.setattr(machine, "total_memory_bytes", lambda: total * GIB)
    monkeypatch.setattr(machine, "available_memory_bytes", lambda: available * GIB)
    assert selftest._memory()[0] == outcome


def test_a_damaged_and_a_missing_model_are_told_apart(tmp_path):
    for name in ("whole", "damaged", "missing"):
        card = {"file": f"{name}.gguf", "sha256": hashlib.sha256(b"weights").hexdigest()}
        (tmp_path / f"{name}.card.json").write_text(json.dumps(card))
    (tmp_path / "whole.gguf").write_bytes(b"weights")
    (tmp_path / "damaged.gguf").write_bytes(b"weight")
    problems, intact = selftest.damaged_models(tmp_path)
    assert problems == ["damaged.gguf is damaged", "missing.gguf is missing"]
    assert intact == 1


def test_the_command_fails_when_a_check_fails(monkeypatch, capsys):
    bad = Report((Check("Python", "failed", "2.7", "Install Python 3."),))
    monkeypatch.setattr(selftest, "selftest", lambda: bad)
    assert selftest.main() == 1
    assert "Install Python 3." in capsys.readouterr().out


def test_the_sanitiser_leaves_only_the_verdict_of_the_self_test_to_compare(report):
    """nbval compares notebook 00 on another machine: only the verdict may remain."""
    sanitise = read_sanitiser(Path(__file__).with_name("sanitize.cfg"))
    other = Report(tuple(Check(check.name, "passed", "something else") for check in report.checks))
    same_verdict = Report(tuple(Check(c.name, "passed", c.found) for c in report.checks))
    assert sanitise(repr(same_verdict)) == sanitise(repr(other))
    assert sanitise(same_verdict._repr_html_()) == sanitise(other._repr_html_())
    assert "checks passed" in sanitise(repr(other))
    slower = Report((*other.checks[1:], Check("Memory", "warning", "little", "Close programs.")))
    assert sanitise(repr(slower)) == sanitise(repr(other))
    worse = Report((*other.checks[1:], Check("x", "failed", "y", "z")))
    assert sanitise(repr(worse)) != sanitise(repr(other))


def read_sanitiser(file):
    """The sanitiser as nbval itself reads it: each regular expression replaced in turn."""
    patterns = get_sanitize_patterns(file.read_text(encoding="utf-8"))

    def sanitise(text):
        for pattern, replacement in patterns:
            text = re.sub(pattern, replacement, text)
        return text

    return sanitise


@pytest.mark.parametrize(
    "text", ["2 samples, 3 solutions", "5 steps", "12 shots", "8 GB of memory"]
)
def test_the_sanitiser_leaves_counts_alone(text):
    assert read_sanitiser(Path(__file__).with_name("sanitize.cfg"))(text) == text


@pytest.mark.parametrize("text", ["in 0.31 s", "12.5 tok/s", "<object at 0x7f12ab34cd>"])
def test_the_sanitiser_hides_times_and_addresses(text):
    sanitised = read_sanitiser(Path(__file__).with_name("sanitize.cfg"))(text)
    assert not re.search(r"0\.31|12\.5|7f12", sanitised)
