"""Servers' streams with something wrong in them: the text that arrived is kept, whatever it is.

Each stream is that of one family of servers, every word in it unique.  A mutation changes a field
(missing, null, or of another type), the end, the framing, the label or the cutting into pieces.
Every word of an untouched chunk has to be in the reply, on its side where the server says which,
and nothing but ServerError or PromptError may be raised.  Where a text itself is of another type,
there is such an error, at the end.
"""

from __future__ import annotations

import copy
import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import httpx

from course_utils.engines.protocol import Reply
from course_utils.engines.server.connection import Connection
from course_utils.engines.server.endpoint import EndpointEngine
from course_utils.engines.server.models import ListedModel
from course_utils.errors import PromptError, ServerError

MISSING = object()

ODD = "odd"
"""The outcome of a stream that is read to its end, with an error for a text that is none."""

STRANGE = (
    MISSING,
    *(None, 0, -1, 7, 1.5, 2**70, True, "", "strange", "\ud83d", [], {}, [None], [[]]),
    *({"a": 1}, {"message": None}, ["a", {"text": "b"}]),
)


@dataclass
class Case:
    """One stream: its chunks, and how they are written and sent.

    touched: the chunks that a mutation has changed.  last: what stands at the end.
    """

    style: str
    chunks: list[dict]
    touched: set[int] = field(default_factory=set)
    last: str = "data: [DONE]"
    newline: str = "\n"
    between: str = "\n\n"
    prefix: str = "data: "
    before: bytes = b""
    label: str = "text/event-stream"
    framed: bool = True
    cuts: Sequence[int] | None = None
    what: str = "untouched"

    def body(self) -> bytes:
        events = [f"{self.prefix}{json.dumps(chunk)}" for chunk in self.chunks]
        text = self.between.join([*events, self.last] if self.last else events)
        return self.before + text.replace("\n", self.newline).encode()

    def pieces(self) -> Iterator[bytes]:
        body = self.body()
        cuts = range(1, len(body)) if self.cuts is None else sorted({*self.cuts, len(body)})
        start = 0
        for cut in (*cuts, len(body)):
            if start < cut <= len(body):
                yield body[start:cut]
                start = cut


def chunk(place: int = 0, finish: str | None = None, **delta: object) -> dict:
    """One chunk of a chat, as OpenAI's API writes it."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "choices": [choice],
    }


USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


def streams() -> list[Case]:
    """One sound stream of each family of servers."""
    words = [f"w{number} " for number in range(6)]
    end = [chunk(finish="stop"), {**chunk(), "choices": [], "usage": USAGE}]
    plain = [chunk(role="assistant", content=""), *(chunk(content=word) for word in words), *end]
    apart = {}
    for name in ("reasoning_content", "reasoning", "thinking"):
        thought = [chunk(**{name: word, "content": None}) for word in words[:3]]
        apart[name] = [*thought, *(chunk(content=word) for word in words[3:]), *end]
    parts = [
        *(chunk(content=[{"type": "thinking", "thinking": [{"text": w}]}]) for w in words[:3]),
        *(chunk(content=[{"type": "text", "text": w}]) for w in words[3:]),
        *end,
    ]
    counted = [
        {**c, "timings": {"prompt_n": 9, "cache_n": 2, "predicted_n": number}}
        for number, c in enumerate(plain)
    ]
    return [
        Case("plain", plain),
        *(Case(name, chunks) for name, chunks in apart.items()),
        Case("parts", parts),
        Case("llama-server", counted),
    ]


def words_in(case: Case, number: int) -> list[tuple[str, str]]:
    """The words of one chunk, each with the side that the server puts it on."""
    found = []
    for choice in case.chunks[number].get("choices") or []:
        for name, value in (choice.get("delta") or {}).items():
            text = json.dumps(value)
            thought = name != "content" or "thinking" in text
            found += [
                ("thinking" if thought else "answer", f"w{digit}")
                for digit in range(6)
                if f"w{digit} " in text
            ]
    return found


# ---- one stream, read by the engine itself ---------------------------------------------------


def read(case: Case) -> tuple[Reply, str]:
    """What the engine makes of a stream: the reply, and "ended", ``ODD``, or the error's type."""

    def answer(request: httpx.Request) -> httpx.Response:
        headers = {"content-type": case.label}
        if case.framed:
            headers["transfer-encoding"] = "chunked"
        return httpx.Response(200, headers=headers, stream=_Pieces(case))

    connection = Connection("http://localhost:1/v1", "", "plain", 5.0)
    connection._client.close()
    connection._client = httpx.Client(transport=httpx.MockTransport(answer))
    stream = EndpointEngine(connection, ListedModel("plain", {})).chat("a question")
    try:
        stream.finish()
    except (ServerError, PromptError) as error:
        assert error.problem and error.remedy
        odd = re.search(r"could not be read: .* (where .* should be|is missing)", error.problem)
        return stream.reply, ODD if odd else type(error).__name__
    finally:
        connection.close()
    return stream.reply, "ended"


