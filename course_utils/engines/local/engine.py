"""The local engine: a GGUF file that llama.cpp has open here, and what it can be asked.

Each method checks what it is asked, waits for its turn, and hands the work to the module that it
is about: a reply to ``decoding``, many at once to ``sequences``, a look inside to ``observation``.
"""

from __future__ import annotations

import weakref
from collections.abc import Generator, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from course_utils.engines import checks
from course_utils.engines.calling import mark_calls
from course_utils.engines.chat_format import ChatFormat
from course_utils.engines.local import cache, observation, probabilities, sequences
from course_utils.engines.local.decoding import Request, decode
from course_utils.engines.local.drafting import open_draft
from course_utils.engines.local.library import closed_error
from course_utils.engines.local.openers import Openers
from course_utils.engines.local.opening import open_file
from course_utils.engines.local.options import LocalOptions
from course_utils.engines.local.prompts import Prompts
from course_utils.engines.local.turns import Turns
from course_utils.engines.messages import Message, Tools, as_messages, as_tools, prompt_text
from course_utils.engines.protocol import (
    Attention,
    ModelInfo,
    NextToken,
    Routing,
    ScoredToken,
    Token,
)
from course_utils.engines.reply import (
    CLOSING,
    END_OF_THOUGHT,
    Piece,
    Reply,
    Stream,
    checked_budget,
    mark_thinking,
    opens_thinking,
)
from course_utils.engines.sampling import QWQ, Sampling, chosen
from course_utils.errors import NotSupportedError
from course_utils.units import MIB

# Up to this size a model is computed faster by one core than its work can be shared out, its
# KV cache costs next to nothing, and a step is over before anybody could want to interrupt it.
SMALL_MODEL_BYTES = 64 * MIB

LLAMA_CPP_DEFAULT = Sampling(temperature=0.8, min_p=0.05)
"""llama.cpp's own defaults, used for models that do not reason."""


