"""What does a learner ask? A request's body, read with bounds and made fit for a shared model.

Learners are many and the model is one, so nothing here trusts a body: it has an end, it is one
conversation, and of its settings only those are passed on that touch this reply alone.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

LONGEST_BODY = 2**20
"""Bytes. A context of 32,768 tokens is about 130,000 letters."""

MOST_BRACKETS = 20_000
"""Lists and objects in a body. Once it is read, an empty one takes forty times the bytes it had."""

LONGEST_SETTINGS = 8 * 2**10
"""Letters of what a request holds beside its conversation and tools. A list of stop words or of
biases is worked through for every token, while everybody waits."""

MOST_CANDIDATES = 1000
"""How many candidates a request may have listed for each token."""

BODY_SECONDS = 20.0
"""How long a body may take to arrive."""

CHAT, COMPLETION, OWN_COMPLETION = "/v1/chat/completions", "/v1/completions", "/completion"

_PASSED = frozenset(
    (
        "messages",
        "prompt",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "echo",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "n_predict",
        "stop",
        "ignore_eos",
        "seed",
        "logit_bias",
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "typical_p",
        "top_n_sigma",
        "dynatemp_range",
        "dynatemp_exponent",
        "xtc_probability",
        "xtc_threshold",
        "mirostat",
        "mirostat_tau",
        "mirostat_eta",
        "samplers",
        "presence_penalty",
        "frequency_penalty",
        "repeat_penalty",
        "repetition_penalty",
        "repeat_last_n",
        "dry_multiplier",
        "dry_base",
        "dry_allowed_length",
        "dry_penalty_last_n",
        "logprobs",
        "top_logprobs",
        "n_probs",
        "post_sampling_probs",
        "return_tokens",
        "timings_per_token",
        "reasoning_format",
        "add_generation_prompt",
        "continue_final_message",
    )
)
"""Settings of OpenAI's API, llama-server and vLLM that are passed on. All others are left out: some
decide over others' slots, caches and adapters, or bring a template of their own."""

_REFUSED = ("grammar", "json_schema", "structured_outputs")
"""What a reply would have to follow: it may take the model server for ever to work through, for a
single token, and one that is nested deeply ends it (llama.cpp#26600)."""

LONGEST_TOOLS = 64 * 2**10
"""Letters. Their schemas become a grammar as well."""


class Refusal(Exception):
    """A request that is not passed on: the HTTP status, and a sentence that says why."""

    def __init__(self, status: int, words: str, *, retry_after: float | None = None):
        super().__init__(words)
        self.status = status
        self.words = words
        self.retry_after = retry_after

    def as_json(self) -> dict:
        """The error in the form of OpenAI's API, which every client reads."""
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(
            self.status, "server_error" if self.status >= 500 else "invalid_request_error"
        )
        return {"error": {"message": self.words, "type": kind, "code": self.status}}


@dataclass
class Asked:
    """One request for a reply: the page it is for, its JSON, and whether it is to be streamed.

    ``body`` is kept as bytes, an object that is not empty: many of them may wait in line.
    """

    page: str
    body: bytes
    streamed: bool

    def for_model(self, model: str, cache: dict[str, object]) -> bytes:
        """The body to send on, with the settings that keep learners' caches apart."""
        return self.body[:-1] + b", " + _as_json({"model": model, **cache})[1:]


async def read_body(request: Request) -> dict:
    """A request's JSON object. Raises Refusal for one that is too long, too slow or none."""
    try:
        stated = int(request.headers.get("content-length") or 0)
    except ValueError:
        stated = 0
    if stated > LONGEST_BODY:
        raise _too_long()
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                data += part
                if len(data) > LONGEST_BODY:
                    raise _too_long()
    except TimeoutError:
        raise Refusal(
            408, f"This request did not arrive within {BODY_SECONDS:.0f} seconds. Send it again."
        ) from None
    except ClientDisconnect:
        raise Refusal(400, "The connection was closed before the request was whole.") from None
    if data.count(b"[") + data.count(b"{") > MOST_BRACKETS:
        raise Refusal(
            413, f"This request holds more than {MOST_BRACKETS:,} brackets; ask in parts."
        )
    try:
        body = json.loads(bytes(data))
    except (ValueError, RecursionError):
        raise Refusal(400, "This request does not hold JSON.") from None
    if not isinstance(body, dict):
        raise Refusal(400, "This request holds JSON that is no object.")
    return body


