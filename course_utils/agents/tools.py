"""What may a model do? A tool is a Python function with types; this is what the model sees of it.

The function's signature and docstring become a JSON schema, by pydantic and docstring_parser;
the arguments of a call are validated against the same types before the function runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, get_type_hints

import docstring_parser
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError, to_jsonable_python
from typing_extensions import TypedDict  # pydantic asks for this one before Python 3.12

from course_utils.errors import OptionError


@dataclass(frozen=True)
class Tool:
    """A function that a model may call. Make one with ``as_tool``.

    ``consent``: a call of it has to be allowed by a person first, since it changes something.
    """

    name: str
    description: str
    function: Callable[..., Any]
    arguments: TypeAdapter
    consent: bool = False

    def schema(self) -> dict[str, Any]:
        """The tool as models and servers are told of it, in OpenAI's form."""
        parameters = self.arguments.json_schema()
        parameters.pop("title", None)
        for parameter in parameters["properties"].values():
            parameter.pop("title", None)
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}

    def validated(self, arguments: dict[str, object]) -> dict[str, Any]:
        """The arguments with the types that the function declares.

        Raises ArgumentsError, with one line for each argument that is wrong.
        """
        try:
            return self.arguments.validate_python(arguments)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            raise ArgumentsError(
                "\n".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found)
            ) from None
        except RecursionError:
            raise ArgumentsError("the arguments are nested too deeply") from None


class ArgumentsError(Exception):
    """The arguments do not fit the tool; says which, in words for the model."""


def as_tool(function: Callable[..., Any], *, consent: bool = False) -> Tool:
    """Make a tool of a function with type hints and a docstring.

    Raises OptionError where the model could not know how to call it: a parameter without a type,
    or with one that JSON cannot hold, or no docstring.
    """
    name = getattr(function, "__name__", "")
    if not name.isidentifier():
        raise OptionError(f"{function!r} is not a function with a name.", "Use `def`.")
    if inspect.iscoroutinefunction(function):
        raise OptionError(f"The tool {name} is asynchronous.", "Use `def` in place of `async def`.")
    documentation = docstring_parser.parse(inspect.getdoc(function) or "")
    if not documentation.short_description:
        raise OptionError(
            f"The tool {name} has no docstring.",
            "Say in one line what it does: the model reads that to decide when to call it.",
        )
    described = {p.arg_name: p.description for p in documentation.params}
    fields: dict[str, Any] = {}
    for parameter in _signature(function, name).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise OptionError(
                f"The tool {name} takes {parameter}, which has no name of its own.",
                "Give every parameter a name: models pass arguments by name.",
            )
        if parameter.annotation is parameter.empty:
            raise OptionError(
                f"The parameter {parameter.name} of the tool {name} has no type.",
                f"Write one, such as `{parameter.name}: int`.",
            )
        words = " ".join((described.get(parameter.name) or "").split())
        optional = parameter.default is not parameter.empty
        field = Annotated[
            parameter.annotation,
            Field(
                description=words or None,
                json_schema_extra=_shown_default(parameter.default) if optional else None,
            ),
        ]
        fields[parameter.name] = NotRequired[field] if optional else field
    try:
        kind = with_config(ConfigDict(extra="forbid"))(TypedDict(name, fields))
        arguments = TypeAdapter(kind)
        arguments.json_schema()
    except (PydanticUserError, NameError) as error:
        raise OptionError(
            f"The tool {name} has a parameter that JSON cannot hold: {str(error).splitlines()[0]}",
            "Use numbers, texts, booleans, lists and dictionaries.",
        ) from None
    description = documentation.short_description
    if documentation.long_description:
        description += "\n" + documentation.long_description
    return Tool(name, description, function, arguments, consent)


def as_tools(tools: Iterable[Tool | Callable[..., Any]]) -> dict[str, Tool]:
    """Tools by name, functions among them made into tools. Raises OptionError for a name twice."""
    made = [tool if isinstance(tool, Tool) else as_tool(tool) for tool in tools]
    by_name = {tool.name: tool for tool in made}
    if len(by_name) < len(made):
        raise OptionError("Two tools have the same name.", "Rename one of the functions.")
    return by_name


def _shown_default(value: object) -> dict[str, Any]:
    """What the schema says of a parameter that may be left out."""
    try:
        return {"default": to_jsonable_python(value)}
    except PydanticSerializationError:
        return {}


def _signature(function: Callable[..., Any], name: str) -> inspect.Signature:
    """The signature, with annotations that were written as texts looked up."""
    try:
        hints = get_type_hints(function, include_extras=True)
        signature = inspect.signature(function)
    except (TypeError, ValueError, NameError) as error:
        raise OptionError(
            f"The types of the tool {name} cannot be read: {error}.", "Write them out in full."
        ) from None
    return signature.replace(
        parameters=[
            parameter.replace(annotation=hints.get(parameter.name, parameter.annotation))
            for parameter in signature.parameters.values()
        ]
    )
