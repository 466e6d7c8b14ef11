"""Which errands can a nano model be sent on? Sums for a calculator, and talk that needs none.

An errand is a request with the calls that it needs: one, two, or none, since it is small talk or
lacks a number that has to be asked for.  These are the kinds of the Berkeley Function-Calling
Leaderboard, small (https://gorilla.cs.berkeley.edu/blogs/8_berkeley_function_calling_leaderboard.html).
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from functools import cache
from random import Random

from jinja2 import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from course_utils.engines.protocol import Message, Reply
from course_utils.engines.tool_calls import ToolCall
from course_utils.nano.tokenizer import END_OF_TEXT

CHAT_TEMPLATE = """\
{%- if tools %}
    {{- '<|im_start|>system\\n<tools>\\n' }}
    {%- for tool in tools %}
        {{- tool['function']['name'] + '\\n' }}
    {%- endfor %}
    {{- '</tools><|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message['role'] == 'tool' %}
        {%- if loop.first or messages[loop.index0 - 1]['role'] != 'tool' %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' + message['content'] + '\\n</tool_response>' }}
        {%- if loop.last or messages[loop.index0 + 1]['role'] != 'tool' %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- else %}
        {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] }}
        {%- for call in message['tool_calls'] or [] %}
            {%- if not loop.first or message['content'] %}
                {{- '\\n' }}
            {%- endif %}
            {{- '<tool_call>\\n{"name": "' + call['function']['name'] + '", "arguments": ' }}
            {{- call['function']['arguments'] | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}"""
"""QwQ's format for calls and results, but of the tools only their names: a nano model has no room
for schemas, and has learnt what its one tool takes.  It does not think."""

KINDS = ("one call", "two calls", "no call", "a number is missing")
SHARES = {"one call": 0.5, "two calls": 0.2, "no call": 0.1, "a number is missing": 0.2}
"""How often each kind comes in the documents."""

TALK = {
    "Hello!": "Hello! What shall I work out?",
    "Good morning.": "Good morning! What shall I work out?",
    "Thank you.": "You are welcome.",
    "Who are you?": "A very small model with a calculator.",
    "What can you do?": "I can work out sums.",
    "Good bye.": "Good bye!",
}
ASK = ("What is {}?", "{}?", "Work out {}.", "Please work out {}.", "How much is {}?")
SIGNS = {"+": operator.add, "-": operator.sub, "*": operator.mul}
WORDS = {"+": "plus", "-": "minus", "*": "times"}
FAILURES = (
    "calculator failed: ToolError: Write numbers and + - * / // % ** ( ), nothing else.",
    "calculator gave no result within 10 seconds.",
    "There is no tool 'calculator'. The tools are: none.",
)
SORRY = "The calculator did not answer, so I cannot say."


@dataclass(frozen=True)
class Errand:
    """A request, the expressions that it needs worked out, and the answer where it needs none."""

    kind: str
    request: str
    expressions: tuple[str, ...] = ()
    answer: str = ""

    @property
    def calls(self) -> list[ToolCall]:
        """The calls that are right."""
        return [ToolCall("calculator", {"expression": text}) for text in self.expressions]

    def is_met_by(self, reply: Reply) -> bool:
        """Are these exactly the right calls, or, where none is, the right words?"""
        if self.expressions:
            return reply.tool_calls == self.calls
        return not reply.tool_calls and reply.answer.strip() == self.answer


def draw(random: Random, kind: str | None = None) -> Errand:
    """An errand of this kind, or of any."""
    kind = kind or random.choices(list(SHARES), list(SHARES.values()))[0]
    if kind == "no call":
        return Errand(kind, *_talk(random))
    (spoken, expression), (second_spoken, second) = _sum(random), _sum(random)
    if kind == "a number is missing":
        half = re.match(r"\d+ ?(\D+?) ?(?=\d)", spoken)[0].rstrip()
        return Errand(kind, random.choice(ASK).format(half), (), f"{half} what?")
    if kind == "two calls":
        both = f"{spoken} and {second_spoken}"
        return Errand(kind, random.choice(ASK).format(both), (expression, second))
    return Errand(kind, random.choice(ASK).format(spoken), (expression,))


def _talk(random: Random) -> tuple[str, tuple, str]:
    request = random.choice(list(TALK))
    return request, (), TALK[request]


def _sum(random: Random) -> tuple[str, str]:
    """A sum as it is said, and as the calculator wants it."""
    first, second = (
        random.randint(10 ** (digits - 1), 10**digits - 1)
        for digits in (random.randint(1, 4), random.randint(1, 4))
    )
    sign = random.choice(list(WORDS))
    said = random.choice((sign, f" {sign} ", f" {WORDS[sign]} "))
    return f"{first}{said}{second}", f"{first}{sign}{second}"


def exam(n: int = 50, seed: int = 2026) -> list[Errand]:
    """``n`` errands of each kind, the same for the same seed; small talk has only a few."""
    random = Random(f"errands {seed}")
    return [draw(random, kind) for kind in KINDS for _ in range(n)]


def practice_document(random: Random) -> str:
    """Sums as they are said and as they are written, and numbers said again: practice in copying.

    A model that begins with these has learnt to copy before it meets a call, of which the copied
    digits are a small part.
    """
    lines = []
    for _ in range(6):
        spoken, expression = _sum(random)
        number = random.randint(0, 10 ** random.randint(1, 8))
        lines.append(random.choice((f"{spoken}: {expression}", f"{number}. It is {number}.")))
    return "\n".join(lines) + END_OF_TEXT


def document(random: Random) -> str:
    """An errand from the request to the answer, as the nano caller reads it in pretraining."""
    errand = draw(random)
    messages: list[Message] = [{"role": "user", "content": errand.request}]
    answer = errand.answer
    if errand.expressions:
        results = list(map(_worked_out, errand.expressions))
        answer = f"It is {' and '.join(results)}."
        if random.random() < 0.1:
            results = [random.choice(FAILURES)] * len(results)
            answer = SORRY
        messages.append(
            {"role": "assistant", "content": "", "tool_calls": [_written(c) for c in errand.calls]}
        )
        messages += [{"role": "tool", "content": result} for result in results]
    messages.append({"role": "assistant", "content": answer})
    return conversation(messages) + END_OF_TEXT


def conversation(messages: list[Message], tools: tuple[str, ...] = ("calculator",)) -> str:
    """The text of a conversation in the nano caller's format."""
    offered = [{"function": {"name": name}} for name in tools]
    return _template().render(messages=messages, tools=offered)


def _worked_out(expression: str) -> str:
    first, sign, second = re.fullmatch(r"(\d+)(\D)(\d+)", expression).groups()
    return str(SIGNS[sign](int(first), int(second)))


def _written(call: ToolCall) -> dict:
    return {"function": {"name": call.name, "arguments": call.arguments}}


@cache
def _template() -> Template:
    return ImmutableSandboxedEnvironment().from_string(CHAT_TEMPLATE)
