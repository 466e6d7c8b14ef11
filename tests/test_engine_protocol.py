"""The Engine protocol is the whole contract: every engine has all of it, in the same words."""

import ast
import copy
import importlib
import inspect
import pickle
import pkgutil

import pytest

from course_utils import engines
from course_utils.engines import open_model
from course_utils.engines.local import LocalEngine
from course_utils.engines.protocol import Engine
from course_utils.engines.server.endpoint import EndpointEngine
from course_utils.errors import NotSupportedError
from course_utils.paths import repository_root
from tests.bigram_engine import BigramEngine

METHODS = [
    name
    for name, member in vars(Engine).items()
    if inspect.isfunction(member) and (not name.startswith("_") or name == "__enter__")
    # What Python adds to every protocol.
    if name != "_no_init_or_replace_init"
]


def engines_of_the_course() -> list[type]:
    """Every class in the engines' folder that answers questions, found where it is defined."""
    found = []
    for place in pkgutil.walk_packages(engines.__path__, f"{engines.__name__}."):
        module = importlib.import_module(place.name)
        found += [
            kind
            for kind in vars(module).values()
            if inspect.isclass(kind) and kind.__module__ == place.name and kind is not Engine
            if hasattr(kind, "chat") and hasattr(kind, "complete")
        ]
    return found


ENGINES = [*engines_of_the_course(), BigramEngine]


def test_the_engines_of_the_course_are_found():
    assert {"LocalEngine", "EndpointEngine", "LlamaServerEngine"} <= {e.__name__ for e in ENGINES}


def parameters(function) -> list[tuple]:
    return [
        (each.name, each.kind, each.default)
        for each in inspect.signature(function).parameters.values()
    ]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("method", METHODS)
def test_every_engine_takes_the_same_questions(engine, method):
    assert parameters(getattr(engine, method)) == parameters(getattr(Engine, method))


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_has_the_same_facts(engine):
    source = "".join(inspect.getsource(kind) for kind in engine.__mro__[:-1])
    for fact in Engine.__annotations__:
        assert f"self.{fact} = " in source or hasattr(engine, fact), fact


def test_nobody_asks_an_engine_whether_it_has_what_the_contract_promises():
    """No getattr or hasattr with the name of an engine's member, anywhere in the course."""
    promised = {*METHODS, *Engine.__annotations__, "closed"}
    asked = [
        f"{path.name}:{node.lineno}"
        for path in (repository_root() / "course_utils").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("getattr", "hasattr")
        and isinstance(node.args[1], ast.Constant)
        and node.args[1].value in promised
    ]
    assert asked == []


def test_an_engine_says_whether_it_keeps_its_cache(tmp_path):
    assert LocalEngine.keeps_cache and not EndpointEngine.keeps_cache
    engine = BigramEngine()
    with pytest.raises(NotSupportedError):
        engine.save_cache(tmp_path / "cache.bin")


@pytest.mark.parametrize(
    "take", [copy.copy, copy.deepcopy, pickle.dumps, lambda engine: copy.deepcopy({"it": [engine]})]
)
def test_an_engine_is_not_copied_and_goes_on(fake, take):
    """A pool of processes pickles what it is given; a copy would close another's memory."""
    with open_model() as local, open_model(fake.url) as served:
        for engine in (local, served):
            with pytest.raises(NotSupportedError, match="neither copied nor pickled"):
                take(engine)
            assert not engine.closed
        assert local.next_tokens("1 + 1", 1)
