"""Which statements does an answer need? A backward slice through a notebook's code.

Marking thirty notebooks must not train thirty models.  From a cell on, the slice goes back and
keeps each statement that gives a name a value which is still needed, and what that one needs in
turn.  It errs on the side of too much: a method called on a needed object counts as changing it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence

from IPython.core.inputtransformer2 import TransformerManager


def slice_of(sources: Sequence[str], whole: Collection[int]) -> dict[int, str]:
    """What to run of each cell, by its place: all of the cells in ``whole``, parts of those before.

    sources: the code of each cell, in order.  A cell that is not Python is left out, or, if it is
    in ``whole``, kept as it is: running it tells what is wrong with it.
    """
    plans: dict[int, str] = {}
    wanted: set[str] = set()
    for place in range(len(sources) - 1, -1, -1):
        statements = _statements(sources[place])
        if place in whole:
            plans[place] = sources[place]
            for statement in reversed(statements or []):
                wanted -= _bound(statement)
                wanted |= _used(statement)
            continue
        kept = []
        for statement in reversed(statements or []):
            if wanted & (_bound(statement) | _changed(statement)):
                kept.append(statement)
                wanted -= _bound(statement)
                wanted |= _used(statement)
        if kept:
            plans[place] = "\n".join(ast.unparse(statement) for statement in reversed(kept))
    return dict(sorted(plans.items()))


def names_given(source: str) -> set[str]:
    """The names that a cell's statements define at its top level."""
    return set().union(*map(_bound, _statements(source) or []))


def _statements(source: str) -> list[ast.stmt] | None:
    try:
        return ast.parse(TransformerManager().transform_cell(source)).body
    except (SyntaxError, ValueError, RecursionError):
        return None


def _bound(statement: ast.stmt) -> set[str]:
    """The names that it gives a value, whatever they were before."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(name.asname or name.name).split(".")[0] for name in statement.names}
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return _stored(statement)
    return set()


def _changed(statement: ast.stmt) -> set[str]:
    """The names that it may give a value or whose object it may change."""
    changed = _stored(statement)
    for node in ast.walk(statement):
        target = None
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            target = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            target = node.func.value if isinstance(statement, ast.Expr) else None
        while isinstance(target, ast.Attribute | ast.Subscript):
            target = target.value
        if isinstance(target, ast.Name):
            changed.add(target.id)
    return changed


def _stored(statement: ast.stmt) -> set[str]:
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _used(statement: ast.stmt) -> set[str]:
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    } | ({statement.target.id} if _counts_up(statement) else set())


def _counts_up(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name)
