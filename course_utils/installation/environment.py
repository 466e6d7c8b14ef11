"""The conda environment: environment.yml, written from pyproject.toml.

``make environment`` writes the file; a test fails when the two disagree.  pyproject.toml is the
one place where the course's dependencies are listed.
"""

from __future__ import annotations

import sys
import tomllib

from packaging.requirements import Requirement

from course_utils import command_line
from course_utils.paths import repository_root

# Where conda-forge calls a package something else than PyPI does.
CONDA_NAMES = {
    "docstring-parser": "docstring_parser",
    "huggingface-hub": "huggingface_hub",
    "torch": "pytorch-cpu",
    "typing-extensions": "typing_extensions",
}
# A browser driver, which only the tests of the pip environment need.
LEFT_OUT = {"playwright"}

HEADER = """\
# The course for conda: no compiler needed. Written by `make environment` from pyproject.toml.
#
#   conda env create -f environment.yml
#   conda activate {name}
#   python -m pip install --no-deps --no-build-isolation --editable .
#   jupyter lab notebooks/00_start_here.ipynb
#
# Notebook 07 runs benchmarks, and a class server serves a model, with packages that conda-forge
# lacks in part; pip 25.1 or newer adds them:
#
#   python -m pip install --group evaluation
#   python -m pip install --group classroom
#
# The third line lets the notebooks import course_utils. Left out, since only the tests of the pip
# environment (`make test`) ask for them: {left_out}.
"""


def environment_yml(project: dict) -> str:
    """The text of environment.yml for a parsed pyproject.toml."""
    about = project["project"]
    test_group = project["dependency-groups"]["test"]
    needed = [Requirement(line) for line in (*about["dependencies"], *test_group)]
    # pip and the build system make the course itself importable.
    needed += [Requirement("pip"), *map(Requirement, project["build-system"]["requires"])]
    packages = sorted(
        conda_line(requirement) for requirement in needed if requirement.name not in LEFT_OUT
    )
    left_out = ", ".join(sorted(LEFT_OUT & {requirement.name for requirement in needed}))
    lines = [
        HEADER.format(name=about["name"], left_out=left_out).rstrip(),
        f"name: {about['name']}",
        "channels:",
        "  - conda-forge",
        "  - nodefaults",
        "dependencies:",
        f"  - python {about['requires-python']}",
        *(f"  - {package}" for package in packages),
    ]
    return "\n".join(lines) + "\n"


def conda_line(requirement: Requirement) -> str:
    """A requirement as conda writes it: its name there, and its range."""
    name = CONDA_NAMES.get(requirement.name, requirement.name)
    versions = ",".join(sorted(str(specifier) for specifier in requirement.specifier))
    return f"{name} {versions}".strip()


def main(arguments: list[str]) -> int:
    parser = command_line.parser(__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail on a difference")
    check = parser.parse_args(arguments).check
    file = repository_root() / "environment.yml"
    project = tomllib.loads((repository_root() / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = environment_yml(project)
    if check:
        if file.is_file() and file.read_text(encoding="utf-8") == wanted:
            return 0
        print("environment.yml does not match pyproject.toml. Run `make environment`.")
        return 1
    file.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
