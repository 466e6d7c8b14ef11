"""Does the code keep to its floors? Imports point downwards, and no two modules need each other.

Read from the syntax trees, imports inside functions included.
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "course_utils"

# From the top floor down. A module belongs to the first floor that its name begins with.
FLOORS = (
    ("marking",),
    ("teaching",),
    ("classroom", "chat"),
    ("evaluation",),
    ("agents",),
    ("nano",),
    ("engines",),
    # The foundations: what a model is and costs, where its file comes from, what a machine has.
    ("selftest", "installation", "download", "model_files", "machine", "sandbox"),
    ("network", "intervals", "logs", "code_blocks"),
    ("hashing", "progress", "paths", "units", "terminal", "command_line", "secret"),
    ("errors",),
)


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        if name:
            found[name] = path
    return found


MODULES = modules()


def imports(name: str) -> set[str]:
    """The modules of ours that a module imports, by their names below ``course_utils``."""
    taken = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for full in names:
            if not full.startswith("course_utils."):
                continue
            target = full.removeprefix("course_utils.")
            # ``from course_utils.a import b``: b is a module of a, or a name in a.
            if target not in MODULES:
                target = target.rpartition(".")[0]
            if target in MODULES and target != name:
                taken.add(target)
    return taken


def floor(name: str) -> int:
    for number, rooms in enumerate(FLOORS):
        if name.split(".")[0] in rooms:
            return number
    raise AssertionError(f"{name} stands on no floor: add it to FLOORS, where it belongs.")


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_downwards(name):
    upwards = {other for other in imports(name) if floor(other) < floor(name)}
    assert not upwards, f"{name} imports from a floor above: {sorted(upwards)}"


def test_no_modules_import_each_other_in_a_circle():
    remaining = {name: imports(name) for name in MODULES}
    while free := [name for name, needs in remaining.items() if not needs & remaining.keys()]:
        for name in free:
            del remaining[name]
    assert not remaining, f"these modules are on a circle, or above one: {sorted(remaining)}"


@pytest.mark.parametrize("name", MODULES)
def test_a_module_of_more_than_400_lines_says_why_its_idea_needs_them(name):
    source = MODULES[name].read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(source)) or ""
    assert len(source.splitlines()) <= 400 or "is long because" in " ".join(docstring.split())
