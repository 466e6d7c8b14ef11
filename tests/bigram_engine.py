"""A model small enough to check by hand: the Engine protocol over counted pairs of letters.

Its probabilities are real (counted, add-one smoothed), its logits are their logarithms, and its
replies come from them; nothing is scripted.  Tests use it where a GGUF would add nothing.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from itertools import pairwise

import numpy as np

from course_utils.engines.protocol import (
    Attention,
    ModelInfo,
    NextToken,
    Piece,
    Reply,
    ScoredToken,
    Stream,
    Token,
)
from course_utils.engines.sampling import Sampling
from course_utils.errors import NotSupportedError, PromptError
from course_utils.teaching.distribution import apply_sampling

END = "\x03"
TEXT = f"a cat sat. a hat sat. {END}a rat ran.\nthe mat sat at a hat. {END}"


class BigramEngine:
    """Predicts each letter from the one before it. ``delay`` seconds per token, for stop tests."""

    def __init__(self, text: str = TEXT, name: str = "bigram", delay: float = 0.0):
        self.letters = sorted(set(text))
        self.pairs = Counter(pairwise(text))
        self.info = ModelInfo(
            name, "counted", vocabulary=len(self.letters), layers=2, reasoning=True
        )
        self.default_sampling = None
        self.keeps_cache = False
        self.closed = False
        self.delay = delay
        self.calls = Counter()
        self._lock = threading.Lock()

    def _probabilities(self, letter: str) -> np.ndarray:
        counts = np.array([self.pairs[letter, other] for other in self.letters], dtype=float)
        return (counts + 0.01) / (counts + 0.01).sum()

    def next_tokens(self, text: str, k: int = 10) -> list[NextToken]:
        if not text:
            raise PromptError("The prompt is empty.", "Write at least one letter.")
        self.calls["next_tokens"] += 1
        probabilities = self._probabilities(text[-1])
        order = np.argsort(-probabilities, kind="stable")[:k]
        return [
            NextToken(
                Token(int(i), self.letters[i].encode()),
                float(probabilities[i]),
                math.log(probabilities[i]),
            )
            for i in order
        ]

    def score(self, text: str) -> list[ScoredToken]:
        tokens = self.tokenize(text)
        logs = [None] + [
            math.log(self._probabilities(a)[self.letters.index(b)]) for a, b in pairwise(text)
        ]
        return [ScoredToken(t, value) for t, value in zip(tokens, logs, strict=True)]

    def tokenize(self, text: str) -> list[Token]:
        return [Token(self.letters.index(c) if c in self.letters else -1, c.encode()) for c in text]

    def detokenize(self, tokens) -> str:
        return "".join(self.letters[t] if isinstance(t, int) else t.data.decode() for t in tokens)

    def render(self, messages, tools=None) -> str:
        if tools:
            raise NotSupportedError("Counted pairs call no tools.", "Open a model.")
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        if not messages[-1]["content"].strip():
            raise PromptError("The question is empty.", "Ask something.")
        return "".join(message["content"] for message in messages) + "\n"

    def chat(self, messages, sampling=None, *, tools=None, thinking_budget=None) -> Stream:
        return self._stream(self.render(messages, tools), sampling, thinking_budget, "thinking")

    def complete(self, text, sampling=None) -> Stream:
        return self._stream(text, sampling, None, "answer")

    def _stream(self, prompt, sampling, budget, kind) -> Stream:
        sampling = sampling or Sampling(max_tokens=40)
        rng = np.random.default_rng(sampling.seed or 0)
        reply = Reply(prompt_tokens=len(prompt))
        started = time.perf_counter()
        stopping = threading.Event()

        def pieces():
            nonlocal kind
            letter = prompt[-1]
            with self._lock:
                for count in range(sampling.max_tokens or 40):
                    if stopping.wait(self.delay) or stopping.is_set():
                        reply.stop_reason = "interrupted"
                        return
                    candidates = self.next_tokens(letter, len(self.letters))
                    drawn = rng.choice(
                        len(candidates),
                        p=apply_sampling([c.logit for c in candidates], sampling),
                    )
                    letter = candidates[drawn].token.text
                    if letter == END:
                        return
                    limit = 20 if budget is None else budget
                    if kind == "thinking" and count >= limit:
                        kind, reply.thinking_cut = "answer", budget is not None
                    if kind == "thinking":
                        reply.thinking += letter
                        reply.thinking_tokens += 1
                    else:
                        reply.answer += letter
                        reply.answer_tokens += 1
                    reply.seconds = time.perf_counter() - started
                    yield Piece(kind, letter, 1, reply.seconds)
                reply.stop_reason = "length"

        return Stream(pieces(), reply, stopping)

    def sample_many(self, prompt, n, sampling=None) -> list[Reply]:
        sampling = sampling or Sampling(max_tokens=40)
        return [self.complete(prompt, sampling.but(seed=i)).finish() for i in range(n)]

    def attention(self, text: str) -> Attention:
        """Uniform over the past in layer 0, on the token itself in layer 1; two heads each."""
        self.calls["attention"] += 1
        tokens = self.tokenize(text)
        n = len(tokens)
        uniform = np.tril(np.ones((n, n))) / np.arange(1, n + 1)[:, None]
        return Attention(tokens, np.array([[uniform, uniform], [np.eye(n), np.eye(n)]]))

    def routing(self, text: str):
        raise NotSupportedError("Counted pairs have no router.", "Open a mixture of experts.")

    def activations(self, text: str, names):
        raise NotSupportedError("Counted pairs compute nothing on the way.", "Open a model.")

    def activation_names(self) -> list[str]:
        return []

    def save_cache(self, path) -> int:
        raise NotSupportedError("Counted pairs have no KV cache.", "Open a model.")

    def load_cache(self, path) -> int:
        raise NotSupportedError("Counted pairs have no KV cache.", "Open a model.")

    def close(self) -> None:
        self.closed = True

    def __enter__(self):
        return self

    def __exit__(self, *_exception) -> None:
        self.close()
