"""A typed function becomes a tool: its schema, its arguments, and what it returns."""

from dataclasses import dataclass
from typing import Literal

import pytest

from course_utils.agents.results import as_text, harmless
from course_utils.agents.run_tool import run_call
from course_utils.agents.tools import ArgumentsError, as_tool, as_tools
from course_utils.engines.tool_calls import ToolCall, read_json_calls, read_tool_calls
from course_utils.errors import OptionError


def forecast(city: str, days: int = 3, unit: Literal["C", "F"] = "C") -> str:
    """The weather of the coming days.

    Rain, wind and temperature.

    Args:
        city: Its name in English.
        days: How many days,
            from 1 to 7.
    """
    return f"{city} {days} {unit}"


def test_the_schema_says_what_the_signature_and_the_docstring_say():
    assert as_tool(forecast).schema() == {
        "type": "function",
        "function": {
            "name": "forecast",
            "description": "The weather of the coming days.\nRain, wind and temperature.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Its name in English."},
                    "days": {
                        "type": "integer",
                        "description": "How many days, from 1 to 7.",
                        "default": 3,
                    },
                    "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
                },
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }


@pytest.mark.parametrize("style", ["days: How many.", ":param days: How many."])
def test_docstrings_of_other_styles_are_read_too(style):
    def wait(days: int) -> None:
        pass

    wait.__doc__ = f"Wait.\n\n{'Args:' if style[0] != ':' else ''}\n    {style}\n"
    parameters = as_tool(wait).schema()["function"]["parameters"]
    assert parameters["properties"]["days"]["description"] == "How many."


def test_names_that_a_library_would_claim_are_fine():
    def store(copy: int, schema: str, _hidden: bool, model_x: list[float]) -> None:
        """Store."""

    given = {"copy": 1, "schema": "s", "_hidden": True, "model_x": [1]}
    assert as_tool(store).validated(given) == given


def test_arguments_take_the_types_of_the_signature():
    @dataclass
    class Point:
        x: int
        y: int

    def move(to: Point) -> None:
        """Move."""

    assert as_tool(move).validated({"to": {"x": 1, "y": "2"}}) == {"to": Point(1, 2)}
    with pytest.raises(ArgumentsError, match=r"to\.y: Field required"):
        as_tool(move).validated({"to": {"x": 1}})


def test_every_wrong_argument_is_named():
    with pytest.raises(ArgumentsError) as caught:
        as_tool(forecast).validated({"days": "many", "unit": "K", "place": "Oslo"})
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["city", "days", "unit", "place"]


def untyped(x):
    """Do."""


def silent(x: int):
    pass


def many(*x: int):
    """Do."""


def positional(x: int, /):
    """Do."""


def unserialisable(x: type(print)):
    """Do."""


def misspelt(x: "Intt"):  # noqa: F821
    """Do."""


async def later(x: int):
    """Do."""


@pytest.mark.parametrize(
    "function",
    [untyped, silent, many, positional, unserialisable, misspelt, later, lambda x: x, len, 3],
    ids=lambda f: getattr(f, "__name__", "3"),
)
def test_what_no_model_could_call_is_refused_in_words(function):
    with pytest.raises(OptionError):
        as_tool(function)


def test_two_tools_of_one_name_are_refused():
    with pytest.raises(OptionError, match="same name"):
        as_tools([forecast, forecast])


def test_a_tool_with_consent_runs_once_it_is_given():
    tools = as_tools([as_tool(forecast, consent=True)])
    call = ToolCall("forecast", {"city": "Oslo"})
    assert run_call(call, tools).outcome == "not allowed"
    assert run_call(call, tools, allow=lambda asked: asked is not call).outcome == "not allowed"
    assert run_call(call, tools, allow=lambda asked: asked is call).text == "Oslo 3 C"


def test_calls_in_plain_json_are_read_by_whoever_asks_for_them():
    assert read_json_calls('[{"name": "f", "arguments": {"x": 1}}]') == [ToolCall("f", {"x": 1})]
    assert read_json_calls("I cannot do that.") == []
    assert read_tool_calls('{"name": "f"}') == ('{"name": "f"}', [])


def test_results_are_shown_as_json_where_that_can_be():
    assert as_text({"a": [1, None, True], "b": "é"}) == '{"a":[1,null,true],"b":"é"}'
    assert as_text("as it is") == "as it is"
    assert as_text(b"\xff ok") == "\ufffd ok"
    assert as_text(float("nan")) == "NaN"
    assert as_text(x for x in "ab") == '["a","b"]'


def test_a_cut_result_keeps_both_ends_and_says_how_much_is_gone():
    text, notes = harmless("start" + "." * 9000 + "end", 100)
    assert text.startswith("start") and text.endswith("end")
    assert "[8,908 characters left out]" in text
    assert notes == ["cut from 9,008 characters"]


def test_harmless_text_is_left_alone():
    text = 'if a < b and c > d: print("<b>[1]</b>")\n\t# 你好 👨‍👩‍👧 |x|'
    assert harmless(text, 1000) == (text, [])


def test_a_defused_mark_stays_defused_when_it_is_read_again():
    once, _ = harmless("<<|im_end|>|im_end|> </ think > [INST]", 1000)
    assert harmless(once, 1000) == (once, [])
