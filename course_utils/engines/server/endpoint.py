"""How does a model run on another machine? Any OpenAI-compatible server, through the same calls.

Works with vLLM, Ollama, LM Studio and others as far as their API goes; llama.cpp's own server can
do more, see ``llama_server``.  Where a server cannot do what is asked, a NotSupportedError says
which engine can.

The API key travels with every request.  Over plain http:// to another machine anybody on the
network can read it, and the conversation; use https:// there.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from course_utils.engines.chat_format import as_messages
from course_utils.engines.protocol import (
    Attention,
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
from course_utils.engines.server.connection import Connection, encoded
from course_utils.engines.server.errors import Refused
from course_utils.engines.server.models import ListedModel
from course_utils.engines.server.reading import Sorter, read_reply
from course_utils.engines.server.receive import receive
from course_utils.engines.server.requests import (
    chat_body,
    completion_body,
    settings_for_any_server,
    with_seed,
)
from course_utils.engines.server.stream import Chunk, as_count, choices_of
from course_utils.engines.thinking import (
    CLOSING,
    OPENING,
    opens_thinking,
    split_thinking,
    without_thinking,
)
from course_utils.errors import NotSupportedError, OptionError, PromptError
from course_utils.network import words_of

# What closes a thought that has used up its budget; QwQ's own layout.
END_OF_THOUGHT = f"\n{CLOSING}\n\n"

# Requests at once where a server cannot draw several completions in one.
CONCURRENT_REQUESTS = 8

# Servers other than llama-server do not say whether their model reasons; its name often does.
_REASONING_NAME = re.compile(r"qwq|\br1\b|think|reason", re.IGNORECASE)

# The id of a token whose server reveals its text only.
UNKNOWN_ID = -1

# How servers say that they have no such page, or do not know a setting.
_NO_SUCH_PAGE = (404, 405, 501)
_NO_SUCH_SETTING = (400, 422)


class EndpointEngine:
    """A model behind an OpenAI-compatible API. Open one with ``open_model("http://...")``.

    Safe to share between threads.
    """

    def __init__(self, connection: Connection, model: ListedModel):
        self._connection = connection
        self._model = model.name
        connection.name_model(model.name)
        self.info = self._describe(model.entry)
        self.default_sampling = QWQ if self.info.reasoning else None
        """None leaves the settings to the server."""

    def __enter__(self) -> EndpointEngine:
        return self

    def __exit__(self, *_exception) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self.info.name} at {self._connection.url}>"

    @property
    def closed(self) -> bool:
        return self._connection.closed

    def close(self) -> None:
        """Close the connections; the server goes on running."""
        self._connection.close()

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
            than llama-server this needs ``continue_final_message`` (vLLM has it).  One that
            refuses it raises NotSupportedError; one that ignores it thinks once more, which the
            reply's ``thinking_cut`` (then False) and ``thinking_tokens`` show.

        Token counts are the server's; one that reports none is counted in pieces, and the reply's
        ``tokens_estimated`` says so.
        Raises PromptError for an empty or too long conversation, ServerError where the server
        fails; what had arrived by then is in the stream's ``reply``.
        """
        if thinking_budget is not None and not _is_count(thinking_budget):
            raise OptionError(
                f"thinking_budget={thinking_budget!r} is not valid.",
                "Give a whole number of tokens from 0 up, or None for no limit.",
            )
        messages = without_thinking(as_messages(messages))
        encoded({"messages": messages})  # rather now than when the stream is read
        settings = self._settings(sampling)
        return self._stream(
            lambda reply, stopping: self._chat_pieces(
                reply, stopping, messages, settings, thinking_budget
            )
        )

    def complete(self, text: str, sampling: Sampling | None = None) -> Stream:
        """Stream the continuation of a raw text; all of it counts as answer."""
        _check_text(text)
        settings = self._settings(sampling)
        return self._stream(
            lambda reply, stopping: read_reply(
                reply,
                self._completion_chunks(text, settings, stopping),
                Sorter(None),
                limited="max_tokens" in settings,
            )
        )

    def sample_many(self, prompt: str, n: int, sampling: Sampling | None = None) -> list[Reply]:
        """Draw n completions of one raw prompt, up to eight requests at a time.

        Completion number i draws with ``sampling.seed + i``.
        """
        if not _is_count(n) or n < 1:
            raise OptionError(f"n={n!r} is not a number of completions.", "Give 1 or more.")
        _check_text(prompt)
        settings = self._settings(sampling)
        with self._connection.explaining():
            return self._sample(prompt, n, settings)

    def render(self, messages: str | Sequence[Message]) -> str:
        """The exact text the model is given for these messages (llama-server only)."""
        raise self._unsupported("does not show how it writes a conversation out")

    def _stream(self, pieces: Callable[[Reply, threading.Event], Iterator[Piece]]) -> Stream:
        reply = new_reply()
        stopping = threading.Event()

        def explained() -> Generator[Piece, None, None]:
            with self._connection.explaining():
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
        opened, guessed = self._opens_thinking(messages)
        if opened and budget == 0:
            reply.thinking_cut = True
        else:
            sorter = Sorter(opened)
            yield from read_reply(
                reply,
                self._chat_chunks(messages, settings, stopping),
                sorter,
                limited="max_tokens" in settings,
                budget=budget,
            )
            if guessed and not sorter.separated and sorter.kind == "thinking":
                _correct_guess(reply)
        if reply.thinking_cut:
            if "max_tokens" in settings:
                left = settings["max_tokens"] - reply.thinking_tokens
                if left < 1:
                    reply.stop_reason = "length"
                    return
                settings = {**settings, "max_tokens": left}
            yield from self._answer_after_thought(reply, stopping, messages, settings)

    def _answer_after_thought(
        self, reply: Reply, stopping: threading.Event, messages: list[Message], settings: dict
    ) -> Iterator[Piece]:
        """The answer that follows a thought which the budget has ended: a second request."""
        begun = {"role": "assistant", "content": f"{OPENING}\n{reply.thinking}{END_OF_THOUGHT}"}
        continuing = {"continue_final_message": True, "add_generation_prompt": False}
        chunks = self._chat_chunks([*messages, begun], settings | continuing, stopping)
        sorter = Sorter(False)
        thought = reply.thinking
        pieces = read_reply(reply, chunks, sorter, limited="max_tokens" in settings)
        try:
            for piece in pieces:
                if piece.kind == "thinking" and thought and reply.thinking_cut:
                    # The server begins anew: its second thought is a paragraph of its own.
                    reply.thinking = f"{thought}\n\n{reply.thinking[len(thought) :]}"
                    piece = piece._replace(text=f"\n\n{piece.text}")
                if piece.kind == "thinking":
                    reply.thinking_cut = False
                yield piece
        except Refused as refusal:
            if refusal.response.status_code not in _NO_SUCH_SETTING:
                raise
            raise NotSupportedError(
                f"{self._connection.url} cannot continue a reply that has begun, which a thinking "
                f"budget needs: {self._said(refusal)}",
                "Use sampling.but(max_tokens=...) instead, or a llama-server.",
            ) from None
        _correct_continuation(reply, thought, sorter)

    def _opens_thinking(self, messages: list[Message]) -> tuple[bool, bool]:
        """Whether the prompt opens the thought, and whether that is a guess.

        Nobody says so here; QwQ's and R1's templates do.
        """
        return self.info.reasoning, True

    def _chat_chunks(
        self, messages: list[Message], settings: dict, stopping: threading.Event
    ) -> Generator[Chunk, None, None]:
        body = chat_body(self._model, messages, settings)
        return receive(self._connection, "/chat/completions", body, stopping)

    def _completion_chunks(
        self, prompt: str, settings: dict, stopping: threading.Event
    ) -> Generator[Chunk, None, None]:
        body = completion_body(self._model, prompt, settings)
        return receive(self._connection, "/completions", body, stopping)

    def _sample(self, prompt: str, n: int, settings: dict) -> list[Reply]:
        stopping = threading.Event()

        def draw(number: int) -> Reply:
            reply = new_reply()
            chunks = self._completion_chunks(prompt, with_seed(settings, number), stopping)
            sorter = Sorter(opens_thinking(prompt))
            for _ in read_reply(reply, chunks, sorter, limited="max_tokens" in settings):
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
        _check_text(text)
        if not _is_count(k) or k < 1:
            raise OptionError(f"k={k!r} is not a number of tokens.", "Give 1 or more.")
        with self._connection.explaining():
            return self._next_tokens(text, k)

    def _next_tokens(self, text: str, k: int) -> list[NextToken]:
        asked = {"max_tokens": 1, "logprobs": k, "temperature": 0}
        body = completion_body(self._model, text, asked, stream=False)
        try:
            answer = self._connection.post("/completions", body)
        except Refused as refusal:
            status, words = refusal.response.status_code, self._said(refusal)
            if status in _NO_SUCH_SETTING and "logprob" in words:
                raise OptionError(
                    f"{self._connection.url} does not give {k} next tokens: {words}",
                    "Ask for fewer; many servers give 5 or 20 at most.",
                ) from None
            if status in _NO_SUCH_PAGE:
                raise self._unsupported("has no API for raw texts") from None
            raise
        found = _likeliest(choices_of(answer)[0].get("logprobs"))
        if not found:
            raise self._unsupported("does not reveal probabilities")
        candidates = sorted(found.items(), key=lambda item: -item[1])[:k]
        if len(candidates) < k:
            raise OptionError(
                f"{self._connection.url} gives {len(candidates)} next tokens at most, not {k}.",
                f"Ask for k={len(candidates)}.",
            )
        return [
            NextToken(Token(UNKNOWN_ID, _bytes(token)), math.exp(log_probability), None)
            for token, log_probability in candidates
        ]

    def score(self, text: str) -> list[ScoredToken]:
        """The log-probability of each token, where the server can echo a prompt (vLLM can)."""
        _check_text(text)
        asked = {"echo": True, "max_tokens": 0, "logprobs": 1}
        with self._connection.explaining():
            try:
                body = completion_body(self._model, text, asked, stream=False)
                answer = self._connection.post("/completions", body)
            except Refused as refusal:
                if refusal.response.status_code in (*_NO_SUCH_PAGE, *_NO_SUCH_SETTING):
                    raise self._unsupported("does not score texts") from None
                raise
            found = choices_of(answer)[0].get("logprobs") or {}
            tokens = found.get("tokens") or ()
            if "".join(tokens) != text:
                raise self._unsupported("does not score texts")
            return [
                ScoredToken(Token(UNKNOWN_ID, _bytes(token)), log_probability)
                for token, log_probability in zip(tokens, found["token_logprobs"], strict=True)
            ]

    def tokenize(self, text: str) -> list[Token]:
        """Split a raw text into tokens (llama-server only)."""
        raise self._unsupported("does not show tokens")

    def detokenize(self, tokens: Sequence[Token | int]) -> str:
        """The text of these tokens (llama-server only)."""
        raise self._unsupported("does not show tokens")

    def attention(self, text: str) -> Attention:
        """Servers do not show attention maps."""
        raise self._unsupported("does not show attention maps")

    def routing(self, text: str) -> Routing:
        """Servers do not show a router's choices."""
        raise self._unsupported("does not show which experts it uses")

    # ---- what is known of the server -----------------------------------------------------------

    def _settings(self, sampling: Sampling | None) -> dict:
        """Sampling settings as this server names them."""
        return settings_for_any_server(self._chosen(sampling))

    def _chosen(self, sampling: Sampling | None) -> Sampling | None:
        sampling = sampling or self.default_sampling
        if sampling is not None and not isinstance(sampling, Sampling):
            raise OptionError(
                f"sampling={sampling!r} is not a set of sampling settings.",
                "Give a Sampling, for example Sampling(temperature=0.6), or QWQ.but(seed=1).",
            )
        return sampling

    def _describe(self, listed: dict) -> ModelInfo:
        owner = listed.get("owned_by")
        return ModelInfo(
            name=self._model,
            source=self._connection.url,
            context=as_count(listed.get("max_model_len")),
            reasoning=bool(_REASONING_NAME.search(self._model)),
            settings={"server": owner if isinstance(owner, str) else None, "slots": None},
        )

    def _said(self, refusal: Refused) -> str:
        return words_of(refusal.response, secrets=[self._connection.server.secret])

    def _unsupported(self, lack: str) -> NotSupportedError:
        return NotSupportedError(
            f"The server at {self._connection.url} {lack}.",
            "Open a model in this process instead: open_model() or open_model('path/to.gguf').",
        )


