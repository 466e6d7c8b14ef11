"""The child process that compares mathematics; ``mathematics.py`` starts it and may kill it.

It reads one JSON object a line ({"truth", "answer", "prose"}) and writes one back ({"verdict",
"read"}).  It imports nothing of the course, so that it can be run by its path alone.
"""

import contextlib
import json
import logging
import signal
import sys

MEMORY_BYTES = 2 * 2**30
"""A tower of powers asks for more memory than any machine has."""


def main() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, hard))
    logging.disable(logging.CRITICAL)  # The library logs what the verdict says anyway.
    import math_verify  # noqa: F401  (takes a second, so the parent is told when it is done)

    answers = sys.stdout
    sys.stdout = sys.stderr  # Nothing else may write between the answers.
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if hasattr(signal, "alarm"):
            # Ends this process even within one long operation, should the parent be gone.
            signal.alarm(int(request["seconds"]) + 5)
        try:
            reply = compare(request["truth"], request["answer"], request["prose"])
        except (MemoryError, RecursionError):
            reply = {"verdict": "too large", "read": ""}
        except Exception:  # the library knows many kinds; a reply's text must end no evaluation
            reply = {"verdict": "unreadable answer", "read": ""}
        if hasattr(signal, "alarm"):
            signal.alarm(0)
        print(json.dumps(reply), file=answers, flush=True)


def compare(truth: str, answer: str, prose: bool) -> dict[str, str]:
    """The verdict on one answer: a whole expression, or the last one in a text (``prose``)."""
    from math_verify import verify

    gold = _read(truth, prose=False)
    if not gold:
        return {"verdict": "unreadable truth", "read": ""}
    given = _read(answer, prose)
    if not given:
        return {"verdict": "unreadable answer", "read": ""}
    equal = verify(gold, given, timeout_seconds=None) and _confirmed(gold[0], given[0])
    return {"verdict": "equal" if equal else "not equal", "read": str(given[-1])}


def _read(text: str, prose: bool) -> list:
    """The expression of a text, as the library reads it; empty if it cannot read all of it.

    A whole expression is read as LaTeX alone.  The library would otherwise take a number out of
    LaTeX that it cannot read, and find 1 + 1/e equal to 1 - 1/e (Math-Verify#14, #82).
    """
    from math_verify import LatexExtractionConfig, parse

    if prose:
        return parse(text, parsing_timeout=None)
    return parse(
        f"${text}$",
        extraction_config=[LatexExtractionConfig()],
        fallback_mode="no_fallback",
        parsing_timeout=None,
    )


def _confirmed(gold, given) -> bool:
    """Are the two that the library calls equal surely so?

    It rounds to six decimals, so that 1/2004! equals 1/2006!, and takes the right side of any
    equation, so that n^2 = 49 says 49; here neither is enough.
    """
    import sympy

    if not isinstance(gold, sympy.Basic) or not isinstance(given, sympy.Basic):
        return True
    if isinstance(given, sympy.Eq) and not isinstance(gold, sympy.core.relational.Relational):
        return _names_one_quantity(given.lhs) and _confirmed(gold, given.rhs)
    if isinstance(gold, sympy.FiniteSet) and isinstance(given, sympy.FiniteSet):
        return all(any(_confirmed(g, a) for g in gold) for a in given)
    if isinstance(gold, sympy.Tuple) and isinstance(given, sympy.Tuple):
        return all(_confirmed(g, a) for g, a in zip(gold, given, strict=False))
    if isinstance(gold, sympy.Expr) and isinstance(given, sympy.Expr):
        if gold.has(sympy.zoo, sympy.nan) or given.has(sympy.zoo, sympy.nan):
            return False
        if not gold.free_symbols and not given.free_symbols:
            return _same_number(gold, given)
    return True


def _names_one_quantity(expression) -> bool:
    """x, n_1, f(3), m + n, or a calculation: what equals it is its value."""
    import sympy
    from sympy.core.function import AppliedUndef

    if isinstance(expression, sympy.Symbol | AppliedUndef) or not expression.free_symbols:
        return True
    return isinstance(expression, sympy.Add) and all(
        isinstance(term, sympy.Symbol) for term in expression.args
    )


def _same_number(a, b) -> bool:
    """Equal to thirty digits, decimals taken as the fractions they are: rounded is not exact."""
    import sympy

    # The library leaves sums and products as they were written; doit works them out.
    a, b = (
        x.replace(lambda part: part.is_Float, lambda part: sympy.Rational(str(part))).doit()
        for x in (a, b)
    )
    if a == b or (a.is_Rational and b.is_Rational):
        return a == b
    difference, size = sympy.Abs((a - b).evalf(40)), sympy.Abs(b.evalf(40))
    if not (difference.is_number and size.is_number):
        return True
    return bool(difference <= (size or 1) * 1e-30)


if __name__ == "__main__":
    main()