class LocalEngine:
    """A GGUF file, run by llama.cpp in this process. Open one with ``open_model``.

    Safe to share between cells, threads and widgets: they wait for each other.
    Raises ModelFileError for a damaged file and ModelLoadError where llama.cpp refuses it.
    """

    keeps_cache = True
    __reduce_ex__ = checks.refuse_copying

    def __init__(self, path: Path, *, name: str | None = None, options: LocalOptions | None = None):
        self._path = path
        options = options or LocalOptions()
        opened = open_file(path, name=name, options=options, small_bytes=SMALL_MODEL_BYTES)
        self._model, self._cache = opened.model, opened.cache
        self._context_settings = opened.context_settings
        self._architecture = opened.architecture
        self._vocabulary = self._model.vocabulary
        try:
            self._draft = open_draft(opened, options=options, small_bytes=SMALL_MODEL_BYTES)
        except BaseException:
            opened.close()
            raise
        self._draft_tokens = options.draft_tokens
        self._turns = Turns()
        self._prompts = Prompts(self._vocabulary, self._cache.context.size)
        self._template = self._model.metadata("tokenizer.chat_template")
        # Every template of a reasoning model handles the end of a thought.
        reasoning = self._template is not None and CLOSING in self._template
        header, loading = opened.header, opened.loading
        self.info = ModelInfo(
            name=name or header.metadata.get("general.name") or checks.shown_path(path.stem),
            source=str(path),
            architecture=header.architecture,
            parameters=self._model.parameter_count,
            file_bytes=header.file_bytes,
            quantisation=header.quantisation,
            layers=self._model.layers,
            vocabulary=self._vocabulary.size,
            context=self._cache.context.size,
            reasoning=reasoning,
            settings={
                **opened.settings,
                "repack": loading.repack,
                "repack_reason": loading.reason,
                "gpu_layers": loading.gpu_layers,
                "yarn": self._model.yarn,
                "draft": options.draft and checks.shown_path(Path(options.draft).name),
            },
        )
        self.default_sampling = QWQ if reasoning else LLAMA_CPP_DEFAULT
        held = [self._cache, self._model] + ([self._draft] if self._draft else [])
        self._openers = Openers(*(part.close for part in held))
        self._openers.enter()
        # Also when nobody refers to this engine any more.
        self._leave = weakref.finalize(self, self._openers.leave)
        self._left = False

    def share(self) -> LocalEngine | None:
        """The same loaded model for one more opener; None if the last one has closed it.

        Weights, KV cache and turns are shared.  Each opener closes its own engine, and the memory
        is freed with the last.
        """
        if not self._openers.enter():
            return None
        vars(other := object.__new__(LocalEngine)).update(vars(self))
        other._leave, other._left = weakref.finalize(other, other._openers.leave), False
        return other

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *_exception) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self.info.name}: {self.info.parameters:,} parameters, {self.info.architecture}>"

    def close(self) -> None:
        """Be done with the model; its memory is freed at once if nobody else has it open.

        Everybody who called ``open_model`` for it has it open until they close it, leave their
        ``with`` block, or no longer refer to it.  A reply that another thread is reading from this
        engine ends there with a CourseError.
        """
        self._left = True
        self._leave()

    @property
    def closed(self) -> bool:
        return self._left or self._model.handle.closed

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
        sampling: by default what QwQ's card recommends, for models that reason.
        tools: what the model may call, in OpenAI's form; ``reply.tool_calls`` has its calls.
        thinking_budget: end the thought after so many tokens and go on to the answer.

        Raises PromptError for an empty conversation or one that does not fit the context, and
        NotSupportedError where there are tools and the model's template has no place for them.
        """
        messages, tools = self._conversation(messages, tools)
        sampling = chosen(sampling, self.default_sampling)
        spans = self._chat_format.prompt(messages, tools)
        request = Request(self._prompts.of_spans(spans), sampling)
        opened = opens_thinking("".join(span.text for span in spans))
        pieces = self._generate(request, opened, checked_budget(thinking_budget))
        if tools:
            pieces = mark_calls(pieces, request.reply, messages, tools)
        return Stream(pieces, request.reply, request.stopping)

    def complete(self, text: str, sampling: Sampling | None = None) -> Stream:
        """Stream the continuation of a raw text; all of it counts as answer.

        Raises PromptError for an empty text or one that does not fit the context.
        """
        sampling = chosen(sampling, self.default_sampling)
        request = Request(self._prompt(text), sampling)
        return Stream(self._generate(request, None), request.reply, request.stopping)

    def sample_many(self, prompt: str, n: int, sampling: Sampling | None = None) -> list[Reply]:
        """Draw n completions of one raw prompt, all at once, sharing its keys and values.

        prompt: raw text; ``render`` makes one from messages.
        sampling: completion number i draws with ``sampling.seed + i``.

        Raises PromptError for an empty prompt or one that does not fit the context, MachineError
        where memory does not even hold one completion beside the model.
        """
        n = checks.whole_number("n", n, 1, checks.MOST_COMPLETIONS, unit="completions")
        sampling = chosen(sampling, self.default_sampling)
        tokens = self._prompt(prompt)
        with self._turns.one():
            return sequences.sample_many(
                self._model,
                tokens,
                n,
                sampling,
                context_size=self._cache.context.size,
                opened=opens_thinking(prompt),
                settings=self._context_settings,
                architecture=self._architecture,
            )

    def render(self, messages: str | Sequence[Message], tools: Tools = None) -> str:
        """The exact text the model is given for these messages, its chat template applied."""
        messages, tools = self._conversation(messages, tools)
        return self._chat_format.render(messages, tools)

    def _conversation(
        self, messages: str | Sequence[Message], tools: Tools
    ) -> tuple[list[Message], list[dict] | None]:
        """The messages and tools, checked."""
        self._check_open()
        checked = as_messages(messages), as_tools(tools)
        self._prompts.check_lengths(*checked)
        return checked

    @cached_property
    def _chat_format(self) -> ChatFormat:
        """The model's chat template. Raises NotSupportedError where it has none."""
        if self._template is None:
            raise NotSupportedError(
                f"{self.info.name} has no chat template, so it cannot hold a conversation.",
                "Use complete() with a raw text, or open an instruction-tuned model.",
            )
        return ChatFormat(self._template, self._vocabulary.special, self._vocabulary.controls)

    def _generate(
        self, request: Request, opened: bool | None, budget: int | None = None
    ) -> Generator[Piece, None, None]:
        """A reply's pieces as the model writes them, its thought marked (see ``mark_thinking``)."""
        end = [] if budget is None else self._vocabulary.tokenize(END_OF_THOUGHT, special=True)
        texts = decode(
            request,
            model=self._model,
            cache=self._cache,
            turns=self._turns,
            check_open=self._check_open,
            draft=self._draft,
            draft_tokens=self._draft_tokens,
        )
        return mark_thinking(
            texts, request.reply, opened, budget, partial(request.forced.extend, end)
        )

    # ---- looking at probabilities ------------------------------------------------------------

    def next_tokens(self, text: str, k: int = 10) -> list[NextToken]:
        """The k likeliest next tokens after a raw text, the likeliest first.

        Probabilities are the softmax of the logits over the whole vocabulary, before any sampling
        setting.  Costs O(vocabulary).  Raises PromptError as ``complete`` does.
        """
        k = checks.whole_number(
            "k", k, 1, self._vocabulary.size, limit="the model knows no more", unit="tokens"
        )
        tokens = self._prompt(text)
        with self._turns.one():
            return probabilities.next_tokens(self._cache, self._vocabulary, tokens, k)

    def score(self, text: str) -> list[ScoredToken]:
        """The natural log of the probability of each token of a raw text, given those before it.

        Raises PromptError as ``complete`` does.
        """
        tokens = self._prompt(text)
        with self._turns.one():
            return probabilities.score(self._cache, self._vocabulary, tokens)

    # ---- looking inside ----------------------------------------------------------------------

    def attention(self, text: str) -> Attention:
        """The attention maps over a raw text, of every layer and head.

        Raises PromptError for an empty text, or one too long for maps of tokens by tokens.
        """
        tokens = self._short_prompt(text, maps=True)
        with self._turns.one():
            return observation.attention(self._model, tokens, list(map(self._token, tokens)))

    def routing(self, text: str) -> Routing:
        """The router's choices over a raw text, of every layer of a mixture of experts.

        Raises PromptError as ``attention`` does, NotSupportedError for a dense model.
        """
        tokens = self._short_prompt(text)
        with self._turns.one():
            return observation.routing(self._model, tokens, list(map(self._token, tokens)))

    def activations(self, text: str, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Intermediate results by llama.cpp's names, such as "l_out-0" or "result_norm".

        Each array has ggml's dimensions in numpy's order, the tokens usually first.
        ``activation_names`` lists what a model computes.
        """
        tokens = self._short_prompt(text)
        names = [names] if isinstance(names, str) else list(names)
        with self._turns.one():
            return observation.activations(self._model, tokens, names)

    def activation_names(self) -> list[str]:
        """The names of all intermediate results, in the order in which they are computed."""
        self._check_open()
        with self._turns.one():
            return observation.activation_names(self._model)

    def _short_prompt(self, text: str, *, maps: bool = False) -> list[int]:
        """The tokens of a text that is looked into, which takes a context and memory of its own."""
        tokens = self._prompt(text)
        observation.refuse_too_much(tokens, self._architecture, maps=maps)
        return tokens

    # ---- text and tokens ---------------------------------------------------------------------

    def tokenize(self, text: str) -> list[Token]:
        """Split a raw text into tokens; special tokens written in it are recognised.

        Raises PromptError for what is no text, or has more than a million characters.
        """
        self._check_open()
        if text == "":
            return []
        tokens = self._vocabulary.tokenize(prompt_text(text), special=True)
        return list(map(self._token, tokens))

    def detokenize(self, tokens: Sequence[Token | int]) -> str:
        """The text of these tokens. Raises OptionError for an id outside the vocabulary."""
        self._check_open()
        return self._vocabulary.text_of(tokens)

    def _prompt(self, text: str) -> list[int]:
        """A raw text as the tokens of a prompt, checked."""
        self._check_open()
        return self._prompts.of_text(text)

    def _token(self, token: int) -> Token:
        return Token(token, self._vocabulary.bytes_of(token))

    # ---- keeping what was computed -----------------------------------------------------------

    def save_cache(self, path: Path | str) -> int:
        """Write the KV cache to a file, so that a long conversation survives a kernel restart.

        Gives the number of tokens saved.  For QwQ-32B a token takes 256 KiB at F16.
        Raises MachineError where the file cannot be written.
        """
        self._check_open()
        with self._turns.one():
            return self._cache.save(checks.place_to_write(path), self._fit())

    def load_cache(self, path: Path | str) -> int:
        """Read a KV cache written by ``save_cache``; the next prompt pays only for what differs.

        Gives the number of tokens loaded.  Raises ModelFileError if the file does not fit this
        model and these settings; the engine then goes on with an empty cache.
        """
        self._check_open()
        path = checks.as_path(path)
        with self._turns.one():
            return self._cache.load(path, self._fit())

    def _fit(self) -> dict:
        return cache.fits(self._path, self.info.context, self.info.settings)

    def _check_open(self) -> None:
        if self._left or self._model.handle.closed:
            raise closed_error()
