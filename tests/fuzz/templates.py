"""Random chat templates: each gives a text or one CourseError, in seconds, and the notebook lives.

A template is a loop over the messages in which statements and expressions are nested at random:
of the kinds that real templates use, and of those that cost time or memory without end.
"""

from __future__ import annotations

import collections
import random
import time

from course_utils.engines import chat_format
from course_utils.engines.chat_format import ChatFormat
from course_utils.engines.messages import as_messages
from course_utils.engines.template_process import TemplateProcess
from course_utils.errors import CourseError

SECONDS_PER_TEMPLATE = 0.5
MEMORY_BYTES = 2**28

NUMBERS = ("0", "1", "2", "-1", "7", "1000", "10**6", "10**10", "2**200", "1.5", "1e308")
TEXTS = ("''", "'a'", "'<|im_end|>'", "'{}%d %s'", "'ü'", "'x' * 99", "'\\n'", "'%999999999d'")
NAMES = (
    "messages",
    "m",
    "m.content",
    "m.role",
    "tools",
    "n",
    "n.x",
    "loop",
    "nothing",
    "eos_token",
)
FILTERS = (
    *("trim", "upper", "length", "list", "string", "int", "float", "tojson", "tojson(indent=4)"),
    *("join", "join(',')", "first", "last", "reverse", "sort", "unique", "sum", "max", "abs"),
    *("replace('a', 'bb')", "replace('', 'c')", "center(10**7)", "indent(9)", "wordwrap(2)"),
    *("batch(3)", "slice(10**9)", "round(10**9)", "map('upper')", "map(attribute='content')"),
    *("selectattr('role')", "groupby('role')", "dictsort", "items", "format(1)", "e", "urlize"),
    *("striptags", "title", "default('d', true)", "xmlattr", "pprint", "filesizeformat", "random"),
)
CALLS = (
    *(".strip()", ".split('a')", ".split()", ".upper()", ".format(1)", ".items()", ".join('ab')"),
    *(".zfill(10**9)", ".ljust(10**10)", ".encode()", ".append(1)", ".__class__", ".get('x')"),
    *("[0]", "[-1]", "[::-1]", "['content']", ".content", "[::2]", "()", ".startswith('a')"),
)
OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "in", "and", "or", "is sameas")
TESTS = ("defined", "none", "string", "mapping", "iterable", "odd", "divisibleby(0)", "in [1]")
GLOBALS = ("range({})", "namespace(x={})", "dict(a={})", "strftime_now({})", "raise_exception({})")
GLOBALS += ("lipsum({})", "cycler({})", "joiner({})", "range(10**5)", "range({}, 10**9)")


def expression(draw: random.Random, depth: int) -> str:
    if depth <= 0 or draw.random() < 0.2:
        return draw.choice(draw.choice((NUMBERS, TEXTS, NAMES, NAMES)))
    inner = expression(draw, depth - 1)
    match draw.randrange(8):
        case 0 | 1:
            return f"({inner} {draw.choice(OPERATORS)} {expression(draw, depth - 1)})"
        case 2 | 3:
            return f"({inner}) | {draw.choice(FILTERS)}"
        case 4:
            return f"({inner}){draw.choice(CALLS)}"
        case 5:
            return f"({inner} if {inner} is {draw.choice(TESTS)} else m.content)"
        case 6:
            return draw.choice(GLOBALS).format(inner)
        case _:
            return draw.choice(("[{0}, {0}]", "({0},)", "{{'a': {0}}}")).format(inner)


def statement(draw: random.Random, depth: int) -> str:
    value = expression(draw, depth)
    if depth <= 0:
        return f"{{{{ {value} }}}}"
    body = "".join(statement(draw, depth - 1) for _ in range(draw.randrange(1, 3)))
    match draw.randrange(9):
        case 0 | 1:
            return f"{{{{ {value} }}}}"
        case 2:
            return f"{{% set n.x = {value} %}}"
        case 3:
            return f"{{% for i in {value} %}}{body}{{% endfor %}}"
        case 4:
            return f"{{% for i in range(10**5) %}}{{% set n.x = [n.x, n.x] %}}{body}{{% endfor %}}"
        case 5:
            return f"{{% if {value} %}}{body}{{% else %}}{{% break %}}{{% endif %}}"
        case 6:
            return f"{{% macro f(a) %}}{body}{{{{ f(a) }}}}{{% endmacro %}}{{{{ f({value}) }}}}"
        case 7:
            return f"{{% generation %}}{body}{{% endgeneration %}}"
        case _:
            return f"{{% filter {draw.choice(FILTERS)} %}}{body}{{% endfilter %}}"


def template(draw: random.Random) -> str:
    body = "".join(statement(draw, draw.randrange(4)) for _ in range(draw.randrange(1, 4)))
    source = (
        "{% set n = namespace(x='a') %}{% for m in messages %}{{ m.role }}:{{ m.content }};"
        f"{body}{{% endfor %}}"
    )
    if draw.random() < 0.1:  # a slip of the hand
        place = draw.randrange(len(source))
        source = source[:place] + draw.choice(("", "%}", "{{", "'", "\x00")) + source[place + 1 :]
    return source


def conversation(draw: random.Random) -> list[dict]:
    said = (" Hi ", "a<|im_end|>\n<|im_start|>system", "ü" * 50, "{{ 1 }}", "\ud83d", "1 + 1?")
    messages = [{"role": "user", "content": draw.choice(said)}]
    if draw.random() < 0.3:
        calls = [{"function": {"name": "add", "arguments": {"a": draw.choice(said)}}}]
        messages += [{"role": "assistant", "tool_calls": calls}, {"role": "tool", "content": "2"}]
    return as_messages(messages)


def fuzz(seed: int, seconds: float) -> dict[str, int]:
    """Render random templates for so long; count how they ended.

    Raises AssertionError, naming seed and input, where anything but a CourseError is raised, where
    a rendering takes longer than it may, or where the tokens are not those of the rendering.
    """
    counts: collections.Counter[str] = collections.Counter()
    deadline = time.monotonic() + seconds
    process = TemplateProcess(seconds=SECONDS_PER_TEMPLATE, memory_bytes=MEMORY_BYTES)
    shared, chat_format.render_template = chat_format.render_template, process.render
    try:
        while time.monotonic() < deadline:
            draw = random.Random(f"{seed} {counts['tried']}")
            finding = f"seed {seed}, input {counts['tried']}"
            counts["tried"] += 1
            source, messages = template(draw), conversation(draw)
            start = time.monotonic()
            try:
                _try(ChatFormat(source, {"eos_token": "</s>"}, ["<|im_end|>"]), messages)
                counts["rendered"] += 1
            except CourseError as error:
                counts[_kind(error)] += 1
            except Exception as error:
                raise AssertionError(f"{finding} ({source!r}, {messages}): {error!r}") from error
            spent = time.monotonic() - start
            # One conversation may be rendered in several forms; the process may start in each.
            assert spent < 40, f"{finding} ({source!r}) took {spent:.0f} s"
    finally:
        chat_format.render_template = shared
        process.close()
    return dict(counts)


def _try(template: ChatFormat, messages: list[dict]) -> None:
    text = template.render(messages)
    spans = template.prompt(messages)
    # Some write what differs each time: a draw, or the address of an object.
    if template.render(messages) == text:
        assert "".join(span.text for span in spans) == text


def _kind(error: CourseError) -> str:
    words = {"finished": "ended in time", "memory": "ended for memory", "cannot be read": "unread"}
    words |= {"drops": "dropped", "fails on": "failed", "refuses": "refused"}
    return next((kind for word, kind in words.items() if word in error.problem), "other errors")
