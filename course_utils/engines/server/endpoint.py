"""The engine for a model on another machine: any OpenAI-compatible server, the same calls.

Works with vLLM, Ollama, LM Studio and others as far as their API goes; llama.cpp's own server can
do more, see ``llama_server``.  Where a server cannot do what is asked, a NotSupportedError says
which engine can.

The API key travels with every request.  Over plain http:// to another machine anybody on the
network can read it, and the conversation; use https:// there.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from course_utils.engines import checks
from course_utils.engines.calling import mark_calls
from course_utils.engines.messages import Message, Tools, prompt_text
from course_utils.engines.protocol import (
    Attention,
    ModelInfo,
    NextToken,
    Routing,
    ScoredToken,
    Token,
)
from course_utils.engines.reply import (
    END_OF_THOUGHT,
    OPENING,
    Piece,
    Reply,
    Stream,
    checked_budget,
    opens_thinking,
)
from course_utils.engines.sampling import QWQ, Sampling, chosen
from course_utils.engines.server.connection import Connection, encoded
from course_utils.engines.server.errors import (
    NO_SUCH_SETTING,
    Refused,
    Reported,
    refuses_tools,
    said,
    unsupported,
)
from course_utils.engines.server.models import ListedModel
from course_utils.engines.server.probabilities import next_tokens, score
from course_utils.engines.server.reading import (
    Sorter,
    correct_continuation,
    correct_guess,
    new_reply,
    read_reply,
)
from course_utils.engines.server.receive import receive
from course_utils.engines.server.requests import (
    Conversation,
    chat_body,
    completion_body,
    settings_for_any_server,
    with_seed,
)
from course_utils.engines.server.stream import Chunk, as_count
from course_utils.errors import NotSupportedError, ServerError

# Requests at once where a server cannot draw several completions in one.
CONCURRENT_REQUESTS = 8

# Servers other than llama-server do not say whether their model reasons; its name often does.
_REASONING_NAME = re.compile(r"qwq|\br1\b|think|reason", re.IGNORECASE)


class EndpointEngine:
    """A model behind an OpenAI-compatible API. Open one with ``open_model("http://...")``.

    Safe to share between threads.
    """

    keeps_cache = False
    __reduce_ex__ = checks.refuse_copying

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
        tools: Tools = None,
        thinking_budget: int | None = None,
    ) -> Stream:
        """Stream a reply to a question or a conversation.

        messages: a question, or a list of {"role": ..., "content": ...}.  Thoughts in earlier
            assistant messages are dropped, as QwQ's card asks.
        sampling: by default what QwQ's card recommends, for models that reason, and the server's
            own settings for others.
        tools: what the model may call, in OpenAI's form.  Its calls are in the reply's
            ``tool_calls``, whether the server reads them itself or leaves them in the text.
            A server that was started without them raises NotSupportedError when it is read.
        thinking_budget: end the thought after so many tokens and go on to the answer.  The stream
            is closed there, and a second request continues after the thought; on servers other
            than llama-server this needs ``continue_final_message`` (vLLM has it).  One that
            refuses it raises NotSupportedError; one that ignores it thinks once more, which the
            reply's ``thinking_cut`` (then False) and ``thinking_tokens`` show.

        Token counts are the server's; one that reports none is counted in pieces, and the reply's
        ``tokens_estimated`` says so.
        Raises PromptError for an empty or too long conversation, ServerError where the server
        fails; what had arrived by then is in the stream's and in the error's ``reply``.
        """
        budget = checked_budget(thinking_budget)
        asked = Conversation.of(messages, tools)
        encoded(asked.body())  # rather now than when the stream is read
        settings = self._settings(sampling)

        def pieces(reply: Reply, stopping: threading.Event) -> Iterator[Piece]:
            found = self._chat_pieces(reply, stopping, asked, settings, budget)
            if not asked.tools:
                return found
            return mark_calls(self._explaining_tools(found), reply, asked.messages, asked.tools)

        return self._stream(pieces)

    def complete(self, text: str, sampling: Sampling | None = None) -> Stream:
        """Stream the continuation of a raw text; all of it counts as answer."""
        prompt_text(text)
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
        n = checks.whole_number("n", n, 1, checks.MOST_COMPLETIONS, unit="completions")
        prompt_text(prompt)
        settings = self._settings(sampling)
        with self._connection.explaining():
            return self._sample(prompt, n, settings)

    def render(self, messages: str | Sequence[Message], tools: Tools = None) -> str:
        """The exact text the model is given for these messages (llama-server only)."""
        raise self._unsupported("does not show how it writes a conversation out")

    def _stream(self, pieces: Callable[[Reply, threading.Event], Iterator[Piece]]) -> Stream:
        reply = new_reply()
        stopping = threading.Event()

        def explained() -> Generator[Piece, None, None]:
            try:
                with self._connection.explaining():
                    yield from pieces(reply, stopping)
            except ServerError as error:
                # ``chat(...).finish()`` gives nobody the stream to look into.
                if reply.thinking or reply.answer:
                    error.reply = reply
                    error.remedy += " What had arrived is in this error's reply."
                raise

        return Stream(explained(), reply, stopping)

    def _chat_pieces(
        self,
        reply: Reply,
        stopping: threading.Event,
        asked: Conversation,
        settings: dict,
        budget: int | None,
    ) -> Generator[Piece, None, None]:
        """The reply's pieces; where the budget ends the thought, those of both requests."""
        opened, guessed = self._opens_thinking(asked)
        if opened and budget == 0:
            reply.thinking_cut = True
        else:
            sorter = Sorter(opened)
            yield from read_reply(
                reply,
                self._chat_chunks(asked, settings, stopping),
                sorter,
                limited="max_tokens" in settings,
                budget=budget,
            )
            if guessed and not sorter.separated and sorter.kind == "thinking":
                correct_guess(reply)
        if reply.thinking_cut:
            if "max_tokens" in settings:
                left = settings["max_tokens"] - reply.thinking_tokens
                if left < 1:
                    reply.stop_reason = "length"
                    return
                settings = {**settings, "max_tokens": left}
            yield from self._answer_after_thought(reply, stopping, asked, settings)

    def _answer_after_thought(
        self, reply: Reply, stopping: threading.Event, asked: Conversation, settings: dict
    ) -> Iterator[Piece]:
        """The answer that follows a thought which the budget has ended: a second request."""
        begun = {"role": "assistant", "content": f"{OPENING}\n{reply.thinking}{END_OF_THOUGHT}"}
        continuing = {"continue_final_message": True, "add_generation_prompt": False}
        chunks = self._chat_chunks(asked.begun(begun), settings | continuing, stopping)
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
            if refusal.response.status_code not in NO_SUCH_SETTING:
                raise
            raise NotSupportedError(
                f"{self._connection.url} cannot continue a reply that has begun, which a thinking "
                f"budget needs: {said(refusal, self._connection.server)}",
                "Use sampling.but(max_tokens=...) instead, or a llama-server.",
            ) from None
        correct_continuation(reply, thought, sorter)

    def _explaining_tools(
        self, pieces: Generator[Piece, None, None]
    ) -> Generator[Piece, None, None]:
        """The pieces; a server's refusal of all tools is explained."""
        try:
            yield from pieces
        except (Refused, Reported) as error:
            words = (
                said(error, self._connection.server)
                if isinstance(error, Refused)
                else self._connection.server.quote(error)
            )
            if not refuses_tools(words):
                raise
            raise NotSupportedError(
                f"{self._connection.url} does not let its model call tools: {words}",
                "Take a model that was trained to call tools. llama-server wants --jinja; vLLM "
                "--enable-auto-tool-choice and --tool-call-parser (hermes, for QwQ).",
            ) from None

    def _opens_thinking(self, asked: Conversation) -> tuple[bool, bool]:
        """Whether the prompt opens the thought, and whether that is a guess.

        Nobody says so here; QwQ's and R1's templates do.
        """
        return self.info.reasoning, True

    def _chat_chunks(
        self, asked: Conversation, settings: dict, stopping: threading.Event
    ) -> Generator[Chunk, None, None]:
        body = chat_body(self._model, asked, settings)
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
        prompt_text(text)
        k = checks.whole_number("k", k, 1, unit="tokens")
        with self._connection.explaining():
            return self._next_tokens(text, k)

    def _next_tokens(self, text: str, k: int) -> list[NextToken]:
        return next_tokens(self._connection, self._model, text, k)

    def score(self, text: str) -> list[ScoredToken]:
        """The log-probability of each token, where the server can echo a prompt (vLLM can)."""
        prompt_text(text)
        with self._connection.explaining():
            return score(self._connection, self._model, text)

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

    def activations(self, text: str, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Servers do not show intermediate results."""
        raise self._unsupported("does not show intermediate results")

    def activation_names(self) -> list[str]:
        """Servers do not show intermediate results."""
        raise self._unsupported("does not show intermediate results")

    def save_cache(self, path: Path | str) -> int:
        """Servers keep their KV caches to themselves."""
        raise self._unsupported("does not hand out its KV cache")

    def load_cache(self, path: Path | str) -> int:
        """Servers keep their KV caches to themselves."""
        raise self._unsupported("does not take a KV cache")

    # ---- what is known of the server -----------------------------------------------------------

    def _settings(self, sampling: Sampling | None) -> dict:
        """Sampling settings as this server names them."""
        return settings_for_any_server(chosen(sampling, self.default_sampling))

    def _describe(self, listed: dict) -> ModelInfo:
        owner = listed.get("owned_by")
        return ModelInfo(
            name=self._model,
            source=self._connection.url,
            context=as_count(listed.get("max_model_len")),
            reasoning=bool(_REASONING_NAME.search(self._model)),
            settings={"server": owner if isinstance(owner, str) else None, "slots": None},
        )

    def _unsupported(self, lack: str) -> NotSupportedError:
        return unsupported(self._connection.server, lack)
