"""Replies from a server's chunks: sorted into thought and answer, and counted.

Where the server itself says what is thought and what is answer, that is so, and a tag in either is
ordinary text.  Where it leaves the tags in, they are read as in ``reply``.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator

from course_utils.engines.reply import (
    CLOSING,
    Kind,
    Piece,
    Reply,
    StopReason,
    ThinkingSplitter,
    split_thinking,
)
from course_utils.engines.server.errors import Misshapen
from course_utils.engines.server.stream import Chunk, Usage
from course_utils.engines.server.tool_calls import CallCollector

# A server that counts nothing sends a token a chunk, or else long chunks, counted by their length.
LONGEST_TOKEN = 24
LETTERS_PER_TOKEN = 4


def new_reply() -> Reply:
    """A reply of which nothing is known yet, the length of its prompt included."""
    return Reply(stop_reason="interrupted", prompt_tokens=None, cached_tokens=None)


def read_reply(
    reply: Reply,
    chunks: Generator[Chunk, None, None],
    sorter: Sorter,
    *,
    limited: bool,
    budget: int | None = None,
) -> Iterator[Piece]:
    """Turn the chunks of one request into pieces, and count them into ``reply``.

    limited: whether the request sets a number of tokens.
    budget: tokens after which the thought is cut off, and reading stops.

    Raises Misshapen, at the end, where a text could not be read before the server had said why
    the reply ended.
    """
    started = time.perf_counter() - reply.seconds
    counter = TokenCounter(reply)
    collector = CallCollector()
    unshown = 0  # tokens whose text is still held back
    odd: str | None = None

    def shown(parts: list[tuple[Kind, str]]) -> Iterator[Piece]:
        nonlocal unshown
        for kind, text in parts:
            reply.add(kind, text)
            yield Piece(kind, text, unshown, reply.seconds)
            unshown = 0

    try:
        for chunk in chunks:
            reply.seconds = time.perf_counter() - started
            over = counter.ended
            counter.note(chunk)
            if chunk.whole and counter.counted:
                continue  # all of it once more
            if chunk.remark and not counter.counted:
                reply.waiting = chunk.remark
                yield Piece(sorter.kind, "", 0, reply.seconds)  # for whoever shows the reply
            odd = odd if odd or over else chunk.odd
            if chunk.text or chunk.thought or chunk.tool_calls:
                reply.seconds_to_first_token = reply.seconds_to_first_token or reply.seconds
                reply.waiting = ""
                kind = sorter.kind_of(chunk)
                parts = sorter.feed(chunk)
                unshown += counter.count(chunk, kind, parts)
                yield from shown(parts)
                if chunk.tool_calls:
                    called = "".join(map(collector.add, chunk.tool_calls))
                    yield Piece("call", called, unshown, reply.seconds)
                    unshown = 0
            if budget is not None and sorter.kind == "thinking":
                reply.thinking_cut = reply.thinking_tokens >= budget
                if reply.thinking_cut:
                    odd = None  # the thought is over, whatever it lacks
                    break
        else:
            if counter.ended and odd is None:
                counter.settle(limited=limited)
        yield from shown(sorter.close())
        if odd is not None:
            raise Misshapen(odd)
    finally:
        chunks.close()
        reply.tool_calls += collector.calls(whole=reply.stop_reason == "end")
        for kind, part in sorter.close():  # still held back, if the reply ended early
            reply.add(kind, part)


def correct_guess(reply: Reply) -> None:
    """A "thought" that the model itself ended, with no tag after it, was the answer."""
    if reply.stop_reason == "end":
        reply.thinking, reply.answer = "", reply.thinking
        reply.thinking_tokens, reply.answer_tokens = 0, reply.tokens


def correct_continuation(reply: Reply, thought: str, sorter: Sorter) -> None:
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


class Sorter:
    """Says of each chunk's text whether it is thought or answer.

    opened: whether the prompt has already opened a thought, for servers that leave the tags in;
        None where there is no thought to look for, and all is answer.
    """

    def __init__(self, opened: bool | None):
        self.separated = False
        """Whether the server itself keeps thought and answer apart."""
        self._all_answer = opened is None
        self._splitter = ThinkingSplitter(bool(opened))
        self._texts = {"thinking": _Trimmed(), "answer": _Trimmed()}
        self._halves: dict[Kind, _Halves] = {"thinking": _Halves(), "answer": _Halves()}
        self._kind: Kind = "answer"

    @property
    def kind(self) -> Kind:
        """What the text read last belongs to."""
        return self._kind if self.separated or self._all_answer else self._splitter.kind

    def kind_of(self, chunk: Chunk) -> Kind:
        """What a chunk that is yet to be fed counts as."""
        if self._all_answer:
            return "answer"
        if chunk.thought:
            return "thinking"
        return "answer" if self.separated else self._splitter.kind

    def feed(self, chunk: Chunk) -> list[tuple[Kind, str]]:
        """Read one more chunk; give back the texts that are now certain, with their kinds."""
        thought = self._halves["thinking"].join(chunk.thought)
        text = self._halves["answer"].join(chunk.text)
        if self._all_answer:
            return [("answer", thought + text)] if thought + text else []
        found: list[tuple[Kind, str]] = []
        if chunk.thought and not self.separated:
            found += self._splitter.close()
            self.separated = True
        if not self.separated:
            return self._splitter.feed(text) if text else []
        if chunk.thought:
            self._kind = "thinking"
            found.append(("thinking", self._texts["thinking"].feed(thought)))
        if chunk.text:
            self._kind = "answer"
            # White space at the end of an answer is the model's own, at its start it is layout.
            answer = self._texts["answer"]
            found.append(("answer", answer.feed(text) + answer.close()))
        return [(kind, part) for kind, part in found if part]

    def close(self) -> list[tuple[Kind, str]]:
        """The reply is over: give back what was still held."""
        left = [(kind, half.close()) for kind, half in self._halves.items()]
        found: list[tuple[Kind, str]] = []
        for kind, text in left:
            if not text:
                continue
            if self.separated or self._all_answer or kind == "thinking":
                found.append((kind if not self._all_answer else "answer", text))
            else:
                found += self._splitter.feed(text)
        return found if self.separated or self._all_answer else found + self._splitter.close()


class _Trimmed:
    """A text without the white space around it, while it comes in pieces."""

    def __init__(self):
        self._started = False
        self._held = ""

    def feed(self, text: str) -> str:
        text = self._held + text
        if not self._started:
            text = text.lstrip()
        certain = text.rstrip()
        self._held = text[len(certain) :]
        self._started = self._started or bool(certain)
        return certain

    def close(self) -> str:
        held, self._held = self._held, ""
        return held if self._started else ""


class _Halves:
    """Joins halves of a surrogate pair that come in two chunks; a half alone becomes U+FFFD.

    JSON may hold halves (\\ud83d), UTF-8 may not: such a text could be neither saved nor sent.
    """

    def __init__(self):
        self._half = ""

    def join(self, text: str) -> str:
        if not text:
            return ""
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return text

    def close(self) -> str:
        half, self._half = self._half, ""
        return "\ufffd" if half else ""


class TokenCounter:
    """Counts the tokens of one request into its reply, by the best figures the server offers.

    Those are llama-server's running counts; or the counts at the end; or, where there are none or
    they contradict the text that came, the number of chunks, which the reply then calls an
    estimate.
    """

    def __init__(self, reply: Reply):
        self._reply = reply
        self._first_request = not reply.thinking
        self._estimated_before = reply.tokens_estimated
        self._generated = 0
        self._thinking = 0
        self._exact = True
        self._usage = Usage()
        self._finish: str | None = None
        self.ended = False
        """Whether the server has said that the reply is over."""

    @property
    def counted(self) -> bool:
        """Whether any text has come."""
        return self._generated > 0

    def note(self, chunk: Chunk) -> None:
        """Remember what this chunk says about the whole request."""
        if chunk.usage:
            newer = zip(chunk.usage, self._usage, strict=True)
            self._usage = Usage(*(new if new is not None else old for new, old in newer))
        self._finish = chunk.finish or self._finish
        self.ended = self.ended or chunk.last or chunk.finish is not None
        if chunk.prompt_tokens and self._first_request:
            self._reply.prompt_tokens = chunk.prompt_tokens
            self._reply.cached_tokens = chunk.cached_tokens

    def count(self, chunk: Chunk, kind: Kind, parts: list[tuple[Kind, str]]) -> int:
        """Add this chunk's tokens to the thought or the answer; gives their number.

        kind: what the chunk's text belongs to, a tag at its end included.
        parts: the texts that it has made certain; where they are of both kinds, the tokens go to
            each by its length.
        """
        if chunk.generated is None or chunk.generated < self._generated:
            self._exact = False
            self._reply.tokens_estimated = True
            length = len(chunk.text) + len(chunk.thought)
            length += sum(len(part.name) + len(part.arguments) for part in chunk.tool_calls)
            tokens = 1 if length <= LONGEST_TOKEN else length // LETTERS_PER_TOKEN
        else:
            tokens = chunk.generated - self._generated
        thinking = tokens if kind == "thinking" else 0
        lengths = {"thinking": 0, "answer": 0}
        for name, text in parts:
            lengths[name] += len(text)
        if all(lengths.values()) and tokens > 1:
            thinking = round(tokens * lengths["thinking"] / sum(lengths.values()))
        self._generated += tokens
        self._thinking += thinking
        self._reply.thinking_tokens += thinking
        self._reply.answer_tokens += tokens - thinking
        return tokens

    def settle(self, *, limited: bool) -> None:
        """The request is over: take over its reason to end, and its final counts."""
        reply, usage = self._reply, self._usage
        reply.stop_reason = stop_reason(self._finish, limited)
        # A prompt has at least one token, so that a count of none is no count.
        if self._first_request and not reply.prompt_tokens and usage.prompt:
            reply.prompt_tokens = usage.prompt
            if usage.cached is not None and usage.cached <= usage.prompt:
                reply.cached_tokens = usage.cached
        if self._exact or not usage.generated:
            return
        total = usage.generated
        if total > self._generated and self._finish != "length":
            total -= 1  # servers count the token that ends the text; a reply here does not
        thinking, known = usage.thinking, True
        if thinking is None or thinking > total or (thinking == 0 and self._thinking):
            # By the chunks' shares, which are right where each chunk was one token.
            thinking = round(total * self._thinking / max(self._generated, 1))
            known = total == self._generated or self._thinking in (0, self._generated)
        reply.thinking_tokens += thinking - self._thinking
        reply.answer_tokens += (total - thinking) - (self._generated - self._thinking)
        reply.tokens_estimated = self._estimated_before or not known


def stop_reason(finish: str | None, limited: bool) -> StopReason:
    """Why a reply ended; without a limit of ours, only the context can have been too short."""
    if finish not in ("length", "max_tokens"):
        return "end"
    return "length" if limited else "context"
