"""How does a model run in this process? llama.cpp computes; the decoding loop is here to read.

``LocalEngine._generate`` is the heart: pick a token from the logits, hand it out, append it, and
compute the next logits.  Everything else prepares for that loop or looks at its results.
"""

from __future__ import annotations

import codecs
import threading
import time
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_utils.engines import cache_file
from course_utils.engines.chat_format import ChatFormat, as_messages
from course_utils.engines.gguf_check import check_gguf
from course_utils.engines.loading import plan_loading
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
from course_utils.engines.runtime import (
    KV_TYPES,
    Batch,
    Context,
    Model,
    Sampler,
    Stopped,
    repacking_crashes,
)
from course_utils.engines.sampling import QWQ, Sampling
from course_utils.engines.thinking import CLOSING, ThinkingSplitter, opens_thinking
from course_utils.engines.turns import Turn, Turns
from course_utils.errors import CourseError, NotSupportedError, OptionError, PromptError
from course_utils.machine import usable_cores
from course_utils.progress import Progress

# Up to this size a model is computed faster by one core than its work can be shared out, its
# KV cache costs next to nothing, and a step is over before anybody could want to interrupt it.
SMALL_MODEL_BYTES = 64 * 2**20

DEFAULT_CONTEXT = 8192

# What closes a thought that has used up its budget; QwQ's own layout.
END_OF_THOUGHT = "\n</think>\n\n"

LLAMA_CPP_DEFAULT = Sampling(temperature=0.8, min_p=0.05)
"""llama.cpp's own defaults, used for models that do not reason."""


