"""What the set-up promises: it says what it does, what failed and how to mend it, and goes on."""

import ast
import io
import os
import subprocess
import sys

import psutil
import pytest

from course_utils import bootstrap
from course_utils.paths import repository_root

SCRIPT = repository_root() / "course_utils" / "bootstrap.py"


class Screen(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture
def environment(tmp_path):
    folder = tmp_path / ".venv"
    folder.mkdir()
    return bootstrap.Environment(folder)


def python(code):
    return [sys.executable, "-u", "-c", code]


def test_the_script_needs_nothing_but_pythons_standard_library():
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 8))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert imported <= sys.stdlib_module_names


def test_the_script_runs_by_its_path_alone():
    answer = subprocess.run(
        [sys.executable, "-S", "-I", str(SCRIPT), "--help"], capture_output=True, text=True
    )
    assert answer.returncode == 0 and "--rebuild" in answer.stdout


def test_an_old_python_is_told_which_one_to_install(monkeypatch, capsys):
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 10, 4))
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit) as exit_status:
        bootstrap.use_a_python_that_fits()
    assert exit_status.value.code == 1
    assert "needs Python 3.11" in capsys.readouterr().err


def test_a_newer_python_on_the_path_is_used_instead_of_an_old_one(monkeypatch):
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 9, 0))
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: f"/opt/{name}")
    called = []
    monkeypatch.setattr(bootstrap.subprocess, "call", lambda command: called.append(command) or 0)
    with pytest.raises(SystemExit):
        bootstrap.use_a_python_that_fits()
    assert called[0][0] == "/opt/python3.13"


def test_a_missing_compiler_is_named_before_anything_is_downloaded(monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(bootstrap, "ON_WINDOWS", False)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: "x" if name == "apt" else None)
    with pytest.raises(bootstrap.SetupError) as error:
        bootstrap.require_compiler()
    assert "build-essential" in error.value.remedy and "conda" in error.value.remedy


