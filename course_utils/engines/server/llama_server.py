"""The engine for llama.cpp's own server, which also shows tokens, prompts and ids.

``llama-server`` serves the OpenAI-compatible API, and pages of its own beside it
(https://github.com/ggml-org/llama.cpp/tree/master/tools/server).  A server of several models
("router mode") wants the model's name with each of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Sequence

from course_utils.engines import checks
from course_utils.engines.messages import Message, Tools
from course_utils.engines.protocol import ModelInfo, NextToken, ScoredToken, Token
from course_utils.engines.reply import (
    CLOSING,
    END_OF_THOUGHT,
    OPENING,
    Piece,
    Reply,
    opens_thinking,
    split_thinking,
)
from course_utils.engines.sampling import Sampling, chosen
from course_utils.engines.server.endpoint import EndpointEngine
from course_utils.engines.server.errors import Misshapen, NotAnApi, Refused
from course_utils.engines.server.fields import bytes_in, chance_in, list_in, number_in, text_in
from course_utils.engines.server.reading import Sorter, new_reply, read_reply, stop_reason
from course_utils.engines.server.requests import (
    Conversation,
    completion_body,
    settings_for_llama_server,
    with_seed,
)
from course_utils.engines.server.stream import Chunk, as_count, choices_of, chunk_of


class LlamaServerEngine(EndpointEngine):
    """A model behind llama.cpp's own server, which ``open_model`` recognises."""

    def render(self, messages: str | Sequence[Message], tools: Tools = None) -> str:
        """The exact text the model is given for these messages, and these tools if any."""
        asked = Conversation.of(messages, tools)
        with self._connection.explaining():
            return self._written(asked)

    def _written(self, asked: Conversation) -> str:
        return text_in(self._ask("/apply-template", **asked.body()), "prompt")

    def tokenize(self, text: str) -> list[Token]:
        """Split a raw text into tokens."""
        with self._connection.explaining():
            answer = self._ask(
                "/tokenize", content=text, add_special=False, parse_special=True, with_pieces=True
            )
            return [
                Token(number_in(token, "id"), bytes_in(token, "piece"))
                for token in list_in(answer, "tokens")
            ]

    def detokenize(self, tokens: Sequence[Token | int]) -> str:
        """The text of these tokens."""
        listed = checks.token_list(tokens)
        ids = [token.id if isinstance(token, Token) else token for token in listed]
        with self._connection.explaining():
            return text_in(self._ask("/detokenize", tokens=ids), "content")

    def score(self, text: str) -> list[ScoredToken]:
        """llama-server cannot echo a prompt with its probabilities."""
        raise self._unsupported("does not score texts (llama-server cannot)")

    def sample_many(self, prompt: str, n: int, sampling: Sampling | None = None) -> list[Reply]:
        """Draw n completions of one raw prompt; see ``render`` for making one.

        The server draws as many in one request as it has slots, sharing the prompt; their tokens
        are counted by splitting each text into tokens again, and their times are those of the
        request.  Completion number i draws with ``sampling.seed + i``.
        """
        return super().sample_many(prompt, n, sampling)

    def _sample(self, prompt: str, n: int, settings: dict) -> list[Reply]:
        replies: list[Reply] = []
        slots = self.info.settings["slots"] or 1
        while len(replies) < n:
            several = {"n": min(slots, n - len(replies))}
            body = completion_body(
                self._model, prompt, with_seed(settings, len(replies)) | several, stream=False
            )
            started = time.perf_counter()
            answer = self._connection.post("/completions", body)
            seconds = time.perf_counter() - started
            choices = choices_of(answer)
            if not choices:
                raise NotAnApi(str(answer)[:200])
            usage = chunk_of(answer).usage
            for choice in choices[: several["n"]]:
                drawn = chunk_of({"choices": [choice]})
                if drawn.odd:
                    raise Misshapen(drawn.odd)
                reply = self._whole_reply(drawn.text, opens_thinking(prompt))
                reply.prompt_tokens = usage.prompt if usage else None
                reply.seconds = seconds
                reply.stop_reason = stop_reason(drawn.finish, "max_tokens" in settings)
                replies.append(reply)
        return replies

    def _whole_reply(self, text: str, opened: bool) -> Reply:
        """A reply that came in one piece: split, and counted by splitting it into tokens again."""
        reply = new_reply()
        reply.thinking, reply.answer = split_thinking(text, opened)
        thought_ends = text.find(CLOSING) + len(CLOSING) if CLOSING in text else len(text)
        before = text[:thought_ends] if opened or reply.thinking else ""
        after = text[len(before) :]
        reply.thinking_tokens = len(self.tokenize(before)) if before else 0
        reply.answer_tokens = len(self.tokenize(after)) if after else 0
        return reply

    def _next_tokens(self, text: str, k: int) -> list[NextToken]:
        answer = self._ask("/completion", prompt=text, n_predict=1, n_probs=k, temperature=0)
        first = next(iter(list_in(answer, "completion_probabilities")), {})
        return [
            NextToken(Token(number_in(c, "id"), bytes_in(c, "bytes")), chance_in(c), None)
            for c in list_in(first, "top_logprobs")
        ]

    # ---- thoughts ------------------------------------------------------------------------------

    def _opens_thinking(self, asked: Conversation) -> tuple[bool, bool]:
        try:
            prompt = self._written(asked)
        except Refused as refusal:
            if refusal.response.status_code in (404, 405, 501):  # an old server
                return super()._opens_thinking(asked)
            raise
        return opens_thinking(prompt), False

    def _chat_chunks(
        self, asked: Conversation, settings: dict, stopping: threading.Event
    ) -> Generator[Chunk, None, None]:
        if self.info.reasoning:
            # Ask for the text as the model writes it, tags included, so that each token is counted
            # where it belongs.  Other ways to write thoughts are the server's to read.
            settings = settings | {"reasoning_format": "none"}
        if asked.tools:
            settings = settings | {"parallel_tool_calls": True}  # not its default, but the API's
        return super()._chat_chunks(asked, settings, stopping)

    def _answer_after_thought(
        self, reply: Reply, stopping: threading.Event, asked: Conversation, settings: dict
    ) -> Iterator[Piece]:
        prompt = self._written(asked)
        if not opens_thinking(prompt):
            prompt += f"{OPENING}\n"
        prompt += reply.thinking + END_OF_THOUGHT
        chunks = self._completion_chunks(prompt, settings, stopping)
        yield from read_reply(reply, chunks, Sorter(False), limited="max_tokens" in settings)

    # ---- what is known of the server -----------------------------------------------------------

    def _ask(self, page: str, **body: object) -> dict:
        """Call one of llama-server's own pages, which lie beside the OpenAI-compatible API."""
        answer = self._connection.post(page, {"model": self._model, **body}, beside=True)
        if not isinstance(answer, dict):
            raise NotAnApi(str(answer)[:200])
        return answer

    def _settings(self, sampling: Sampling | None) -> dict:
        return settings_for_llama_server(chosen(sampling, self.default_sampling))

    def _describe(self, listed: dict) -> ModelInfo:
        properties = self._properties()
        meta = _dict(listed.get("meta"))
        template = properties.get("chat_template")
        generation = _dict(properties.get("default_generation_settings"))
        plain = super()._describe(listed)
        return ModelInfo(
            name=self._model,
            source=self._connection.url,
            parameters=as_count(meta.get("n_params")),
            file_bytes=as_count(meta.get("size")),
            vocabulary=as_count(meta.get("n_vocab")),
            context=as_count(generation.get("n_ctx")) or plain.context,
            reasoning=CLOSING in template
            if isinstance(template, str) and template
            else plain.reasoning,
            settings={
                "server": "llama-server",
                "slots": as_count(properties.get("total_slots")),
            },
        )

    def _properties(self) -> dict:
        """What the server says about the model: context, slots, chat template."""
        with self._connection.explaining():
            try:
                return _dict(self._connection.get("/props", beside=True, model=self._model))
            except Refused as refusal:
                if refusal.response.status_code in (400, 404, 405, 501):
                    return {}
                raise


def _dict(value: object) -> dict:
    return value if isinstance(value, dict) else {}
