"""What the renderer's process runs: it renders chat templates, and may be ended at any time.

``template_process`` starts this file and speaks to it: one request in JSON a line, one answer in
JSON a line.  It stands alone and imports nothing but Jinja, so that it starts in a fifth of a
second.

The environment is the one that the documentation of Hugging Face's transformers promises to the
authors of templates ("Writing a chat template"): loop controls, ``{% generation %}``, ``tojson``
that leaves HTML and other languages alone, ``raise_exception`` and ``strftime_now``.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import sys
from datetime import datetime
from functools import lru_cache

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST_TEXT = 2**24
"""Characters that a template may write, a hundred times what a context of 32,768 tokens holds."""


class Generation(Extension):
    """``{% generation %}…{% endgeneration %}`` marks an assistant's words; it writes them as is.

    Training code uses the marks.  Like any block with a caller, it has a scope of its own.
    """

    tags = frozenset({"generation"})

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_as_is"), [], [], body).set_lineno(line)

    def _as_is(self, caller):
        return caller()


def environment() -> ImmutableSandboxedEnvironment:
    """The environment in which every template runs, without access to Python."""
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    made.filters["tojson"] = _to_json
    made.globals["raise_exception"] = _raise_exception
    made.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return made


def _to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise_exception(message):
    raise Refusal(message)


class Refusal(TemplateError):
    """The template's own words about a conversation that it does not take."""


@lru_cache(maxsize=16)
def _compiled(source: str):
    return _ENVIRONMENT.from_string(source)


def answer(request: dict) -> dict:
    """The rendered ``text``, or the kind of ``fault`` and, where it can tell, its ``reason``."""
    # A template can lead Python's own types to raise anything, already while it is compiled:
    # Jinja computes constant expressions then.
    try:
        template = _compiled(request["source"])
    except MemoryError:
        return {"fault": "memory"}
    except TemplateSyntaxError as error:
        return {"fault": "syntax", "reason": f"line {error.lineno}: {error.message}"}
    except RecursionError:
        return {"fault": "syntax", "reason": "it is nested too deeply"}
    except Exception as error:
        return {"fault": "syntax", "reason": _named(error)}
    try:
        text = template.render(**request["variables"])
    except MemoryError:
        return {"fault": "memory"}
    except Refusal as error:
        return {"fault": "refusal", "reason": str(error)}
    except RecursionError:
        return {"fault": "error", "reason": "it calls itself without end"}
    except Exception as error:
        return {"fault": "error", "reason": _named(error)}
    return {"text": text} if len(text) <= LONGEST_TEXT else {"fault": "length"}


def _named(error: Exception) -> str:
    return str(error) if isinstance(error, TemplateError) else f"{type(error).__name__}: {error}"


def serve(seconds: float, memory_bytes: int) -> None:
    """Answer requests until there are no more; end at once if one takes too long."""
    # A press of Ctrl-C reaches all processes of a terminal, but is meant for the notebook.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    with open(os.devnull, "w") as nowhere:
        for line in requests:
            # The notebook ends this process in time; the timer is for a notebook that died.
            faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
            try:
                reply = json.dumps(answer(json.loads(line))).encode()
            except MemoryError:
                reply = b'{"fault": "memory"}'
            faulthandler.cancel_dump_traceback_later()
            answers.write(reply + b"\n")
            answers.flush()


_ENVIRONMENT = environment()

if __name__ == "__main__":
    sys.stdout.buffer.write(b"ready\n")
    sys.stdout.buffer.flush()
    serve(float(sys.argv[1]), int(sys.argv[2]))
