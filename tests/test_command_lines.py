"""Every command of the course gives help when asked, and one message for a wrong argument."""

import ast
import os
import re
import runpy
import signal
import subprocess
import sys

import pytest

from course_utils import command_line
from course_utils.errors import CourseError
from course_utils.paths import repository_root

PACKAGE = repository_root() / "course_utils"

# The course starts these itself and speaks to them in JSON; nobody types them.
WORKERS = {
    "course_utils.classroom.llama_process",
    "course_utils.engines.rehearsal_process",
    "course_utils.engines.step_times",
    "course_utils.engines.template_worker",
    "course_utils.evaluation.math_worker",
    # Lies on an offline kit as install.py, beside the kit's own list of contents.
    "course_utils.installation.from_kit",
    "course_utils.model_files.trial",
}


def programs() -> set[str]:
    """Every module of the course that does something when it is started."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        starts = any(
            isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
            for node in ast.parse(path.read_text(encoding="utf-8")).body
        )
        if starts:
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            found.add(".".join(part for part in parts if part != "__main__"))
    return found


COMMANDS = sorted(programs() - WORKERS)

# runpy says that it runs a second copy of a module that is imported already.
pytestmark = pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")


@pytest.fixture
def start(monkeypatch, capsys):
    """Starts a command as ``python -m`` does; gives its exit status and what it printed."""

    def too_long(*_):
        raise AssertionError("the command has begun to work")

    def started(name: str, *arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        before = signal.signal(signal.SIGALRM, too_long)
        signal.alarm(120)
        try:
            with pytest.raises(SystemExit) as ended:
                runpy.run_module(name, run_name="__main__")
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        return ended.value.code, *capsys.readouterr()

    return started


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_gives_help_and_does_nothing(start, command):
    status, out, err = start(command, "--help")
    assert status == 0 and out.startswith("usage:") and not err
    assert len(out.splitlines()) > 3, "it says what it is for"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_an_option_it_does_not_have(start, command):
    status, out, err = start(command, "--no-such-option")
    assert status == 2 and not out
    assert "error: " in err.splitlines()[-1]


def fails():
    raise CourseError("The key is lost.", "Make another.")


def is_interrupted():
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("work", "status", "words"),
    [
        (fails, 1, "The key is lost."),
        (is_interrupted, 130, "Stopped, and all is kept."),
        (lambda: None, 0, ""),
        (lambda: 2, 2, ""),
    ],
)
def test_an_error_or_ctrl_c_ends_a_command_with_words_and_no_traceback(capsys, work, status, words):
    assert command_line.run(work, "Stopped, and all is kept.") == status
    out, err = capsys.readouterr()
    assert not out and words in err and "Traceback" not in err


# They run before the course is there, or never fail; or git starts them and reads their status.
ENDS_BY_ITSELF = {
    "course_utils.installation.bootstrap",
    "course_utils.installation.environment",
    "course_utils.installation.merging",
    "course_utils.installation.selftest",
    "course_utils.selftest",
}


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - ENDS_BY_ITSELF))
def test_every_command_ends_in_the_same_way(command):
    path = PACKAGE.parent.joinpath(*command.split("."))
    path = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    assert re.search(r"command_line\.(run|start|run_modules)\(", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "line",
    [
        "agents.experiments.guessing_rl --threads 0",
        "agents.experiments.guessing_rl --threads 100000",
        "agents.experiments.calculator --seed 9",
        "chat --context many",
        "evaluation --per-level 0",
        "evaluation --samples -1",
        "evaluation --samples 1000000000",
        "evaluation --seed 99999999999",
        "evaluation --tokens 0",
        "evaluation --thinking-budget -1",
        "evaluation --families poetry",
        "nano.experiments.chains --seconds nan",
        "nano.experiments.chains --seconds -1",
        f"nano.experiments.elicitation --into {os.sep}no{os.sep}such{os.sep}folder{os.sep}x.csv",
        "nano.experiments.failures --only poverty",
        "nano.make --only nothing",
    ],
)
def test_a_wrong_value_is_one_message_that_names_its_option(start, line):
    command, option, value = line.split()
    status, out, err = start(f"course_utils.{command}", option, value)
    assert status == 2 and not out and "Traceback" not in err
    assert "error: " in err and (option in err or value in err)


UNREAD_ENDINGS = {
    "much output": "[print('a line') for _ in range(100_000)] and 0",
    "little output": "print('a line')",
    "help": "(print('a line'), command_line.parser('What it does.').parse_args(['--help']))",
    "an error": "(print('a line'), exec('raise CourseError(1, 2)'))",
}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
@pytest.mark.parametrize("work", UNREAD_ENDINGS.values(), ids=UNREAD_ENDINGS)
def test_a_reader_who_has_seen_enough_ends_a_command_without_a_word(work):
    """As in ``... | head -0``."""
    program = (
        "import sys; sys.stdin.read()\n"
        "from course_utils import command_line\n"
        "from course_utils.errors import CourseError\n"
        f"command_line.start(lambda: {work})"
    )
    buffered = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", program], env=buffered, stdin=pipe, stdout=pipe, stderr=pipe
    ) as command:
        command.stdout.close()
        command.stdin.close()
        said = command.stderr.read().decode()
        status = command.wait(timeout=60)
    assert "Traceback" not in said and "BrokenPipe" not in said
    assert status == command_line.UNREAD


def test_a_program_without_any_output_ends_as_it_should(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert command_line.run(lambda: None) == 0


def test_another_pipe_that_breaks_is_not_taken_for_the_output():
    def work():
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        command_line.run(work)
