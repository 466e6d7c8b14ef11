"""What the environment files promise: pip, conda and pyproject.toml ask for the same packages."""

import re
import sys
import tomllib

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from course_utils.installation import environment
from course_utils.paths import repository_root

PROJECT = tomllib.loads((repository_root() / "pyproject.toml").read_text(encoding="utf-8"))
PINNED = (repository_root() / "requirements.txt").read_text(encoding="utf-8")
PINS = [Requirement(line) for line in PINNED.splitlines() if line and not line.startswith("#")]


def direct_requirements():
    groups = PROJECT["dependency-groups"]
    lines = [
        *PROJECT["project"]["dependencies"],
        *(line for each in groups.values() for line in each),
    ]
    return [Requirement(line) for line in lines]


def pins_for(name, system):
    """The pins of one package that hold on one system, for Python 3.12."""
    here = {
        "linux": {"sys_platform": "linux", "os_name": "posix", "platform_machine": "x86_64"},
        "macos": {"sys_platform": "darwin", "os_name": "posix", "platform_machine": "arm64"},
        "windows": {"sys_platform": "win32", "os_name": "nt", "platform_machine": "AMD64"},
    }[system] | {"python_full_version": "3.12.4", "python_version": "3.12"}
    return [
        pin
        for pin in PINS
        if canonicalize_name(pin.name) == canonicalize_name(name)
        and (pin.marker is None or Marker(str(pin.marker)).evaluate(here))
    ]


def test_environment_yml_is_in_step_with_pyproject():
    assert environment.main(["--check"]) == 0


def test_a_change_of_pyproject_alone_is_noticed(monkeypatch, tmp_path, capsys):
    for name in ("pyproject.toml", "environment.yml"):
        text = (repository_root() / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace('"numpy>=1.26"', '"numpy>=2"'), encoding="utf-8")
    monkeypatch.setattr(environment, "repository_root", lambda: tmp_path)
    assert environment.main(["--check"]) == 1
    assert "make environment" in capsys.readouterr().out
    environment.main([])
    assert environment.main(["--check"]) == 0
    assert "numpy >=2\n" in (tmp_path / "environment.yml").read_text(encoding="utf-8")


def test_conda_gets_the_cpu_build_from_conda_forge_alone():
    text = environment.environment_yml(PROJECT)
    channels = text.split("channels:")[1].split("dependencies:")[0].split()
    assert channels == ["-", "conda-forge", "-", "nodefaults"]
    assert "- pytorch-cpu " in text and "- pip:" not in text


def test_every_dependency_of_the_course_reaches_conda():
    text = environment.environment_yml(PROJECT)
    for line in PROJECT["project"]["dependencies"]:
        assert f"- {environment.conda_line(Requirement(line))}\n" in text


@pytest.mark.parametrize("system", ["linux", "macos", "windows"])
@pytest.mark.parametrize("requirement", direct_requirements(), ids=lambda r: r.name)
def test_each_dependency_has_one_pin_within_its_range_on_every_system(requirement, system):
    pins = pins_for(requirement.name, system)
    assert len(pins) == 1, f"requirements.txt pins {requirement.name} {len(pins)} times: {system}"
    version = re.fullmatch(r"==(.+)", str(pins[0].specifier))[1]
    assert requirement.specifier.contains(version)


def test_requirements_are_pins_without_addresses():
    assert "://" not in PINNED and "@" not in PINNED and "--" not in PINNED
    assert all(re.fullmatch(r"==[^*]+", str(pin.specifier)) for pin in PINS)


def test_the_cuda_packages_of_pytorch_are_left_out():
    assert not re.search(r"^(nvidia|cuda|triton)", PINNED, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "system"), [("colorama", "windows"), ("pywinpty", "windows"), ("appnope", "macos")]
)
def test_packages_of_one_system_are_pinned_for_that_system_alone(name, system):
    systems = [s for s in ("linux", "macos", "windows") if pins_for(name, s)]
    assert systems == [system]


def test_everything_that_the_dependencies_depend_on_is_pinned():
    """Walk the installed packages' own requirements: a package without a pin would drift."""
    from importlib.metadata import distribution

    pinned = {canonicalize_name(pin.name) for pin in PINS}
    waiting = [(r.name, r.extras or {""}) for r in direct_requirements() if r.name != "uv"]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if canonicalize_name(name) in seen:
            continue
        seen.add(canonicalize_name(name))
        for line in distribution(name).requires or []:
            requirement = Requirement(line)
            wanted = requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in extras
            )
            # PyTorch's default build for Linux asks for CUDA's packages.
            if wanted and not re.match(r"nvidia|cuda|triton", requirement.name):
                waiting.append((requirement.name, requirement.extras or {""}))
    assert seen <= pinned, f"not pinned: {sorted(seen - pinned)}"


def test_every_module_can_be_told_from_the_standard_library():
    """bootstrap.py runs with its own folder first on the path, before any package is there."""
    names = {
        file.stem for file in (repository_root() / "course_utils" / "installation").glob("*.py")
    }
    assert not names & sys.stdlib_module_names
