"""How does a model run on another machine? Any OpenAI-compatible server, through the same calls.

Made for llama.cpp's ``llama-server``, which can do everything here except attention maps, routing
and scoring; works with vLLM, Ollama and others as far as their API goes.  Where it does not, a
NotSupportedError says which engine can.

The API key travels with every request.  Over plain http:// to another machine anybody on the
network can read it, and the conversation; use https:// there.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import openai

from course_utils.engines.chat_format import as_messages
from course_utils.engines.protocol import (
    Attention,
    Kind,
    Message,
    ModelInfo,
    NextToken,
    Piece,
    Reply,
    Routing,
    ScoredToken,
    Stream,
    Token,
)
from course_utils.engines.sampling import QWQ, Sampling
from course_utils.engines.server_address import checked_url, choose_key, is_loopback
from course_utils.engines.server_errors import BrokenOff, NotAnApi, Server, explain, http
from course_utils.engines.server_stream import Chunk, TokenCounter, receive, stop_reason, tagged
from course_utils.engines.thinking import (
    CLOSING,
    OPENING,
    ThinkingSplitter,
    opens_thinking,
    split_thinking,
    without_thinking,
)
from course_utils.errors import NotSupportedError, OptionError, PromptError, ServerError

DEFAULT_TIMEOUT = 300.0
"""Seconds of silence after which a server counts as stuck. A long prompt can take minutes."""

CONNECT_SECONDS = 10.0

# What closes a thought that has used up its budget; QwQ's own layout.
END_OF_THOUGHT = "\n</think>\n\n"

# Requests at once where a server cannot draw several completions in one.
CONCURRENT_REQUESTS = 8

# Servers other than llama-server do not say whether their model reasons; its name often does.
_REASONING_NAME = re.compile(r"qwq|\br1\b|think|reason", re.IGNORECASE)

# The id of a token whose server reveals its text only.
UNKNOWN_ID = -1

# What talking to a server may raise; answers that are not as expected lead to the last five.
_FAULTS = (
    *(openai.OpenAIError, http.HTTPError, http.StreamError, BrokenOff, NotAnApi, OSError),
    *(ValueError, KeyError, TypeError, AttributeError, IndexError),
)


class EndpointEngine:
    """A model behind an OpenAI-compatible API. Open one with ``open_model("http://...")``.

    base_url: the API's address, usually ending in /v1.
    api_key: by default what the environment variable COURSE_API_KEY says, or else OPENAI_API_KEY
        (which is not sent unencrypted to another machine).
    model: its name on the server; by default the first that the server lists.
    timeout: seconds without any sign of life after which a request is given up.

    Safe to share between threads.  Raises ServerError where the server cannot be reached, refuses
    the key, or does not have the model.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        model: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ):
        self._url = checked_url(base_url)
        if not isinstance(timeout, (int, float)) or not 0 < timeout < math.inf:
            raise OptionError(f"timeout={timeout!r} is not valid.", "Give seconds, more than 0.")
        key = choose_key(api_key, self._url)
        self._server = Server(self._url, model, float(timeout), key)
        self._client = openai.OpenAI(
            base_url=self._url,
            api_key=key or "none",
            max_retries=0,
            http_client=openai.DefaultHttpxClient(
                timeout=http.Timeout(timeout, connect=min(CONNECT_SECONDS, timeout)),
                # One connection per request, so that hanging up on one disturbs no other.
                limits=http.Limits(max_keepalive_connections=0),
                follow_redirects=False,
                # Reading the certificates takes a moment, which plain http has no use for.
                verify=self._url.startswith("https://"),
                # A proxy from the environment cannot reach a server on this machine.
                trust_env=not is_loopback(self._url),
            ),
        )
        self.closed = False
        self._model, listed = self._choose_model(model, self._listed_models())
        self._server = replace(self._server, model=self._model)
        # llama-server's own pages lie beside the OpenAI-compatible ones.
        self._root = self._url.removesuffix("/v1")
        self._is_llama_server = listed.get("owned_by") == "llamacpp"
        self.info = self._describe(listed, self._properties() if self._is_llama_server else {})
        self.default_sampling = QWQ if self.info.reasoning else None
        """None leaves the settings to the server."""

    def __enter__(self) -> EndpointEngine:
        return self

    def __exit__(self, *_exception) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self.info.name} at {self._url}>"

    def close(self) -> None:
        """Close the connections; the server goes on running."""
        self.closed = True
        self._client.close()

    # ---- replies ---------------------------------------------------------------------------

    def chat(
        self,
        messages: str | Sequence[Message],
        sampling: Sampling | None = None,
        *,
        thinking_budget: int | None = None,
    ) -> Stream:
        """Stream a reply to a question or a conversation.

        messages: a question, or a list of {"role": ..., "content": ...}.  Thoughts in earlier
            assistant messages are dropped, as QwQ's card asks.
        sampling: by default what QwQ's card recommends, for models that reason, and the server's
            own settings for others.
        thinking_budget: end the thought after so many tokens and go on to the answer.  The stream
            is closed there, and a second request continues after the thought; on servers other
            than llama-server this needs ``continue_final_message`` (vLLM has it), and raises
            NotSupportedError where it is refused.

        Token counts are the server's; one that reports none is counted in pieces.
        Raises PromptError for an empty or too long conversation, ServerError where the server
        fails; what had arrived by then is in the stream's ``reply``.
        """
        if thinking_budget is not None and not _is_count(thinking_budget):
            raise OptionError(
                f"thinking_budget={thinking_budget!r} is not valid.",
                "Give a whole number of tokens from 0 up, or None for no limit.",
            )
        messages = without_thinking(as_messages(messages))
        settings = self._settings(sampling)
        return self._stream(
            lambda reply, stopping: self._chat_pieces(
                reply, stopping, messages, settings, thinking_budget
            )
        )

    def complete(self, text: str, sampling: Sampling | None = None) -> Stream:
        """Stream the continuation of a raw text; all of it counts as answer."""
        _refuse_empty(text)
        settings = self._settings(sampling)
        return self._stream(
            lambda reply, stopping: self._read(
                reply,
                self._completion_chunks(text, settings, stopping),
                _AllAnswer(),
                limited="max_tokens" in settings,
            )
        )

    def sample_many(self, prompt: str, n: int, sampling: Sampling | None = None) -> list[Reply]:
        """Draw n completions of one raw prompt; see ``render`` for making one.

        A llama-server draws as many in one request as it has slots, sharing the prompt; their
        tokens are counted by splitting each text into tokens again, and their times are those of
        the request.  Other servers get up to eight requests at a time.  Completion number i draws
        with ``sampling.seed + i``.
        """
        if not _is_count(n) or n < 1:
            raise OptionError(f"n={n!r} is not a number of completions.", "Give 1 or more.")
        _refuse_empty(prompt)
        settings = self._settings(sampling)
        with self._explaining():
            if self._is_llama_server:
                return self._sample_in_shared_requests(prompt, n, settings)
            return self._sample_in_many_requests(prompt, n, settings)

    def render(self, messages: str | Sequence[Message]) -> str:
        """The exact text the model is given for these messages (llama-server only)."""
        messages = without_thinking(as_messages(messages))
        self._require_llama_server("does not show how it writes a conversation out")
        with self._explaining():
            return self._post("/apply-template", {"messages": messages})["prompt"]

    def _stream(self, pieces: Callable[[Reply, threading.Event], Iterator[Piece]]) -> Stream:
        reply = Reply(stop_reason="interrupted")
        stopping = threading.Event()

        def explained() -> Generator[Piece, None, None]:
            with self._explaining():
                yield from pieces(reply, stopping)

        return Stream(explained(), reply, stopping)

    def _chat_pieces(
        self,
        reply: Reply,
        stopping: threading.Event,
        messages: list[Message],
        settings: dict,
        budget: int | None,
    ) -> Iterator[Piece]:
        """The reply's pieces; where the budget ends the thought, those of both requests."""
        if self._is_llama_server:
            # Ask for the text as the model writes it, so that the splitting is ours alone.
            opened = opens_thinking(self.render(messages))
            settings_for_chat = _with_extra(settings, reasoning_format="none")
        else:
            # Nobody says whether the template opened the thought; QwQ's and R1's do.
            opened = self.info.reasoning
            settings_for_chat = settings
        guessed = opened and not self._is_llama_server
        if opened and budget == 0:
            reply.thinking_cut = True
        else:
            chunks = receive(
                lambda: self._client.chat.completions.create(
                    model=self._model, messages=messages, **settings_for_chat
                ),
                stopping,
            )
            yield from self._read(
                reply,
                chunks,
                ThinkingSplitter(opened),
                limited="max_tokens" in settings,
                budget=budget,
                guessed=guessed,
            )
        if reply.thinking_cut:
            yield from self._answer_after_thought(reply, stopping, messages, settings)

    def _answer_after_thought(
        self, reply: Reply, stopping: threading.Event, messages: list[Message], settings: dict
    ) -> Iterator[Piece]:
        """The answer that follows a thought which the budget has ended: a second request."""
        if "max_tokens" in settings:
            left = settings["max_tokens"] - reply.thinking_tokens
            if left < 1:
                reply.stop_reason = "length"
                return
            settings = {**settings, "max_tokens": left}
        if self._is_llama_server:
            prompt = self.render(messages)
            if not opens_thinking(prompt):
                prompt += f"{OPENING}\n"
            chunks = self._completion_chunks(
                prompt + reply.thinking + END_OF_THOUGHT, settings, stopping
            )
        else:
            chunks = self._continuation_chunks(messages, reply.thinking, settings, stopping)
        yield from self._read(
            reply, chunks, ThinkingSplitter(False), limited="max_tokens" in settings
        )

    def _continuation_chunks(
        self, messages: list[Message], thought: str, settings: dict, stopping: threading.Event
    ) -> Generator[Chunk, None, None]:
        """Let a server other than llama-server continue a reply that begins with this thought."""
        begun = {"role": "assistant", "content": f"{OPENING}\n{thought}{END_OF_THOUGHT}"}
        settings = _with_extra(settings, continue_final_message=True, add_generation_prompt=False)

        def open_stream():
            try:
                return self._client.chat.completions.create(
                    model=self._model, messages=[*messages, begun], **settings
                )
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                raise NotSupportedError(
                    f"{self._url} cannot continue a reply that has begun, which a thinking budget "
                    f"needs: {self._server.quote(error)}",
                    "Use sampling.but(max_tokens=...) instead, or a llama-server.",
                ) from None

        return receive(open_stream, stopping)

    def _completion_chunks(
        self, prompt: str, settings: dict, stopping: threading.Event
    ) -> Generator[Chunk, None, None]:
        return receive(
            lambda: self._client.completions.create(model=self._model, prompt=prompt, **settings),
            stopping,
        )

    def _read(
        self,
        reply: Reply,
        chunks: Generator[Chunk, None, None],
        splitter: ThinkingSplitter | _AllAnswer,
        *,
        limited: bool,
        budget: int | None = None,
        guessed: bool = False,
    ) -> Iterator[Piece]:
        """Turn the server's chunks into pieces, and count; stops where the budget is used up.

        limited: whether the request sets a number of tokens.  guessed: whether it is a guess that
        the reply starts inside a thought.
        """
        started = time.perf_counter() - reply.seconds
        counter = TokenCounter(reply)
        unshown = 0  # tokens whose text is still held back
        try:
            for chunk, text in tagged(chunks):
                reply.seconds = time.perf_counter() - started
                counter.note(chunk)
                if not text:
                    continue
                reply.seconds_to_first_token = reply.seconds_to_first_token or reply.seconds
                unshown += counter.count(chunk, splitter.kind)
                for kind, part in splitter.feed(text):
                    _append(reply, kind, part)
                    yield Piece(kind, part, unshown, reply.seconds)
                    unshown = 0
                if budget is not None and splitter.kind == "thinking":
                    reply.thinking_cut = reply.thinking_tokens >= budget
                    if reply.thinking_cut:
                        break
            counter.settle(limited=limited)
            for kind, part in splitter.close():
                _append(reply, kind, part)
                yield Piece(kind, part, unshown, reply.seconds)
                unshown = 0
            if guessed and splitter.kind == "thinking" and not counter.separated:
                _correct_guess(reply)
        finally:
            chunks.close()
            for kind, part in splitter.close():  # still held back, if the reply ended early
                _append(reply, kind, part)

    def _sample_in_shared_requests(self, prompt: str, n: int, settings: dict) -> list[Reply]:
        """n completions from llama-server, which draws as many in one request as it has slots."""
        replies: list[Reply] = []
        settings = {k: v for k, v in settings.items() if k not in ("stream", "stream_options")}
        slots = self.info.settings["slots"] or 1
        while len(replies) < n:
            own = dict(settings)
            if "seed" in own:
                own["seed"] += len(replies)
            started = time.perf_counter()
            response = self._client.completions.create(
                model=self._model, prompt=prompt, n=min(slots, n - len(replies)), **own
            )
            seconds = time.perf_counter() - started
            for choice in response.choices:
                reply = self._whole_reply(choice.text, opens_thinking(prompt))
                reply.prompt_tokens = response.usage.prompt_tokens
                reply.seconds = seconds
                reply.stop_reason = stop_reason(choice.finish_reason, "max_tokens" in settings)
                replies.append(reply)
        return replies

    def _whole_reply(self, text: str, opened: bool) -> Reply:
        """A reply that came in one piece: split, and counted by splitting it into tokens again."""
        thinking, answer = split_thinking(text, opened)
        thought_ends = text.find(CLOSING) + len(CLOSING) if CLOSING in text else len(text)
        before = text[:thought_ends] if opened or thinking else ""
        after = text[len(before) :]
        return Reply(
            thinking=thinking,
            answer=answer,
            thinking_tokens=len(self.tokenize(before)) if before else 0,
            answer_tokens=len(self.tokenize(after)) if after else 0,
        )

    def _sample_in_many_requests(self, prompt: str, n: int, settings: dict) -> list[Reply]:
        stopping = threading.Event()

        def draw(number: int) -> Reply:
            own = dict(settings)
            if "seed" in own:
                own["seed"] += number
            reply = Reply(stop_reason="interrupted")
            chunks = self._completion_chunks(prompt, own, stopping)
            splitter = ThinkingSplitter(opens_thinking(prompt))
            for _ in self._read(reply, chunks, splitter, limited="max_tokens" in own):
                pass
            return reply

        with ThreadPoolExecutor(min(n, CONCURRENT_REQUESTS)) as pool:
            try:
                return list(pool.map(draw, range(n)))
            except BaseException:
                stopping.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    # ---- probabilities and tokens ------------------------------------------------------------

    def next_tokens(self, text: str, k: int = 10) -> list[NextToken]:
        """The k likeliest next tokens, the likeliest first; a server reveals no logits.

        Servers other than llama-server do not reveal the tokens' ids either (-1), and give a few
        tokens only: OptionError says how many.
        """
        _refuse_empty(text)
        if not _is_count(k) or k < 1:
            raise OptionError(f"k={k!r} is not a number of tokens.", "Give 1 or more.")
        with self._explaining():
            if self._is_llama_server:
                answer = self._post(
                    "/completion", {"prompt": text, "n_predict": 1, "n_probs": k, "temperature": 0}
                )
                return [
                    NextToken(Token(c["id"], bytes(c["bytes"])), math.exp(c["logprob"]), None)
                    for c in answer["completion_probabilities"][0]["top_logprobs"]
                ]
            return self._next_tokens_by_completion(text, k)

    def _next_tokens_by_completion(self, text: str, k: int) -> list[NextToken]:
        try:
            response = self._client.completions.create(
                model=self._model, prompt=text, max_tokens=1, logprobs=k, temperature=0
            )
        except openai.BadRequestError as error:
            if "logprob" in str(error):
                raise OptionError(
                    f"{self._url} does not give {k} next tokens: {self._server.quote(error)}",
                    "Ask for fewer; many servers give 5 or 20 at most.",
                ) from None
            raise
        except openai.NotFoundError:
            raise self._unsupported("has no API for raw texts") from None
        found = response.choices[0].logprobs
        if found is None or not found.top_logprobs:
            raise self._unsupported("does not reveal probabilities")
        candidates = sorted(found.top_logprobs[0].items(), key=lambda item: -item[1])[:k]
        if len(candidates) < k:
            raise OptionError(
                f"{self._url} gives {len(candidates)} next tokens at most, not {k}.",
                f"Ask for k={len(candidates)}.",
            )
        return [
            NextToken(Token(UNKNOWN_ID, token.encode()), math.exp(log_probability), None)
            for token, log_probability in candidates
        ]

    def score(self, text: str) -> list[ScoredToken]:
        """The log-probability of each token, where the server can echo a prompt (vLLM can)."""
        _refuse_empty(text)
        if self._is_llama_server:
            raise self._unsupported("does not score texts (llama-server cannot)")
        with self._explaining():
            try:
                response = self._client.completions.create(
                    model=self._model, prompt=text, echo=True, max_tokens=0, logprobs=1
                )
            except (openai.BadRequestError, openai.NotFoundError):
                raise self._unsupported("does not score texts") from None
            found = response.choices[0].logprobs
            if found is None or "".join(found.tokens or ()) != text:
                raise self._unsupported("does not score texts")
            return [
                ScoredToken(Token(UNKNOWN_ID, token.encode()), log_probability)
                for token, log_probability in zip(found.tokens, found.token_logprobs, strict=True)
            ]

    def tokenize(self, text: str) -> list[Token]:
        """Split a raw text into tokens (llama-server only)."""
        self._require_llama_server("does not show tokens")
        with self._explaining():
            answer = self._post(
                "/tokenize",
                {"content": text, "add_special": False, "parse_special": True, "with_pieces": True},
            )
            return [
                # A piece that is no text by itself comes as a list of its bytes.
                Token(token["id"], _piece_bytes(token["piece"]))
                for token in answer["tokens"]
            ]

    def detokenize(self, tokens: Sequence[Token | int]) -> str:
        """The text of these tokens (llama-server only)."""
        self._require_llama_server("does not show tokens")
        ids = [token.id if isinstance(token, Token) else token for token in tokens]
        with self._explaining():
            return self._post("/detokenize", {"tokens": ids})["content"]

    def attention(self, text: str) -> Attention:
        """Servers do not show attention maps."""
        raise self._unsupported("does not show attention maps")

    def routing(self, text: str) -> Routing:
        """Servers do not show a router's choices."""
        raise self._unsupported("does not show which experts it uses")

    # ---- talking to the server -----------------------------------------------------------------

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Whatever goes wrong inside leaves as one clear error."""
        if self.closed:
            raise ServerError(f"The connection to {self._url} is closed.", "Open the model again.")
        try:
            yield
        except _FAULTS as error:
            # The original may quote the request, and with it the key; so it is not shown.
            raise explain(error, self._server) from None

    def _settings(self, sampling: Sampling | None) -> dict:
        """Sampling settings as the API names them. Those beyond OpenAI's travel as extras."""
        sampling = sampling or self.default_sampling
        common: dict = {"stream": True, "stream_options": {"include_usage": True}}
        extra: dict = {"timings_per_token": True} if self._is_llama_server else {}
        if sampling is None:
            return _with_extra(common, **extra)
        if not isinstance(sampling, Sampling):
            raise OptionError(
                f"sampling={sampling!r} is not a set of sampling settings.",
                "Give a Sampling, for example Sampling(temperature=0.6), or QWQ.but(seed=1).",
            )
        common |= {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "presence_penalty": sampling.presence_penalty,
        }
        if sampling.max_tokens is not None:
            common["max_tokens"] = sampling.max_tokens
        if sampling.seed is not None:
            common["seed"] = sampling.seed
        if self._is_llama_server:
            # Its own defaults differ (top_k 40, min_p 0.05), so that nothing may be left out.
            extra |= {"top_k": sampling.top_k, "min_p": sampling.min_p}
            extra["repeat_penalty"] = sampling.repetition_penalty
        else:
            # Some servers refuse settings that OpenAI does not have, so send the needed ones only.
            if sampling.top_k > 0:
                extra["top_k"] = sampling.top_k
            if sampling.min_p > 0:
                extra["min_p"] = sampling.min_p
            if sampling.repetition_penalty != 1:
                extra["repetition_penalty"] = sampling.repetition_penalty
        return _with_extra(common, **extra)

    def _post(self, path: str, body: dict) -> dict:
        """Call one of llama-server's own pages."""
        response = self._client.post(self._root + path, cast_to=http.Response, body=body)
        return response.json()

    def _listed_models(self) -> dict[str, dict]:
        """The models the server lists, by name; empty if it has no such list."""
        with self._explaining():
            try:
                response = self._client.get("/models", cast_to=http.Response)
            except openai.NotFoundError:
                return {}
            try:
                listed = response.json()["data"]
                return {entry["id"]: entry for entry in listed}
            except (ValueError, TypeError, KeyError):
                raise NotAnApi(response.text[:200]) from None

    def _choose_model(self, wanted: str | None, listed: dict[str, dict]) -> tuple[str, dict]:
        """The model's name, and what the server's list says about it."""
        if wanted is None and listed:
            return next(iter(listed.items()))
        if wanted is None:
            raise ServerError(
                f"{self._url} does not list its models.",
                "Name one: open_model(..., model=...). If this is a web site, the API's address "
                "usually ends in /v1.",
            )
        if not listed:
            return wanted, {}
        for name, entry in listed.items():
            if wanted == name or wanted in (entry.get("aliases") or ()):
                return wanted, entry
        raise ServerError(
            f"{self._url} has no model called {wanted!r}.",
            f"Leave out model=... or use one of: {self._server.quote(', '.join(listed))}.",
        )

    def _properties(self) -> dict:
        """What a llama-server says about itself: context, slots, chat template."""
        with self._explaining():
            try:
                return self._client.get(f"{self._root}/props", cast_to=http.Response).json()
            except openai.NotFoundError:
                return {}

    def _describe(self, listed: dict, properties: dict) -> ModelInfo:
        meta = listed.get("meta") or {}
        template = properties.get("chat_template") or ""
        generation = properties.get("default_generation_settings") or {}
        return ModelInfo(
            name=self._model,
            source=self._url,
            parameters=meta.get("n_params"),
            file_bytes=meta.get("size"),
            vocabulary=meta.get("n_vocab"),
            context=generation.get("n_ctx") or listed.get("max_model_len"),
            reasoning=CLOSING in template
            if template
            else bool(_REASONING_NAME.search(self._model)),
            settings={
                "server": "llama-server" if self._is_llama_server else listed.get("owned_by"),
                "slots": properties.get("total_slots"),
            },
        )

    def _require_llama_server(self, lack: str) -> None:
        if not self._is_llama_server:
            raise self._unsupported(lack)

    def _unsupported(self, lack: str) -> NotSupportedError:
        return NotSupportedError(
            f"The server at {self._url} {lack}.",
            "Open a model in this process instead: open_model() or open_model('path/to.gguf').",
        )


class _AllAnswer:
    """Stands in for a ThinkingSplitter where there is no thought to look for."""

    kind: Kind = "answer"

    def feed(self, text: str) -> list[tuple[Kind, str]]:
        return [("answer", text)]

    def close(self) -> list[tuple[Kind, str]]:
        return []


def _append(reply: Reply, kind: Kind, text: str) -> None:
    if kind == "thinking":
        reply.thinking += text
    else:
        reply.answer += text


def _correct_guess(reply: Reply) -> None:
    """A "thought" that the model itself ended, with no tag after it, was the answer."""
    if reply.stop_reason == "end":
        reply.thinking, reply.answer = "", reply.thinking
        reply.thinking_tokens, reply.answer_tokens = 0, reply.tokens


def _with_extra(settings: dict, **extra) -> dict:
    """The same request with more settings that OpenAI's API does not have."""
    return {**settings, "extra_body": {**settings.get("extra_body", {}), **extra}}


def _piece_bytes(piece: str | list[int]) -> bytes:
    return piece.encode() if isinstance(piece, str) else bytes(piece)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _refuse_empty(text: str) -> None:
    if not isinstance(text, str) or not text:
        raise PromptError("The prompt is empty.", "Give a text with at least one character.")