@dataclass(frozen=True)
class LocalOptions:
    """How a local model is opened. None lets the engine choose; ``info.settings`` says what.

    context: tokens that prompt and reply may have together.
    threads: processor threads; by default all cores this process may use, or 1 for small models.
    kv_type: how keys and values are stored: "f32", "f16" or "q8_0".
    flash_attention: compute attention in one fused step; needed for kv_type "q8_0".
    repack: let llama.cpp copy the weights into a layout of its own (see ``loading``): faster
        to decode, and a private copy in memory.
    batch: prompt tokens per step; smaller steps report progress more often.
    kernels: how many notebooks will have this file open; they share it only where none repacks.
    force: load the model even where memory cannot hold it.
    """

    context: int | None = None
    threads: int | None = None
    kv_type: str | None = None
    flash_attention: bool | None = None
    repack: bool | None = None
    batch: int | None = None
    kernels: int = 1
    force: bool = False

    def __post_init__(self):
        for name in ("context", "threads", "batch", "kernels"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise OptionError(f"{name}={value!r} is not valid.", "Give a whole number from 1.")
        if self.kv_type is not None and self.kv_type not in KV_TYPES:
            raise OptionError(
                f"kv_type={self.kv_type!r} is not a type of KV cache.",
                f"Use one of: {', '.join(KV_TYPES)}.",
            )
        if self.kv_type == "q8_0" and self.flash_attention is False:
            raise OptionError(
                "A q8_0 KV cache works only with flash attention.",
                "Leave flash_attention out, or set it to True.",
            )


class LocalEngine:
    """A GGUF file, run by llama.cpp in this process. Open one with ``open_model``.

    Safe to share between cells, threads and widgets: they wait for each other.
    Raises ModelFileError for a damaged file and ModelLoadError where llama.cpp refuses it.
    """

    def __init__(self, path: Path, *, name: str | None = None, options: LocalOptions | None = None):
        self._path = path
        options = options or LocalOptions()
        # llama.cpp ends the whole process on some damaged files, so look before it does.
        header = check_gguf(path)
        small = header.file_bytes <= SMALL_MODEL_BYTES
        kv_type = options.kv_type or ("f32" if small else "f16")
        flash_attention = (
            options.flash_attention
            if options.flash_attention is not None
            else (kv_type == "q8_0" or not small)
        )
        self._settings = {
            "threads": options.threads or (1 if small else usable_cores()),
            "kv_type": kv_type,
            "flash_attention": flash_attention,
            "batch": options.batch or (512 if small else 64),
        }
        trained_context = header.get("context_length", DEFAULT_CONTEXT)
        context = options.context or min(trained_context, DEFAULT_CONTEXT)
        loading = plan_loading(
            header,
            name=name or path.name,
            context=context,
            kv_type=kv_type,
            batch=self._settings["batch"],
            repack=options.repack,
            kernels=options.kernels,
            force=options.force or small,
            repacking_crashes=repacking_crashes(),
        )
        with Progress("loading the model", 100, "%") as progress:
            self._model = Model(
                path,
                repack=loading.repack,
                check_weights=small,
                on_progress=lambda share: progress.reach(int(100 * share)),
            )
        self._context = Context(self._model, context=context, **self._settings)
        if not small:
            self._context.make_interruptible()
        self._batch = Batch(self._context.batch)
        # The tokens whose keys and values the cache holds, in order.
        self._held: list[int] = []
        self._turns = Turns()
        self._bytes_of: dict[int, bytes] = {}
        self._end_tokens = self._model.end_tokens()
        template = self._model.metadata("tokenizer.chat_template")
        self._chat_format = template and ChatFormat(template, self._model.special_tokens())
        # Every template of a reasoning model handles the end of a thought.
        reasoning = template is not None and CLOSING in template
        self.info = ModelInfo(
            name=name or header.metadata.get("general.name") or path.stem,
            source=str(path),
            architecture=header.architecture,
            parameters=self._model.parameter_count,
            file_bytes=header.file_bytes,
            quantisation=header.quantisation,
            layers=self._model.layers,
            vocabulary=self._model.vocabulary_size,
            context=self._context.size,
            reasoning=reasoning,
            settings={
                **self._settings,
                "repack": loading.repack,
                "repack_reason": loading.reason,
            },
        )
        self.default_sampling = QWQ if reasoning else LLAMA_CPP_DEFAULT

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *_exception) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self.info.name}: {self.info.parameters:,} parameters, {self.info.architecture}>"

    def close(self) -> None:
        """Free the model's memory. Waits for a computation that is under way."""
        if self.closed:
            return
        with self._turns.one():
            self._batch.close()
            self._context.close()
            self._model.close()

    @property
    def closed(self) -> bool:
        return self._model.closed

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
        sampling: by default what QwQ's card recommends, for models that reason.
        thinking_budget: end the thought after so many tokens and go on to the answer.

        Raises PromptError for an empty conversation or one that does not fit the context.
        """
        if thinking_budget is not None and not _is_count(thinking_budget):
            raise OptionError(
                f"thinking_budget={thinking_budget!r} is not valid.",
                "Give a whole number of tokens from 0 up, or None for no limit.",
            )
        chat_format = self._require_chat_format()
        messages = as_messages(messages)
        splitter = ThinkingSplitter(opens_thinking(chat_format.render(messages)))
        prompt = chat_format.tokenize(messages, self._ids)
        return self._stream(prompt, sampling, splitter, thinking_budget)

    def complete(self, text: str, sampling: Sampling | None = None) -> Stream:
        """Stream the continuation of a raw text; all of it counts as answer.

        Raises PromptError for an empty text or one that does not fit the context.
        """
        return self._stream(self._prompt(text), sampling, None, None)

    def sample_many(self, prompt: str, n: int, sampling: Sampling | None = None) -> list[Reply]:
        """Draw n completions of one raw prompt, all at once, sharing its keys and values.

        prompt: raw text; ``render`` makes one from messages.
        sampling: completion number i draws with ``sampling.seed + i``.

        Raises PromptError for an empty prompt or one that does not fit the context.
        """
        from course_utils.engines.sequences import sample_many

        if not _is_count(n) or n < 1:
            raise OptionError(f"n={n!r} is not a number of completions.", "Give 1 or more.")
        tokens = self._prompt(prompt)
        sampling = self._check_sampling(sampling)
        with self._turns.one():
            return sample_many(
                self._model,
                tokens,
                n,
                sampling,
                context_size=self._context.size,
                end_tokens=self._end_tokens,
                bytes_of=self._token_bytes,
                opened=opens_thinking(prompt),
                settings=self._settings,
            )

    def render(self, messages: str | Sequence[Message]) -> str:
        """The exact text the model is given for these messages, its chat template applied."""
        return self._require_chat_format().render(as_messages(messages))

    def _stream(
        self,
        prompt: list[int],
        sampling: Sampling | None,
        splitter: ThinkingSplitter | None,
        thinking_budget: int | None,
    ) -> Stream:
        self._check_room(prompt)
        reply = Reply(prompt_tokens=len(prompt), stop_reason="interrupted")
        stopping = threading.Event()
        sampling = self._check_sampling(sampling)
        pieces = self._pieces(reply, prompt, sampling, splitter, thinking_budget, stopping)
        return Stream(pieces, reply, stopping)

    def _pieces(
        self,
        reply: Reply,
        prompt: list[int],
        sampling: Sampling,
        splitter: ThinkingSplitter | None,
        thinking_budget: int | None,
        stopping: threading.Event,
    ) -> Generator[Piece, None, None]:
        """The reply's tokens as text, thought and answer apart; ``reply`` grows with it."""
        started = time.perf_counter()
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        split = splitter.feed if splitter else _as_answer
        forced: deque[int] = deque()  # tokens to append next instead of sampled ones
        uncounted = 0  # forced tokens on their way, which are ours and not the model's
        unshown = 0  # tokens whose text is still held back
        thinking = splitter is not None and splitter.kind == "thinking"

        def end_thought() -> int:
            reply.thinking_cut = True
            forced.extend(self._ids(END_OF_THOUGHT, True))
            return len(forced)

        def rest() -> list[tuple[Kind, str]]:
            last = split(decode(b"", True))
            return last + splitter.close() if splitter else last

        turn = Turn()
        tokens = self._generate(reply, prompt, sampling, forced, turn, stopping)
        try:
            if thinking and thinking_budget == 0:
                uncounted = end_thought()
            for token in tokens:
                reply.seconds = time.perf_counter() - started
                if uncounted:
                    uncounted -= 1
                else:
                    unshown += 1
                    if not reply.seconds_to_first_token:
                        reply.seconds_to_first_token = reply.seconds
                    if thinking:
                        reply.thinking_tokens += 1
                    else:
                        reply.answer_tokens += 1
                for kind, text in split(decode(self._token_bytes(token))):
                    _append(reply, kind, text)
                    turn.pause()
                    yield Piece(kind, text, unshown, reply.seconds)
                    unshown = 0
                thinking = splitter is not None and splitter.kind == "thinking"
                if thinking and reply.thinking_tokens == thinking_budget and not uncounted:
                    uncounted = end_thought()
            for kind, text in rest():
                _append(reply, kind, text)
                turn.pause()
                yield Piece(kind, text, unshown, reply.seconds)
                unshown = 0
        finally:
            tokens.close()
            for kind, text in rest():  # still held back, if the reply was ended early
                _append(reply, kind, text)

    def _generate(
        self,
        reply: Reply,
        prompt: list[int],
        sampling: Sampling,
        forced: deque[int],
        turn: Turn,
        stopping: threading.Event,
    ) -> Generator[int, None, None]:
        """The decoding loop: token after token, until the model, a limit or the reader ends it."""
        text = list(prompt)
        sampled = 0
        sampler = Sampler(self._model, sampling)
        sampler.accept(prompt)
        self._turns.take(turn)
        try:
            self._context.stopping = stopping
            reply.cached_tokens = self._read(text)
            while True:
                if forced:
                    token = forced.popleft()
                else:
                    token = sampler(self._context)
                    sampled += 1
                if token in self._end_tokens:
                    reply.stop_reason = "end"
                    return
                yield token
                if sampled == sampling.max_tokens and not forced:
                    reply.stop_reason = "length"
                    return
                if len(text) == self._context.size:
                    reply.stop_reason = "context"
                    return
                text.append(token)
                if turn.busy or self._turns.resume(turn):
                    self._context.decode_token(token)
                    self._held.append(token)
                else:
                    # Somebody else used the cache in the meantime: read the whole text again.
                    self._context.stopping = stopping
                    self._read(text)
        except Stopped:
            reply.stop_reason = "interrupted"
        finally:
            self._turns.give_back(turn)
            sampler.close()

    def _read(self, tokens: list[int]) -> int:
        """Make the KV cache hold exactly these tokens; the last one's logits can then be read.

        What it already holds of them is kept.  Gives the number of tokens that cost nothing.
        """
        kept = min(_common_prefix(self._held, tokens), len(tokens) - 1)
        if not self._context.keep_first(kept):
            # Models with a recurrent state cannot forget a part of it.
            self._context.clear()
            kept = 0
        del self._held[kept:]
        with Progress("reading the prompt", len(tokens), " tokens") as progress:
            while len(self._held) < len(tokens):
                start = len(self._held)
                part = tokens[start : start + self._context.batch]
                self._batch.clear()
                for position, token in enumerate(part, start):
                    self._batch.add(token, position, logits=position == len(tokens) - 1)
                self._context.decode(self._batch)
                self._held.extend(part)
                progress.reach(len(self._held))
        return kept

    # ---- looking at probabilities ------------------------------------------------------------

    def next_tokens(self, text: str, k: int = 10) -> list[NextToken]:
        """The k likeliest next tokens after a raw text, the likeliest first.

        Probabilities are the softmax of the logits over the whole vocabulary, before any sampling
        setting.  Costs O(vocabulary).  Raises PromptError as ``complete`` does.
        """
        if not _is_count(k) or not 1 <= k <= self._model.vocabulary_size:
            raise OptionError(
                f"k={k!r} is not a number of tokens.",
                f"Give a whole number from 1 to {self._model.vocabulary_size}.",
            )
        tokens = self._prompt(text)
        with self._turns.one():
            self._read(tokens)
            logits = self._context.logits().astype(np.float64)
        probabilities = np.exp(logits - logits.max())
        probabilities /= probabilities.sum()
        likeliest = np.argpartition(-logits, k - 1)[:k]
        likeliest = likeliest[np.argsort(-logits[likeliest], kind="stable")]
        return [
            NextToken(self._token(int(i)), float(probabilities[i]), float(logits[i]))
            for i in likeliest
        ]

    def score(self, text: str) -> list[ScoredToken]:
        """The natural log of the probability of each token of a raw text, given those before it.

        Raises PromptError as ``complete`` does.
        """
        tokens = self._prompt(text)
        log_probabilities: list[float | None] = [None]
        # Logits for every position are (tokens, vocabulary), so they are taken in parts of 64 MB.
        room = max(1, min(self._context.batch, 2**24 // self._model.vocabulary_size))
        with (
            self._turns.one(),
            Progress("scoring the text", len(tokens), " tokens") as progress,
        ):
            self._context.clear()
            self._held.clear()
            while len(self._held) < len(tokens) - 1:
                start = len(self._held)
                part = tokens[start : min(start + room, len(tokens) - 1)]
                self._batch.clear()
                for position, token in enumerate(part, start):
                    self._batch.add(token, position, logits=True)
                self._context.decode(self._batch)
                for row, following in enumerate(tokens[start + 1 : start + 1 + len(part)]):
                    logits = self._context.logits(row).astype(np.float64)
                    top = logits.max()
                    total = top + np.log(np.exp(logits - top).sum())
                    log_probabilities.append(float(logits[following] - total))
                self._held.extend(part)
                progress.reach(len(self._held))
        return [
            ScoredToken(self._token(token), log_probability)
            for token, log_probability in zip(tokens, log_probabilities, strict=True)
        ]

    # ---- looking inside ----------------------------------------------------------------------

    def attention(self, text: str) -> Attention:
        """The attention maps over a raw text, of every layer and head.

        Raises PromptError for an empty text, or one too long for maps of tokens by tokens.
        """
        from course_utils.engines.observation import attention

        tokens = self._prompt(text)
        with self._turns.one():
            return attention(self._model, tokens, [self._token(token) for token in tokens])

    def routing(self, text: str) -> Routing:
        """The router's choices over a raw text, of every layer of a mixture of experts.

        Raises PromptError as ``attention`` does, NotSupportedError for a dense model.
        """
        from course_utils.engines.observation import routing

        tokens = self._prompt(text)
        with self._turns.one():
            return routing(self._model, tokens, [self._token(token) for token in tokens])

    def activations(self, text: str, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Intermediate results by llama.cpp's names, such as "l_out-0" or "result_norm".

        Each array has ggml's dimensions in numpy's order, the tokens usually first.
        ``activation_names`` lists what a model computes.
        """
        from course_utils.engines.observation import activations

        tokens = self._prompt(text)
        with self._turns.one():
            return activations(self._model, tokens, names)

    def activation_names(self) -> list[str]:
        """The names of all intermediate results, in the order in which they are computed."""
        from course_utils.engines.observation import activation_names

        self._check_open()
        with self._turns.one():
            return activation_names(self._model)

    # ---- text and tokens ---------------------------------------------------------------------

    def tokenize(self, text: str) -> list[Token]:
        """Split a raw text into tokens; special tokens written in it are recognised."""
        return [self._token(token) for token in self._ids(text, True)]

    def detokenize(self, tokens: Sequence[Token | int]) -> str:
        """The text of these tokens. Raises OptionError for an id outside the vocabulary."""
        ids = [token.id if isinstance(token, Token) else token for token in tokens]
        for token in ids:
            if not _is_count(token) or token >= self._model.vocabulary_size:
                raise OptionError(
                    f"{token!r} is not a token of this model.",
                    f"Token ids run from 0 to {self._model.vocabulary_size - 1}.",
                )
        return b"".join(map(self._token_bytes, ids)).decode("utf-8", errors="replace")

    def _prompt(self, text: str) -> list[int]:
        """A raw text as the tokens of a prompt, checked."""
        if not isinstance(text, str) or not text:
            raise PromptError("The text is empty.", "Give the model at least one character.")
        prompt = self._model.beginning() + self._ids(text, True)
        self._check_room(prompt)
        return prompt

    def _ids(self, text: str, special: bool) -> list[int]:
        self._check_open()
        return self._model.tokenize(text, special=special)

    def _token(self, token: int) -> Token:
        return Token(token, self._token_bytes(token))

    def _token_bytes(self, token: int) -> bytes:
        data = self._bytes_of.get(token)
        if data is None:
            data = self._bytes_of[token] = self._model.token_bytes(token)
        return data

    # ---- keeping what was computed -----------------------------------------------------------

    def save_cache(self, path: Path | str) -> int:
        """Write the KV cache to a file, so that a long conversation survives a kernel restart.

        Gives the number of tokens saved.  For QwQ-32B a token takes 256 KiB at F16.
        """
        self._check_open()
        with self._turns.one():
            fit = cache_file.fits(self._path, self._context.size, self._settings)
            cache_file.save(self._context, Path(path), self._held, fit)
            return len(self._held)

    def load_cache(self, path: Path | str) -> int:
        """Read a KV cache written by ``save_cache``; the next prompt pays only for what differs.

        Gives the number of tokens loaded.  Raises ModelFileError if the file does not fit this
        model and these settings; the engine then goes on with an empty cache.
        """
        self._check_open()
        with self._turns.one():
            fit = cache_file.fits(self._path, self._context.size, self._settings)
            self._held = []
            self._held = cache_file.load(self._context, Path(path), fit)
            return len(self._held)

    # ---- checks ------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self.closed:
            raise CourseError("This model has been closed.", "Open it again with open_model().")

    def _check_room(self, prompt: list[int]) -> None:
        if len(prompt) > self._context.size - 1:
            raise PromptError(
                f"The prompt has {len(prompt):,} tokens, but the context holds "
                f"{self._context.size:,}, reply included.",
                "Shorten the prompt, or open the model with a larger context: "
                f"open_model(..., context={2 * len(prompt)}).",
            )

    def _check_sampling(self, sampling: Sampling | None) -> Sampling:
        if sampling is None:
            return self.default_sampling
        if not isinstance(sampling, Sampling):
            raise OptionError(
                f"{sampling!r} is not a set of sampling settings.",
                "Make one with Sampling(temperature=..., top_p=...).",
            )
        return sampling

    def _require_chat_format(self) -> ChatFormat:
        self._check_open()
        if self._chat_format is None:
            raise NotSupportedError(
                f"{self.info.name} has no chat template, so it cannot hold a conversation.",
                "Use complete() with a raw text, or open an instruction-tuned model.",
            )
        return self._chat_format


def _common_prefix(a: list[int], b: list[int]) -> int:
    """How many tokens two texts share from the start."""
    for position, (one, other) in enumerate(zip(a, b, strict=False)):
        if one != other:
            return position
    return min(len(a), len(b))


def _append(reply: Reply, kind: Kind, text: str) -> None:
    if kind == "thinking":
        reply.thinking += text
    else:
        reply.answer += text


def _as_answer(text: str) -> list[tuple[Kind, str]]:
    return [("answer", text)] if text else []


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
