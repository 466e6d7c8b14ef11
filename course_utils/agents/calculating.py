"""When does a tool beat more thinking? Sums that a policy works out, or hands to a calculator.

The longer the numbers, the more steps a written working has, and each can go wrong; a call is as
long as its numbers, and the calculator does not err.  An episode is a sum: the policy may call the
calculator, in the form that QwQ's chat template uses, before it answers.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from random import Random
from typing import Literal

from course_utils.agents.environment import Observation
from course_utils.agents.rollout import conversation
from course_utils.engines.protocol import Message
from course_utils.engines.reply import split_thinking
from course_utils.engines.tool_calls import CLOSING, OPENING, ToolCall, read_tool_calls
from course_utils.nano.tokenizer import END_OF_TEXT, END_THINK, THINK, split_reply

Way = Literal["think", "calculator", "both"]

WAYS: tuple[Way, ...] = ("think", "calculator", "both")

LEARNT_DIGITS = {1: 0.1, 2: 0.25, 3: 0.3, 4: 0.35}
"""Lengths of the numbers in a model's documents, and their shares."""

DIGITS = (2, 3, 4, 5)
"""Lengths that a policy is tested on: the last is longer than any it has read."""

CALLS = 2
"""How many calls an episode may hold."""

SHARES: dict[Way, float] = {"think": 0.45, "calculator": 0.45, "both": 0.1}
"""How often a model's documents go each way."""

PLACES = ("ones", "tens", "hundreds", "thousands", "ten thousands")
"""What the lines of a written working begin with, as in the nano thinker's thoughts."""

PROMPT: dict[Way, str] = {
    "think": "Work out {sum}.",
    "calculator": "Use the calculator for {sum}.",
    "both": "Work out {sum}, and check it with the calculator.",
}

RESPONSE = "<tool_response>\n{}\n</tool_response>"
"""How QwQ's chat template writes a tool's result, in a turn of the user."""


@dataclass
class Calculating:
    """One episode: ``first`` plus ``second``. ``way`` only chooses the words of the prompt.

    With ``broken``, the calculator answers with a number that is not the sum.
    """

    first: int
    second: int
    way: Way = "calculator"
    broken: Random | None = None
    calls: int = 0

    @property
    def messages(self) -> list[Message]:
        prompt = PROMPT[self.way].format(sum=f"{self.first}+{self.second}")
        return [{"role": "user", "content": prompt}]

    @property
    def answer(self) -> int:
        return self.first + self.second

    def step(self, action: str) -> Observation:
        answer = split_reply(action)[1] if END_THINK in action else action
        text, calls = read_tool_calls(answer)
        if not calls:
            numbers = re.findall(r"[0-9]+", text)
            right = len(numbers) == 1 and numbers[0].lstrip("0") == str(self.answer)
            return Observation("", done=True, success=right)
        self.calls += 1
        return Observation(RESPONSE.format(self.calculate(calls[0])), done=self.calls > CALLS)

    def calculate(self, call: object) -> str:
        """What the calculator returns for a call: a sum of two numbers, or a complaint."""
        if not isinstance(call, ToolCall) or call.name != "calculator":
            return "there is no such tool"
        numbers = re.fullmatch(
            r"\s*(\d{1,20})\s*\+\s*(\d{1,20})\s*", str(call.arguments.get("sum"))
        )
        if not numbers:
            return "that is not a sum"
        result = int(numbers[1]) + int(numbers[2])
        return str(result + self.broken.randint(1, 9) if self.broken else result)


def held_out(first: int, second: int) -> bool:
    """Is this pair kept from all training? One in eight is."""
    return zlib.crc32(f"{first}+{second}".encode()) % 8 == 0


def draw(
    random: Random, digits: int = 2, way: Way = "calculator", *, testing: bool = False
) -> Calculating:
    """An episode with numbers of so many digits; ``testing`` asks for a held-out pair."""
    low, high = 10 ** (digits - 1), 10**digits - 1
    while True:
        first, second = random.randint(low, high), random.randint(low, high)
        if held_out(first, second) == testing:
            return Calculating(first, second, way)


def exam(
    n: int = 300, digits: int = 2, way: Way = "calculator", seed: int = 2026
) -> list[Calculating]:
    """``n`` held-out episodes, the same for the same seed, whatever the way."""
    random = Random(f"calculating {digits} {seed}")
    return [draw(random, digits, way, testing=True) for _ in range(n)]


def write_call(episode: Calculating) -> str:
    """A call of the calculator, as a model writes it."""
    arguments = {"sum": f"{episode.first}+{episode.second}"}
    call = json.dumps({"name": "calculator", "arguments": arguments})
    return f"{OPENING}\n{call}\n{CLOSING}"


def worked(episode: Calculating) -> str:
    """The sum worked column by column from the right, as a thought of the nano thinker's kind."""
    a, b = (str(number)[::-1] for number in (episode.first, episode.second))
    carry, lines = 0, []
    for place, x, y in zip(PLACES, a, b, strict=False):
        total = int(x) + int(y)
        line = f"{place}: {x}+{y}={total}" + (f", {total}+1={total + 1}" if carry else "")
        carry = (total + carry) // 10
        last = len(lines) == len(a) - 1
        lines.append(line + (", carry 1" if carry and not last else ""))
    return f"{THINK}\n" + "\n".join(lines) + f"\n{END_THINK}\n\n"


def copied(episode: Calculating, action: str) -> bool:
    """Did a policy's first action carry the digits of its sum over, all of them rightly?

    They are those of its call, or else those of its working, line by line, carries aside.
    """
    thought, answer = split_thinking(action)
    calls = read_tool_calls(answer)[1]
    if calls:
        asked = calls[0].arguments.get("sum") if isinstance(calls[0], ToolCall) else None
        return asked == f"{episode.first}+{episode.second}"
    return _operands(thought) == _operands(worked(episode))


def _operands(thought: str) -> list[str]:
    """The two digits that each line of a working begins with, such as ``8+6``."""
    return re.findall(r": (\d\+\d)=", thought)


def solve(episode: Calculating) -> list[tuple[str, str]]:
    """A perfect policy of the episode's way; gives (action, observation) of each turn."""
    thought = worked(episode) if episode.way != "calculator" else ""
    if episode.way == "think":
        action = thought + str(episode.answer)
        return [(action, episode.step(action).text)]
    call = thought + write_call(episode)
    said = episode.step(call).text
    result = re.findall(r"\d+", said)[0]
    return [(call, said), (result, episode.step(result).text)]


def document(random: Random) -> str:
    """A solved sum in the agents' chat format, for pretraining: any way, any number of digits."""
    digits = random.choices(list(LEARNT_DIGITS), list(LEARNT_DIGITS.values()))[0]
    episode = draw(random, digits, random.choices(WAYS, [SHARES[way] for way in WAYS])[0])
    turns = solve(episode)
    messages = list(episode.messages)
    for action, said in turns:
        messages += [{"role": "assistant", "content": action}, {"role": "user", "content": said}]
    return conversation(messages[:-1]) + END_OF_TEXT
