"""Every problem that the course's code names, with its remedy, read out of the code.

The two texts of each ``SomeError(problem, remedy)``, of each fault of the network, and of each line
of the self-test, also where a text is put together, chosen, or comes from another function.  "…"
stands for what only a run can fill in.
"""

from __future__ import annotations

import ast
import functools
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from course_utils.paths import repository_root

PACKAGE = repository_root() / "course_utils"
UNKNOWN = "…"
# A text with more than this many wordings is one with a gap, and so is the text of a function that
# is called from more places.
MOST_WORDINGS = 32
MOST_CALLS = 40
DEEPEST = 8

Pair = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Module:
    """A parsed file of the course: its functions and constants by name, and its imports."""

    path: Path
    tree: ast.Module
    functions: dict[str, ast.FunctionDef]
    constants: dict[str, ast.expr]
    imports: dict[str, tuple[str, str]]  # name here -> (module, name there, or "")


@dataclass(frozen=True, eq=False)
class Place:
    """Where an expression stands: in which module, and in which function if any.

    ``given`` is what one call of the function gives for its parameters, and where that stands.
    """

    module: Module
    function: ast.FunctionDef | None = None
    given: tuple[dict[str, ast.expr], Place] | None = None


@functools.cache
def modules() -> dict[str, Module]:
    return {name: _read(path) for path in sorted(PACKAGE.rglob("*.py")) for name in [_name(path)]}


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read(path: Path) -> Module:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions, constants, imports = {}, {}, {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            functions.setdefault(node.name, node)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for each in node.names:
                imports[each.asname or each.name] = (node.module, each.name)
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            constants[node.targets[0].id] = node.value
    return Module(path, tree, functions, constants, imports)


@functools.cache
def _calls() -> dict[str, list[tuple[ast.Call, Place]]]:
    """Every call in the course, by the name of what is called."""
    calls: dict[str, list[tuple[ast.Call, Place]]] = {}
    for module in modules().values():
        for function, node in _nodes(module.tree, None):
            if isinstance(node, ast.Call):
                place = Place(module, function)
                calls.setdefault(_called(node), []).append((node, place))
    return calls


def _called(node: ast.Call) -> str:
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def faults(module: Module) -> Iterator[Pair]:
    for function, node in _nodes(module.tree, None):
        place = Place(module, function)
        if isinstance(node, ast.Call):
            if _called(node) == "Fault" and len(node.args) >= 3:  # why, problem, remedy
                yield from _pairs(node.args[1], node.args[2], place)
            elif _called(node).endswith(("Error", "SettingFault")) and len(node.args) >= 2:
                yield from _pairs(node.args[0], node.args[1], place)
        elif isinstance(node, ast.Return) and _is_outcome(node.value):
            yield from _pairs(node.value.elts[1], node.value.elts[2], place)


def _nodes(node: ast.AST, function: ast.FunctionDef | None):
    """Every node below this one, with the innermost function around it."""
    for child in ast.iter_child_nodes(node):
        yield function, child
        yield from _nodes(child, child if isinstance(child, ast.FunctionDef) else function)


def _is_outcome(node: ast.expr | None) -> bool:
    """Is it a line of the self-test: ("failed", what was found, remedy)?"""
    return (
        isinstance(node, ast.Tuple)
        and len(node.elts) == 3
        and isinstance(node.elts[0], ast.Constant)
        and node.elts[0].value in ("failed", "warning")
    )


def _pairs(problem: ast.expr, remedy: ast.expr, place: Place) -> Iterator[Pair]:
    """Problems and remedies in words; both in the same branches of the code belong together."""
    texts = ast.Tuple([problem, remedy])
    used = {node.id for node in ast.walk(texts) if isinstance(node, ast.Name)}
    for called in _by_call(place, used):
        problems, remedies = (wordings(each, called) for each in (problem, remedy))
        if len(problems) == len(remedies):
            pairs = zip(problems, remedies, strict=True)
        else:  # which belongs to which, the reader sees
            remedies = sorted(set(remedies))
            together = remedies if len(set(problems)) == 1 else [" Or: ".join(remedies)]
            pairs = itertools.product(set(problems), together)
        for pair in pairs:
            if all(re.search(r"\w{2}", text.replace(UNKNOWN, "")) for text in pair):
                yield tuple(" ".join(text.split()) for text in pair)


def _by_call(place: Place, used: set[str]) -> list[Place]:
    """The same place once for each call that gives the function's parameters their texts."""
    if place.function is None:
        return [place]
    parameters = place.function.args
    names = [each.arg for each in (*parameters.posonlyargs, *parameters.args)]
    names = names[1:] if names[:1] in (["self"], ["cls"]) else names
    keywords = [each.arg for each in parameters.kwonlyargs]
    calls = _calls().get(place.function.name, [])
    if not used & {*names, *keywords} or not 0 < len(calls) <= MOST_CALLS:
        return [place]
    first = len(names) - len(parameters.defaults)
    defaults = dict(zip(names[first:], parameters.defaults, strict=True)) if first >= 0 else {}
    defaults |= dict(zip(keywords, parameters.kw_defaults, strict=True))
    places = []
    for call, around in calls:
        given = defaults | dict(zip(names, call.args, strict=False))
        given |= {each.arg: each.value for each in call.keywords if each.arg}
        places.append(Place(place.module, place.function, (given, around)))
    return places


def wordings(node: ast.expr | None, place: Place, depth: int = 0) -> list[str]:
    """Every wording that an expression may have, with "…" for what only a run knows."""
    found = _wordings(node, place, depth) if depth <= DEEPEST else []
    return found if 0 < len(found) <= MOST_WORDINGS else [UNKNOWN]


def _wordings(node: ast.expr | None, place: Place, depth: int) -> list[str]:
    def inside(each: ast.expr | None) -> list[str]:
        return wordings(each, place, depth + 1)

    match node:
        case ast.Constant(value=str() as text):
            return [text]
        case ast.JoinedStr(values=parts):
            return _joined([inside(part) for part in parts])
        case ast.FormattedValue(value=value, format_spec=None):
            found = inside(value)
            return found if len(found) == 1 or not isinstance(value, ast.Call) else [UNKNOWN]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _joined([inside(left), inside(right)])
        case ast.IfExp(body=one, orelse=other):
            return inside(one) + inside(other)
        case ast.BoolOp(op=ast.Or(), values=values):
            return [text for value in values for text in inside(value)]
        case ast.Name(id=name):
            return _named(name, node.lineno, place, depth)
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            return _imported(place.module.imports.get(module), name, depth)
        case ast.Call(func=ast.Attribute(value=text, attr="rstrip" | "strip")):
            return [each.strip() for each in inside(text)]
        case ast.Call(func=ast.Attribute(value=text, attr="format")):
            return [re.sub(r"\{[^}]*\}", UNKNOWN, each) for each in inside(text)]
        case ast.Call(func=ast.Name(id=name)):
            return _returned(name, None, place.module, depth)
    return [UNKNOWN]


def _joined(parts: list[list[str]]) -> list[str]:
    count = 1
    for part in parts:
        count *= len(part)
    if count > MOST_WORDINGS:
        parts = [part if len(part) == 1 else [UNKNOWN] for part in parts]
    return ["".join(each) for each in itertools.product(*parts)]


def _named(name: str, line: int, place: Place, depth: int) -> list[str]:
    """What a name may stand for: set in the function, given to it, or set in a module."""
    if place.function is not None:
        found: list[str] = []
        for node in _set_before(place.function.body, name, line):
            if isinstance(node, ast.AugAssign):
                found += _joined([found or [UNKNOWN], wordings(node.value, place, depth + 1)])
            else:
                found += _assigned(name, node, place, depth)
        if found:
            return found
        if place.given and name in place.given[0]:
            return wordings(place.given[0][name], place.given[1], depth + 1)
    if name in place.module.constants:
        return wordings(place.module.constants[name], Place(place.module), depth + 1)
    source = place.module.imports.get(name)
    return _imported((source[0], ""), source[1], depth) if source else [UNKNOWN]


def _set_before(body: list[ast.stmt], name: str, line: int | None) -> list[ast.stmt]:
    """The assignments to a name that may hold at a line, or at the end of ``body`` (None)."""
    found: list[ast.stmt] = []
    for statement in body:
        if line is not None and statement.lineno > line:
            break
        if isinstance(statement, ast.Assign):
            found = [statement] if _sets(statement.targets[0], name) else found
            continue
        if isinstance(statement, ast.AugAssign):
            found = [*found, statement] if _sets(statement.target, name) else found
            continue
        parts = [getattr(statement, part, []) for part in ("body", "orelse", "finalbody")]
        parts += [handler.body for handler in getattr(statement, "handlers", [])]
        if line is not None and line <= statement.end_lineno:  # the name is used in here
            for part in parts:
                if part and part[0].lineno <= line <= part[-1].end_lineno:
                    found = _set_before(part, name, line) or found
        elif inside := [node for part in parts for node in _set_before(part, name, None)]:
            every_way = isinstance(statement, ast.If) and statement.orelse
            found = inside if every_way else found + inside
    return found


def _sets(target: ast.expr, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(target))


def _assigned(name: str, node: ast.Assign, place: Place, depth: int) -> list[str]:
    target = node.targets[0]
    if isinstance(target, ast.Name) and target.id == name:
        return wordings(node.value, place, depth + 1)
    if isinstance(target, ast.Tuple):
        for number, each in enumerate(target.elts):
            if isinstance(each, ast.Name) and each.id == name:
                return _part(node.value, number, place, depth)
    return []


def _part(node: ast.expr, number: int, place: Place, depth: int) -> list[str]:
    """The wordings of one part of a tuple, also where it is chosen or comes from a function."""
    match node:
        case ast.Tuple(elts=parts):
            return [_one(parts[number], place, depth + 1)]
        case ast.Call(func=ast.Name(id=name)):
            return _returned(name, number, place.module, depth)
        case ast.BoolOp(op=ast.Or(), values=values):
            return [text for value in values for text in _part(value, number, place, depth)]
        case ast.Name(id=name) if place.function is not None and depth < DEEPEST:
            return [
                text
                for each in _set_before(place.function.body, name, node.lineno)
                for text in _part(each.value, number, place, depth + 1)
            ]
    return []


def _one(node: ast.expr, place: Place, depth: int) -> str:
    """One wording, with a gap where there are several, so that a tuple's parts stay together."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    found = [wordings(part, place, depth + 1) for part in parts]
    return "".join(each[0] if len(each) == 1 else UNKNOWN for each in found)


def _imported(source: tuple[str, str] | None, name: str, depth: int) -> list[str]:
    """A constant of another module of the course."""
    if source is None:
        return [UNKNOWN]
    module = modules().get(".".join(filter(None, source)))
    if module is None or name not in module.constants:
        return [UNKNOWN]
    return wordings(module.constants[name], Place(module), depth + 1)


def _returned(name: str, part: int | None, module: Module, depth: int) -> list[str]:
    """What a function of the course returns, or one part of the tuple that it returns."""
    if name not in module.functions:
        source = module.imports.get(name)
        module = source and modules().get(source[0])
        if module is None or source[1] not in module.functions:
            return [UNKNOWN]
        name = source[1]
    function = module.functions[name]
    found = []
    for around, node in _nodes(function, function):
        if around is not function or not isinstance(node, ast.Return):
            continue
        value = node.value
        if part is None:
            found += wordings(value, Place(module, function), depth + 1)
        else:  # nothing of a None, which says that there is no fault
            found += _part(value, part, Place(module, function), depth)
    return found or [UNKNOWN]