def read_asked(page: str, body: dict) -> Asked:
    """What is asked for, as the model may be sent it. Raises Refusal for what a class cannot have.

    That is several replies at once, which would take others' turns; parts that are not text, which
    the server would fetch from addresses that a learner chooses; and grammars.
    """
    for name in ("n", "best_of"):
        if body.get(name) not in (None, 1):
            raise Refusal(400, f"{name} is 1 here, since a class shares the model: ask again.")
    if page == CHAT:
        _check_messages(body.get("messages"))
    else:
        prompt = body.get("prompt")
        numbers = isinstance(prompt, list) and all(type(part) is int for part in prompt)
        if not isinstance(prompt, str) and not (prompt and numbers):
            raise Refusal(400, "prompt is one text, or a list of token numbers.")
    _check_form(body)
    kept = {name: value for name, value in body.items() if name in _PASSED}
    _check_settings(kept)
    return Asked(page, _as_json(kept), streamed=body.get("stream") is True)


def _check_form(body: dict) -> None:
    """A reply's form is the model's own here, but for the calls of tools."""
    form = body.get("response_format")
    kind = form.get("type") if isinstance(form, dict) else form
    asked = [name for name in _REFUSED if body.get(name) is not None]
    asked += [] if kind in (None, "text") else ["response_format"]
    if asked:
        raise Refusal(
            400,
            f"{asked[0]} is not for a class: one that is hard to follow would hold up everybody. "
            "Say in words which form the reply should have.",
        )
    tools = body.get("tools")
    if tools is not None and len(json.dumps(tools)) > LONGEST_TOOLS:
        raise Refusal(400, f"tools take more than {LONGEST_TOOLS:,} letters: offer fewer.")
    if _has_pattern(tools):
        raise Refusal(400, "A tool's schema may hold no pattern here; describe it in words.")


def _has_pattern(schema: object) -> bool:
    """Is there a regular expression in it? (A property may be called "pattern".)"""
    if isinstance(schema, list):
        return any(map(_has_pattern, schema))
    if not isinstance(schema, dict):
        return False
    return isinstance(schema.get("pattern"), str) or any(map(_has_pattern, schema.values()))


def _check_settings(body: dict) -> None:
    for name in ("n_probs", "top_logprobs", "logprobs"):
        wanted = body.get(name)
        if isinstance(wanted, int | float) and wanted > MOST_CANDIDATES:
            raise Refusal(400, f"{name} is at most {MOST_CANDIDATES} here.")
    settings = {name: body[name] for name in body.keys() - {"messages", "prompt", "tools"}}
    if len(json.dumps(settings)) > LONGEST_SETTINGS:
        raise Refusal(
            400,
            f"The settings of this request take more than {LONGEST_SETTINGS:,} letters: shorten "
            "its list of stop words or biases.",
        )


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise Refusal(400, "messages is a list of objects with a role and a content.")
    for message in messages:
        content = message.get("content")
        parts = content if isinstance(content, list) else []
        if any(not isinstance(part, dict) or part.get("type") != "text" for part in parts):
            raise Refusal(400, "This model reads text only: leave out images, sound and files.")


def _as_json(body: dict) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", errors="replace")


def _too_long() -> Refusal:
    return Refusal(
        413, f"This request is longer than {LONGEST_BODY // 2**20} MiB; send a shorter text."
    )
