"""The course's engines as models of Inspect, and our questions' solver and scorer.

Inspect is imported on first use only; it takes some seconds.
"""

from __future__ import annotations

import functools
import threading
import zlib
from dataclasses import dataclass, field

from course_utils.engines.protocol import Engine, Reply
from course_utils.engines.sampling import Sampling
from course_utils.errors import OptionError
from course_utils.evaluation.function_calls import offer_functions, parse_function_calls
from course_utils.evaluation.suite import Question
from course_utils.sandbox import Sandbox

PROVIDER = "course"
"""Inspect knows our engines as ``course/NAME``."""


@dataclass(frozen=True)
class Player:
    """An engine that answers for Inspect, with its settings; ``stop`` ends its replies."""

    engine: Engine
    sampling: Sampling
    thinking_budget: int | None
    stop: threading.Event = field(default_factory=threading.Event)


# Inspect finds a model by its name, also when it takes up an old log; so the names are kept here.
players: dict[str, Player] = {}


def answer_seed(seed: int, sample_id: object, epoch: int) -> int:
    """The seed of one answer: the same in every run, another for every question and answer."""
    return zlib.crc32(f"{seed} {sample_id} {epoch}".encode()) % (2**32 - 1)


@dataclass(frozen=True)
class Parts:
    """Our solver, made with ``ask(seed)``, and our scorer, made with ``grade()``."""

    ask: object
    grade: object


@functools.cache
def inspect_parts() -> Parts:
    """Our model provider, which Inspect then knows, solver and scorer.

    Inspect's decorators need Inspect itself.
    """
    import anyio
    from inspect_ai.model import (
        ChatCompletionChoice,
        ChatMessageAssistant,
        ChatMessageUser,
        ContentReasoning,
        ContentText,
        ModelAPI,
        ModelOutput,
        ModelUsage,
        modelapi,
    )
    from inspect_ai.scorer import Score, accuracy, scorer, stderr
    from inspect_ai.solver import solver
    from inspect_ai.tool import ToolCall

    class EngineAPI(ModelAPI):
        """An engine of the course as a model of Inspect."""

        def __init__(self, model_name, base_url=None, api_key=None, config=None, **_unused):
            super().__init__(model_name, base_url, api_key, [], *([config] if config else []))
            if model_name not in players:
                raise OptionError(
                    f"No engine called {model_name!r} is open.", "Start with evaluate(engine, …)."
                )
            self.player = players[model_name]

        async def generate(self, input, tools, tool_choice, config):
            messages = [
                {"role": message.role, "content": message.text}
                for message in input
                if isinstance(message, ChatMessageUser | ChatMessageAssistant)
                or message.role == "system"
            ]
            if tools:
                messages = offer_functions(messages, [tool.model_dump() for tool in tools])
            changes = {
                name: getattr(config, name)
                for name in ("temperature", "top_p", "top_k", "max_tokens", "seed")
                if getattr(config, name) is not None
            }
            stop = threading.Event()
            answer = functools.partial(
                _answer, self.player, messages, self.player.sampling.but(**changes), stop
            )
            try:
                # A thread keeps Inspect's display and its cancelling alive meanwhile.
                reply = await anyio.to_thread.run_sync(answer, abandon_on_cancel=True)
            finally:
                stop.set()
            content: list = [ContentReasoning(reasoning=reply.thinking)] if reply.thinking else []
            content.append(ContentText(text=reply.answer))
            calls = parse_function_calls(reply.answer) if tools else []
            message = ChatMessageAssistant(
                content=content,
                tool_calls=[
                    ToolCall(id=f"call_{number}", function=call.name, arguments=call.arguments)
                    for number, call in enumerate(calls)
                ]
                or None,
                model=self.model_name,
            )
            stop_reason = "max_tokens" if reply.stop_reason == "length" else "stop"
            choice = ChatCompletionChoice(
                message=message, stop_reason="tool_calls" if calls else stop_reason
            )
            output = ModelOutput(model=self.model_name, choices=[choice])
            output.usage = ModelUsage(
                input_tokens=reply.prompt_tokens or 0,
                output_tokens=reply.tokens,
                total_tokens=(reply.prompt_tokens or 0) + reply.tokens,
                reasoning_tokens=reply.thinking_tokens,
            )
            output.metadata = {
                "thinking_tokens": reply.thinking_tokens,
                "answer_tokens": reply.answer_tokens,
                # A thought that never closed is no answer, whatever it says.
                "answered": bool(reply.answer.strip()),
            }
            return output

    @modelapi(name=PROVIDER)
    def course():
        return EngineAPI

    @solver
    def ask(seed: int):
        async def solve(state, generate):
            return await generate(state, seed=answer_seed(seed, state.sample_id, state.epoch))

        return solve

    @scorer(metrics=[accuracy(), stderr()])
    def grade():
        sandbox = Sandbox()

        async def score(state, target):
            metadata = state.metadata
            question = Question(
                str(state.sample_id), metadata["family"], metadata["level"], "", metadata["key"]
            )
            # The completion is the answer alone: a tag in it is text, and must not split it again.
            verdict = question.grade(Reply(answer=state.output.completion), sandbox)
            return Score(
                value="C" if verdict else "I",
                answer=verdict.extracted,
                explanation=verdict.reason,
                metadata=state.output.metadata,
            )

        return score

    return Parts(ask, grade)


def _answer(
    player: Player, messages: list[dict[str, str]], sampling: Sampling, stop: threading.Event
) -> Reply:
    stream = player.engine.chat(messages, sampling, thinking_budget=player.thinking_budget)
    for _ in stream:
        if stop.is_set() or player.stop.is_set():
            stream.close()
            raise InterruptedError("the evaluation was stopped")
    return stream.reply
