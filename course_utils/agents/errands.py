"""Which errands can a nano model be sent on? The weather of a few towns, and talk that needs none.

An errand is a request with the calls that it needs: one, two, or none, since it is small talk or
names no town, which has to be asked for.  These are the kinds of the Berkeley Function-Calling
Leaderboard, small (https://gorilla.cs.berkeley.edu/blogs/8_berkeley_function_calling_leaderboard.html).
"""

from __future__ import annotations

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

KINDS = ("one call", "two calls", "no call", "a town is missing")
SHARES = {"one call": 0.45, "two calls": 0.25, "no call": 0.1, "a town is missing": 0.2}
"""How often each kind comes in the documents."""

WEATHER = {
    "Lima": "sun",
    "Oslo": "snow",
    "Cairo": "sun",
    "Paris": "rain",
    "Quito": "rain",
    "Delhi": "sun",
    "Tokyo": "wind",
    "Bonn": "rain",
}
"""Made up, and always the same: the course needs no network."""

TOWNS = tuple(WEATHER)
ADVICE = {
    "rain": "Take an umbrella.",
    "sun": "Wear a hat.",
    "snow": "Put on boots.",
    "wind": "Hold on to your hat.",
}
"""What the nano caller has learnt to make of each kind of weather."""

ASK = (
    "What is the weather in {}?",
    "What shall I wear in {}?",
    "I am off to {}.",
    "We go to {} today.",
)
ASK_WITHOUT = (
    "What is the weather like?",
    "What shall I wear?",
    "I am off.",
    "We go out today.",
)
WHERE = "In which town?"
TALK = {
    "Hello!": "Hello! Where do you go?",
    "Good morning.": "Good morning! Where do you go?",
    "Thank you.": "You are welcome.",
    "Who are you?": "A very small model with one tool.",
    "What can you do?": "I can look up the weather.",
    "Good bye.": "Good bye!",
}
FAILURES = (
    "weather failed: ValueError: no such town",
    "weather failed: OSError: no network",
    "weather gave no result within 10 seconds.",
    "There is no tool 'weather'. The tools are: none.",
)
SORRY = "I cannot tell."


def weather(town: str) -> str:
    """Look up today's weather in a town.

    Args:
        town: The town's name, such as "Lima".
    """
    if town not in WEATHER:
        raise ValueError("no such town")
    return WEATHER[town]


@dataclass(frozen=True)
class Errand:
    """A request, the towns whose weather it needs, and the answer where it needs none."""

    kind: str
    request: str
    towns: tuple[str, ...] = ()
    answer: str = ""

    @property
    def calls(self) -> list[ToolCall]:
        """The calls that are right."""
        return [ToolCall("weather", {"town": town}) for town in self.towns]

    def is_met_by(self, reply: Reply) -> bool:
        """Are these exactly the right calls, or, where none is, the right words?"""
        if self.towns:
            return reply.tool_calls == self.calls
        return not reply.tool_calls and reply.answer.strip() == self.answer


def draw(random: Random, kind: str | None = None) -> Errand:
    """An errand of this kind, or of any."""
    kind = kind or random.choices(list(SHARES), list(SHARES.values()))[0]
    if kind == "no call":
        request = random.choice(list(TALK))
        return Errand(kind, request, (), TALK[request])
    if kind == "a town is missing":
        return Errand(kind, random.choice(ASK_WITHOUT), (), WHERE)
    towns = tuple(random.sample(TOWNS, 2 if kind == "two calls" else 1))
    return Errand(kind, random.choice(ASK).format(" and ".join(towns)), towns)


def exam(n: int = 50, seed: int = 2026) -> list[Errand]:
    """``n`` errands of each kind, the same for the same seed; some of them come twice."""
    random = Random(f"errands {seed}")
    return [draw(random, kind) for kind in KINDS for _ in range(n)]


def document(random: Random) -> str:
    """An errand from the request to the answer, as the nano caller reads it in pretraining."""
    errand = draw(random)
    messages: list[Message] = [{"role": "user", "content": errand.request}]
    answer = errand.answer
    if errand.towns:
        calls = [{"function": {"name": c.name, "arguments": c.arguments}} for c in errand.calls]
        messages.append({"role": "assistant", "content": "", "tool_calls": calls})
        # Any town may have any weather: what the tool says is to be read, not known by heart.
        results = [random.choice(list(ADVICE)) for _ in errand.towns]
        answer = " ".join(ADVICE[result] for result in results)
        if random.random() < 0.15:
            results = [random.choice(FAILURES)] * len(results)
            answer = SORRY
        messages += [{"role": "tool", "content": result} for result in results]
    messages.append({"role": "assistant", "content": answer})
    return conversation(messages) + END_OF_TEXT


def conversation(messages: list[Message], tools: tuple[str, ...] = ("weather",)) -> str:
    """The text of a conversation in the nano caller's format."""
    offered = [{"function": {"name": name}} for name in tools]
    return _template().render(messages=messages, tools=offered)


@cache
def _template() -> Template:
    return ImmutableSandboxedEnvironment().from_string(CHAT_TEMPLATE)
