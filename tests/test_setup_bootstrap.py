"""What the set-up promises: it says what it does, what failed and how to mend it, and goes on."""

import ast
import http.server
import io
import shlex
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import psutil
import pytest

from course_utils.installation import bootstrap, llama_build
from course_utils.paths import repository_root

FOLDER = repository_root() / "course_utils" / "installation"
SCRIPT = FOLDER / "bootstrap.py"


class WheelIndex(http.server.ThreadingHTTPServer):
    """An index as pip reads it (PEP 503) on this machine, with one small wheel in it."""

    def __init__(self, package: str, version: str):
        self.page, self.wheel = (
            f"/{package.replace('_', '-')}/",
            f"{package}-{version}-py3-none-any.whl",
        )
        contents = io.BytesIO()
        with zipfile.ZipFile(contents, "w") as wheel:
            info = f"{package}-{version}.dist-info"
            wheel.writestr("llama_cpp/__init__.py", "")
            wheel.writestr(f"{info}/METADATA", f"Name: {package}\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
        answers = {
            self.page: f'<a href="/{self.wheel}">{self.wheel}</a>'.encode(),
            f"/{self.wheel}": contents.getvalue(),
        }

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = answers.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_arguments):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *exception):
        self.shutdown()
        super().__exit__(*exception)


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


@pytest.mark.parametrize("script", ["bootstrap.py", "llama_build.py"])
def test_the_script_needs_nothing_but_pythons_standard_library(script):
    tree = ast.parse((FOLDER / script).read_text(encoding="utf-8"), feature_version=(3, 8))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            imported.add(node.module.split(".")[0])
    assert imported <= {*sys.stdlib_module_names, "llama_build"}


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


