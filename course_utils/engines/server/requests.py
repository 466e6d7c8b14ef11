"""What is asked of a server: the bodies of requests, sampling settings as the API names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from course_utils.engines.chat_format import with_json_arguments
from course_utils.engines.messages import Message, Tools, as_messages, as_tools
from course_utils.engines.reply import without_thinking
from course_utils.engines.sampling import Sampling


@dataclass(frozen=True)
class Conversation:
    """What is asked: messages, as the API writes them, and the tools that are offered."""

    messages: list[Message]
    tools: list[dict] | None = None

    @classmethod
    def of(cls, messages: str | Sequence[Message], tools: Tools) -> Conversation:
        """Checked, and without earlier thoughts. Raises PromptError as ``as_messages`` does."""
        return cls(with_json_arguments(without_thinking(as_messages(messages))), as_tools(tools))

    def body(self) -> dict:
        """The part of a request that holds it."""
        return {"messages": self.messages} | ({"tools": self.tools} if self.tools else {})

    def begun(self, reply: Message) -> Conversation:
        """The same with the beginning of a reply, for a server to continue."""
        return Conversation([*self.messages, reply], self.tools)


def chat_body(model: str, asked: Conversation, settings: dict, *, stream: bool = True) -> dict:
    """A request to /chat/completions. ``settings`` are added as they are."""
    return {"model": model, **asked.body(), **_streamed(stream), **settings}


def completion_body(model: str, prompt: str, settings: dict, *, stream: bool = True) -> dict:
    """A request to /completions, which continues a raw text."""
    return {"model": model, "prompt": prompt, **_streamed(stream), **settings}


def settings_for_any_server(sampling: Sampling | None) -> dict:
    """Sampling settings; those that OpenAI's API lacks are named only where they are needed.

    Some servers refuse settings that they do not know.  None leaves all to the server.
    """
    if sampling is None:
        return {}
    settings = _common_settings(sampling)
    if sampling.top_k > 0:
        settings["top_k"] = sampling.top_k
    if sampling.min_p > 0:
        settings["min_p"] = sampling.min_p
    if sampling.repetition_penalty != 1:
        settings["repetition_penalty"] = sampling.repetition_penalty
    return settings


def settings_for_llama_server(sampling: Sampling | None) -> dict:
    """All settings: llama-server's own defaults differ (top_k 40, min_p 0.05)."""
    settings: dict = {"timings_per_token": True}
    if sampling is None:
        return settings
    return settings | {
        **_common_settings(sampling),
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repetition_penalty,
    }


def _common_settings(sampling: Sampling) -> dict:
    settings = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "presence_penalty": sampling.presence_penalty,
    }
    if sampling.max_tokens is not None:
        settings["max_tokens"] = sampling.max_tokens
    if sampling.seed is not None:
        settings["seed"] = sampling.seed
    return settings


def accepted_form(body: dict, words: str) -> dict | None:
    """The same request in the form that a server's refusal asks for; None if it asks for another.

    Some servers refuse to be asked for counts, and newer OpenAI models know the limit of tokens by
    another name.  What would change the reply itself is never left out.
    """
    if "stream_options" in body and ("stream_options" in words or "include_usage" in words):
        return {name: value for name, value in body.items() if name != "stream_options"}
    if "max_tokens" in body and "max_completion_tokens" in words:
        return {
            "max_completion_tokens" if name == "max_tokens" else name: value
            for name, value in body.items()
        }
    return None


def with_seed(settings: dict, number: int) -> dict:
    """The same settings for completion ``number`` of several."""
    if "seed" not in settings:
        return settings
    # Seeds have 32 bits, and the last of them means "any" to llama.cpp.
    return {**settings, "seed": (settings["seed"] + number) % (2**32 - 1)}


def _streamed(stream: bool) -> dict:
    return {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