def test_a_compiler_that_cannot_compile_does_not_count(monkeypatch, tmp_path):
    broken = tmp_path / "c++"
    broken.write_text("#!/bin/sh\necho 'vector: no such file' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(bootstrap.SetupError):
        bootstrap.require_compiler()


def test_compiling_shows_how_many_files_are_done():
    progress = bootstrap.Progress("llama.cpp", Screen(terminal=True))
    progress.show("  [57/226] Building CXX object vendor/llama.cpp/src/llama-graph.cpp.o\n")
    assert "57 of 226 files compiled" in progress.describe()
    assert "57 of 226" in progress.stream.getvalue()


def test_a_terminal_gets_one_line_that_changes():
    progress = bootstrap.Progress("packages", Screen(terminal=True))
    for name in ("numpy", "torch"):
        progress.shown_at = 0
        progress.show(f"Collecting {name}\n")
    progress.close()
    text = progress.stream.getvalue()
    assert "looking for torch" in text and "\n" not in text and text.count("\r") >= 3


def test_a_log_file_gets_a_line_every_fifteen_seconds_even_in_silence(monkeypatch):
    progress = bootstrap.Progress("packages", Screen(terminal=False))
    now = progress.started
    monkeypatch.setattr(bootstrap.time, "monotonic", lambda: now)
    progress.show("Collecting torch\n")
    for _ in range(60):
        now += 1
        progress.show("")
    assert progress.stream.getvalue().count("\n") == 4
    assert "looking for torch, 1 min 00 s" in progress.stream.getvalue()


def test_a_failure_shows_the_end_of_the_log_and_a_remedy(environment):
    code = "print('one'); print('OSError: No space left on device'); raise SystemExit(3)"
    with pytest.raises(bootstrap.SetupError) as error:
        environment.run("packages", python(code))
    assert "packages failed" in error.value.problem
    assert "Free 3 GB" in error.value.remedy
    assert "No space left" in error.value.log
    assert "No space left" in environment.log.read_text()


@pytest.mark.parametrize(
    ("log", "remedy"),
    [
        ("c++: fatal error: Killed signal terminated program cc1plus", "PARALLEL_LEVEL=1"),
        ("socket.gaierror: Temporary failure in name resolution", "connection"),
        ("ERROR: No matching distribution found for torch==2.13.0", "Intel Macs"),
        ("CMake Error: CMAKE_CXX_COMPILER not set, after EnableLanguage", "C++ compiler"),
        ("something nobody foresaw", "Read the lines above"),
    ],
)
def test_known_failures_have_their_own_remedy(log, remedy):
    assert remedy in bootstrap.remedy_for(log)


def test_a_finished_set_up_is_recognised_until_the_pins_change(environment, monkeypatch, tmp_path):
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_text("numpy==2.0\n")
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    environment.python = tmp_path / "requirements.txt"
    assert not environment.complete()
    environment.mark_complete()
    assert environment.complete()
    (tmp_path / "requirements.txt").write_text("numpy==2.1\n")
    assert not environment.complete()


def test_a_half_made_or_moved_environment_is_noticed_and_made_again(environment):
    (environment.folder / "bin").mkdir()
    (environment.folder / "bin" / "python").write_text("")
    assert not environment.usable()
    environment.make()
    assert environment.usable()
    moved = environment.folder.rename(environment.folder.with_name("moved"))
    assert not bootstrap.Environment(moved).usable()


def test_a_second_run_starts_nothing(environment, monkeypatch, tmp_path):
    """So that `make lab` opens at once: not even Python is started before the mark is read."""
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_text("numpy==2.0\n")
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    environment.python.parent.mkdir()
    environment.python.write_text("")
    environment.mark_complete()

    def refuse(*arguments, **options):
        raise AssertionError("something was started")

    monkeypatch.setattr(bootstrap.subprocess, "run", refuse)
    monkeypatch.setattr(bootstrap.subprocess, "Popen", refuse)
    bootstrap.set_up(environment)
    (tmp_path / "requirements.txt").write_text("numpy==2.1\n")
    with pytest.raises(AssertionError, match="something was started"):
        bootstrap.set_up(environment)


def test_the_cpu_build_of_pytorch_is_tried_first_and_any_build_after(environment, monkeypatch):
    commands = []

    def run(what, command, variables=None):
        commands.append((command, variables))
        if "--torch-backend" in command:
            raise bootstrap.SetupError("out of reach", "none")

    monkeypatch.setattr(environment, "run", run)
    bootstrap.install_cpu_torch(environment, {"torch": "2.13.0", "uv": "0.13.9"})
    (_, _), (attempt, patience), (fallback, _) = commands
    assert attempt[-3:] == ["--torch-backend", "cpu", "torch==2.13.0"]
    assert patience == {"UV_HTTP_CONNECT_TIMEOUT": "5", "UV_HTTP_RETRIES": "1"}
    assert fallback[-1] == "torch==2.13.0" and "uv" not in fallback


def test_llama_cpp_is_built_with_the_processors_own_features(environment, monkeypatch):
    """SOURCE_DATE_EPOCH makes llama.cpp leave AVX2 out; the build must not see it."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    code = "import os; print(os.environ.get('SOURCE_DATE_EPOCH', 'unset'))"
    monkeypatch.setattr(
        environment,
        "pip",
        lambda what, arguments, variables: environment.run(what, python(code), variables),
    )
    bootstrap.install_llama(environment, "0.3.36", cores=3, rebuild=False)
    assert environment.log.read_text().rstrip().endswith("unset")
    assert os.environ["SOURCE_DATE_EPOCH"] == "0"


def test_building_again_does_not_take_the_old_build_from_a_cache(environment, monkeypatch):
    seen = []
    monkeypatch.setattr(
        environment, "pip", lambda what, arguments, variables: seen.extend(arguments)
    )
    bootstrap.install_llama(environment, "0.3.36", cores=2, rebuild=True)
    assert {"--no-cache-dir", "--force-reinstall", "--no-binary"} <= set(seen)


def test_interrupting_leaves_no_compiler_running(environment, tmp_path):
    """pip starts ninja and ninja starts compilers: all of them end."""
    number = tmp_path / "number"
    code = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(number)!r}).write_text(str(child.pid))\n"
        "print('started'); time.sleep(60)"
    )

    class Interrupting(bootstrap.Progress):
        def show(self, line):
            if line == "started\n":
                raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "Progress", Interrupting)
        with pytest.raises(KeyboardInterrupt):
            environment.run("llama.cpp", python(code))
    _, alive = psutil.wait_procs(
        [psutil.Process(pid) for pid in [int(number.read_text())] if psutil.pid_exists(pid)],
        timeout=10,
    )
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_interrupting_says_that_it_goes_on(monkeypatch, capsys):
    def interrupted(environment, rebuild):
        raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "set_up", interrupted)
    assert bootstrap.main([]) == 130
    assert "goes on where it stopped" in capsys.readouterr().err


def test_make_alone_lists_the_commands():
    answer = subprocess.run(["make"], capture_output=True, text=True, cwd=repository_root())
    for target in ("lab", "test", "check", "nano", "bench", "notebooks", "environment", "clean"):
        assert f"make {target} " in answer.stdout