class _Pieces(httpx.SyncByteStream):
    def __init__(self, case: Case):
        self._case = case

    def __iter__(self) -> Iterator[bytes]:
        return self._case.pieces()


def check(case: Case) -> str:
    """Read a stream and assert that nothing untouched is lost; gives the outcome's name."""
    reply, outcome = read(case)
    text = reply.thinking + reply.answer
    text.encode("utf-8")  # the reply can be saved
    # An error may hide what comes after it, but nothing before; one odd field hides nothing.
    hidden = outcome not in ("ended", ODD) and case.touched
    for number in range(min(case.touched) if hidden else len(case.chunks)):
        if number in case.touched:
            continue
        for side, word in words_in(case, number):
            where = reply.thinking if side == "thinking" else reply.answer
            assert word in where, f"{word} is not in the {side}: {reply}"
    counts = (reply.prompt_tokens, reply.cached_tokens, reply.thinking_tokens, reply.answer_tokens)
    assert all(count is None or count >= 0 for count in counts), reply
    assert not text.strip() or reply.tokens > 0, reply
    return outcome


# ---- mutations -------------------------------------------------------------------------------


def places(value: object, path: tuple = ()) -> Iterator[tuple]:
    """The path of every value inside a chunk."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else []
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        yield from places(inner, (*path, key))


def changed(case: Case, number: int, path: tuple, value: object) -> Case:
    """The same stream with one value of one chunk replaced, added, or taken out."""
    chunks = copy.deepcopy(case.chunks)
    holder = chunks[number]
    for key in path[:-1]:
        holder = holder[key]
    if value is MISSING:
        holder.pop(path[-1], None) if isinstance(holder, dict) else holder.pop(path[-1])
    else:
        holder[path[-1]] = value
    shown = "missing" if value is MISSING else repr(value)
    what = f"{case.style}, chunk {number}, {'.'.join(map(str, path))}: {shown}"
    return Case(case.style, chunks, case.touched | {number}, cuts=(), what=what)


def field_changes(case: Case) -> list[tuple[int, tuple, object]]:
    """Every field of every chunk missing, null, and of other types: what ``changed`` takes."""
    return [
        (number, path, value)
        for number, body in enumerate(case.chunks)
        for path in places(body)
        for value in STRANGE
    ]


def sent_otherwise(case: Case, draw: random.Random) -> Case:
    """The same chunks in another writing, which is as good or nearly so."""
    new = copy.copy(case)
    new.newline = draw.choice(["\n", "\r\n", "\r"])
    new.between = draw.choice(
        ["\n\n", "\n", "\n\n\n", "\n: keep-alive\n\n", "\n\nid: 3\nretry: 1\n"]
    )
    new.last = draw.choice(["data: [DONE]", "data:[DONE]\n\n", "data: [DONE]\n\n", "", "\n\n"])
    new.prefix = draw.choice(["data: ", "data:", "event: message\ndata: ", ""])
    new.before = draw.choice([b"", b"", b"\xef\xbb\xbf", b": hello\n\n", b"\n\n"])
    new.label = draw.choice(
        ["text/event-stream", "Text/Event-Stream", "text/plain", "text/html", ""]
    )
    new.framed = draw.random() < 0.7
    length = len(new.body())
    new.cuts = draw.choice([(), None, [draw.randrange(length) for _ in range(draw.randrange(9))]])
    new.what += (
        f"; newline={new.newline!r} between={new.between!r} last={new.last!r} "
        f"prefix={new.prefix!r} before={new.before!r} label={new.label!r} framed={new.framed} "
        f"cuts={new.cuts}"
    )
    return new


def fuzz(seed: int, seconds: float) -> dict[str, int]:
    """Mutate and read streams for so many seconds; gives the outcomes' numbers by name.

    Raises AssertionError, which names the seed and the mutation, for text that is lost, a negative
    count, or any exception but ServerError and PromptError.
    """
    draw = random.Random(seed)
    outcomes: Counter[str] = Counter()
    sound = streams()
    waiting = [(case, change) for case in sound for change in field_changes(case)]
    draw.shuffle(waiting)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if waiting:
            case, change = waiting.pop()
            case = changed(case, *change)
        else:
            case = draw.choice(sound)
            for _ in range(draw.randrange(1, 4)):
                number = draw.randrange(len(case.chunks))
                found = [*places(case.chunks[number]), ("error",), ("message",), ("type",)]
                case = changed(case, number, draw.choice(found), draw.choice(STRANGE))
        if draw.random() < 0.5:
            case = sent_otherwise(case, draw)
        try:
            outcomes[check(case)] += 1
        except Exception as error:
            raise AssertionError(
                f"seed {seed}: {case.what}: {type(error).__name__}: {error}"
            ) from error
    return dict(outcomes)