def test_a_compiler_that_cannot_compile_does_not_count(monkeypatch, tmp_path):
    assert llama_build.compiler_works()
    broken = tmp_path / "c++"
    broken.write_text("#!/bin/sh\necho 'vector: no such file' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not llama_build.compiler_works()


def test_compiling_shows_how_many_files_are_done():
    progress = llama_build.Progress("llama.cpp", Screen(terminal=True))
    progress.show("  [57/226] Building CXX object vendor/llama.cpp/src/llama-graph.cpp.o\n")
    assert "57 of 226 files compiled" in progress.describe()
    assert "57 of 226" in progress.stream.getvalue()


def test_a_terminal_gets_one_line_that_changes():
    progress = llama_build.Progress("llama.cpp", Screen(terminal=True))
    for step in (1, 2):
        progress.shown_at = 0
        progress.show(f"[{step}/83] Building\n")
    progress.close()
    text = progress.stream.getvalue()
    assert "2 of 83" in text and "\n" not in text and text.count("\r") >= 3


def test_a_log_file_gets_a_line_every_fifteen_seconds_even_in_silence(monkeypatch):
    progress = llama_build.Progress("llama.cpp", Screen(terminal=False))
    now = progress.started
    monkeypatch.setattr(llama_build.time, "monotonic", lambda: now)
    progress.show("[1/83] Building\n")
    for _ in range(60):
        now += 1
        progress.show("")
    assert progress.stream.getvalue().count("\n") == 4
    assert "1 of 83 files compiled, 1 min 00 s" in progress.stream.getvalue()


def test_a_failed_compilation_shows_the_end_of_the_log_and_a_remedy(environment):
    code = "print('one'); print('OSError: No space left on device'); raise SystemExit(3)"
    run = llama_build.run_showing_files("llama.cpp", environment.log)
    with pytest.raises(llama_build.SetupError) as error:
        environment.run("llama.cpp", python(code), run=run)
    assert "llama.cpp failed" in error.value.problem
    assert "Free 3 GB" in error.value.remedy
    assert "No space left" in error.value.log
    assert "No space left" in environment.log.read_text()


def test_what_uv_and_pip_say_is_seen_and_pointed_to_when_they_fail(environment, capfd):
    with pytest.raises(llama_build.SetupError) as error:
        environment.run("packages", python("print('said'); raise SystemExit(1)"))
    assert "said" in capfd.readouterr().out
    assert "Read the lines above" in error.value.remedy and "HTTPS_PROXY" in error.value.remedy


@pytest.mark.parametrize(
    ("log", "remedy"),
    [
        ("c++: fatal error: Killed signal terminated program cc1plus", "PARALLEL_LEVEL=1"),
        ("socket.gaierror: Temporary failure in name resolution", "connection"),
        ("CMake Error: CMAKE_CXX_COMPILER not set, after EnableLanguage", "C++ compiler"),
        ("something nobody foresaw", "Read the lines above"),
    ],
)
def test_known_failures_have_their_own_remedy(log, remedy):
    assert remedy in llama_build.remedy_for(log)


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


def test_a_half_made_or_moved_environment_is_noticed_and_made_again(environment, monkeypatch):
    (environment.folder / "bin").mkdir()
    (environment.folder / "bin" / "python").write_text("")
    assert not environment.usable()
    environment.make()
    assert environment.usable()
    # While there is a real environment: a wheel from the index of llama-cpp-python's project.
    with WheelIndex("llama_cpp_python", "0.3.36") as index:
        monkeypatch.setattr(llama_build, "PREBUILT_WHEELS", index.address)
        llama_build.install_prebuilt(environment, "0.3.36")
        assert environment.installed()["llama-cpp-python"] == "0.3.36"
        llama_build.check_prebuilt(environment)
        with pytest.raises(llama_build.SetupError) as error:
            llama_build.install_prebuilt(environment, "0.3.99")
    assert "no prebuilt llama.cpp that fits" in error.value.problem
    assert "compiler" in error.value.remedy and "conda" in error.value.remedy
    moved = environment.folder.rename(environment.folder.with_name("moved"))
    assert not bootstrap.Environment(moved).usable()


def test_without_a_compiler_the_prebuilt_wheel_comes_before_everything_else(
    environment, commands, monkeypatch
):
    seen, fails, _ = commands
    monkeypatch.setattr(llama_build, "compiler_works", lambda: False)
    monkeypatch.setattr(environment, "usable", lambda: True)
    monkeypatch.setattr(environment, "installed", dict)
    bootstrap.set_up(environment)
    assert "--only-binary" in seen[0][0]
    assert not any("--verbose" in command for command, _ in seen)
    assert any("import llama_cpp" in command for command, _ in seen)
    seen.clear()
    environment.mark.unlink()
    fails.append("--only-binary")
    with pytest.raises(llama_build.SetupError, match="No working C"):
        bootstrap.set_up(environment)
    assert len(seen) == 1, "nothing is downloaded in vain"


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


@pytest.fixture
def commands(environment, monkeypatch):
    """The commands that the environment would run; those with a word in ``fails`` fail.

    A build that fails says ``log[0]``.
    """
    seen = []

    def run(what, command, variables=None, run=None):
        seen.append((command, variables))
        if any(word in " ".join(command) for word in fails):
            if run is None:
                raise llama_build.SetupError("failed", bootstrap.READ_ABOVE)
            raise llama_build.SetupError("failed", llama_build.remedy_for(log[0]), log[0])

    fails, log = [], ["CMake Error: something new"]
    monkeypatch.setattr(environment, "run", run)
    return seen, fails, log


def test_the_cpu_build_of_pytorch_is_tried_first_and_any_build_after(environment, commands):
    seen, fails, _ = commands
    fails.append("--torch-backend")
    bootstrap.install_cpu_torch(environment, {"torch": "2.13.0"})
    (attempt, patience), (fallback, _) = seen
    assert attempt[-3:] == ["--torch-backend", "cpu", "torch==2.13.0"]
    assert patience == {"UV_HTTP_CONNECT_TIMEOUT": "5", "UV_HTTP_RETRIES": "1"}
    assert fallback[-1] == "torch==2.13.0" and "uv" not in fallback


def test_uv_brings_the_pinned_packages_and_pip_where_uv_cannot(environment, commands):
    seen, fails, _ = commands
    bootstrap.install_packages(environment)
    ((command, _),) = seen
    assert "uv" in command and "--no-deps" in command
    wanted = (environment.folder / "requirements-without-llama.txt").read_text()
    assert "numpy==" in wanted and "llama-cpp-python" not in wanted
    fails.append(" uv ")
    bootstrap.install_packages(environment)
    assert seen[-1][0][3:5] == ["--disable-pip-version-check", "--no-input"]
    assert "--no-deps" in seen[-1][0]


def test_llama_cpp_is_built_with_the_processors_own_features_and_without_its_tools(
    environment, commands, monkeypatch
):
    """SOURCE_DATE_EPOCH makes llama.cpp leave AVX2 out; the build must not see it."""
    seen, *_ = commands
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_BLAS=ON")
    llama_build.compile_llama(environment, "0.3.36", cores=3, rebuild=False)
    (command, variables), (check, _) = seen
    assert variables["SOURCE_DATE_EPOCH"] is None
    assert variables["CMAKE_BUILD_PARALLEL_LEVEL"] == "3"
    options = shlex.split(variables["CMAKE_ARGS"])
    assert options[0] == "-DGGML_BLAS=ON" and "-DLLAVA_BUILD=OFF" in options
    included = next(o.partition("=")[2] for o in options if o.startswith("-DCMAKE_PROJECT_INCLUDE"))
    assert "LLAMA_BUILD_COMMON OFF" in Path(included).read_text()
    assert "--no-cache-dir" not in command, "a build of before is taken from pip's cache"
    assert check[-1] == "import llama_cpp", "that finds every function in the library"


@pytest.mark.parametrize("failing", ["--verbose", "import llama_cpp"])
def test_a_version_that_refuses_these_options_is_built_whole(environment, commands, failing):
    seen, fails, _ = commands

    fails.append(failing)
    with pytest.raises(llama_build.SetupError):
        llama_build.compile_llama(environment, "0.3.36", cores=2, rebuild=False)
    builds = [(command, variables) for command, variables in seen if "--verbose" in command]
    assert len(builds) == 2
    assert "CMAKE_ARGS" in builds[0][1] and "CMAKE_ARGS" not in builds[1][1]
    assert {"--no-cache-dir", "--force-reinstall", "--no-binary"} <= set(builds[1][0])


def test_a_failure_of_which_the_cause_is_known_is_not_tried_again(environment, commands):
    seen, fails, log = commands
    fails.append("--verbose")
    log[0] = "fatal error: Killed signal terminated program cc1plus"
    with pytest.raises(llama_build.SetupError) as error:
        llama_build.compile_llama(environment, "0.3.36", cores=2, rebuild=False)
    assert "PARALLEL_LEVEL=1" in error.value.remedy and len(seen) == 1


def test_building_again_does_not_take_the_old_build_from_a_cache(environment, commands):
    seen, *_ = commands
    llama_build.compile_llama(environment, "0.3.36", cores=2, rebuild=True)
    assert {"--no-cache-dir", "--force-reinstall", "--no-binary"} <= set(seen[0][0])


def test_interrupting_leaves_no_compiler_running(environment, tmp_path):
    """pip starts ninja and ninja starts compilers: all of them end."""
    number = tmp_path / "number"
    code = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(number)!r}).write_text(str(child.pid))\n"
        "print('started'); time.sleep(60)"
    )

    class Interrupting(llama_build.Progress):
        def show(self, line):
            if line == "started\n":
                raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(llama_build, "Progress", Interrupting)
        run = llama_build.run_showing_files("llama.cpp", environment.log)
        with pytest.raises(KeyboardInterrupt):
            environment.run("llama.cpp", python(code), run=run)
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