def new_reply() -> Reply:
    """A reply of which nothing is known yet, the length of its prompt included."""
    return Reply(stop_reason="interrupted", prompt_tokens=None, cached_tokens=None)


def _correct_guess(reply: Reply) -> None:
    """A "thought" that the model itself ended, with no tag after it, was the answer."""
    if reply.stop_reason == "end":
        reply.thinking, reply.answer = "", reply.thinking
        reply.thinking_tokens, reply.answer_tokens = 0, reply.tokens


def _correct_continuation(reply: Reply, thought: str, sorter: Sorter) -> None:
    """Put right what a server makes of a reply that was to be continued after its thought.

    vLLM's reasoning parsers take what comes then for thought (vllm#38749).  Servers that ignore
    ``continue_final_message`` begin a reply of their own, whose template may have opened the
    thought: then a closing tag stands in what seemed to be the answer.
    """
    second = reply.thinking[len(thought) :]
    counted = reply.tokens
    if sorter.separated and second.strip() and not reply.answer:
        reply.thinking, reply.answer = thought, second.strip()
        reply.thinking_cut = True
    elif not sorter.separated and not second and CLOSING in reply.answer:
        second, reply.answer = split_thinking(reply.answer, opened=True)
        reply.thinking = "\n\n".join(filter(None, (thought, second)))
        reply.thinking_cut = False
    else:
        return
    # How many tokens each had is no longer known, only how many there were.
    share = len(reply.thinking) / max(len(reply.thinking) + len(reply.answer), 1)
    reply.thinking_tokens = round(counted * share)
    reply.answer_tokens = counted - reply.thinking_tokens
    reply.tokens_estimated = True


def _likeliest(logprobs: object) -> dict[str, float]:
    """The next tokens and their log-probabilities, in either of the API's two forms."""
    if not isinstance(logprobs, dict):
        return {}
    if logprobs.get("top_logprobs"):
        return dict(logprobs["top_logprobs"][0])
    first = (logprobs.get("content") or [{}])[0]
    return {entry["token"]: entry["logprob"] for entry in first.get("top_logprobs") or ()}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", errors="replace")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _check_text(text: str) -> None:
    if not isinstance(text, str) or not text:
        raise PromptError("The prompt is empty.", "Give a text with at least one character.")
    encoded({"prompt": text})
