"""A model's Markdown as a page, with maths and without danger: as checked HTML.

What a model writes is untrusted: it may repeat whatever it has read.  So raw HTML is shown as
text, links go only to the web and open beside the notebook, images are named and never fetched,
and formulas that could carry links, styles or definitions are shown as their source.
"""

from __future__ import annotations

import html
import re

import mistune

# MathJax typesets only what stands in these classes; elsewhere a dollar sign is money.
_IGNORED = "mathjax_ignore tex2jax_ignore"
_TYPESET = "mathjax_process tex2jax_process"

# Commands of MathJax that load, link, style, or define others (definitions could nest without end).
_FORBIDDEN = re.compile(
    r"\\(?:href|url|style|class|cssId|data|html\w*|bbox|mmlToken|includegraphics|unicode|require"
    r"|def|gdef|edef|xdef|let|futurelet|csname|newcommand|renewcommand|providecommand"
    r"|newenvironment|renewenvironment|DeclareMathOperator|Newextarrow)(?![A-Za-z])"
)

LONGEST_FORMULA = 4000
"""Characters; a mark that finds no end within so many begins no formula. It bounds the search."""

LONGEST_TEXT = 50_000
"""Characters that are set as Markdown: thirty pages. A longer answer is a model that loops."""

_ENVIRONMENTS = "align|aligned|alignat|gather|gathered|equation|multline|cases|array|[bpvBV]?matrix"
# Where a formula on lines of its own may begin: $$...$$, \[...\] or \begin{align}...\end{align}.
_BLOCK_START = rf"^ {{0,3}}(?=\$\$|\\\[|\\begin\{{(?:{_ENVIRONMENTS})\*?\}})"
# Where a formula in a line may begin: $...$, $$...$$, \(...\) or \[...\].
_INLINE_START = r"\$\$?|\\[(\[]"
# Between dollar signs: no space within the ends, no digit after them. There, it is money.
_DOLLARS = re.compile(
    rf"\$\$(?:[^$\\]|\\.){{1,{LONGEST_FORMULA}}}?\$\$"
    rf"|\$(?![\s$])(?:[^$\\\n]|\\.){{0,{LONGEST_FORMULA}}}?(?<!\s)\$(?![\d$])",
    re.DOTALL,
)
_DISPLAY_DOLLARS = re.compile(rf"\$\$(?:[^$\\]|\\.){{1,{LONGEST_FORMULA}}}?\$\$", re.DOTALL)
_REST_OF_LINE = re.compile(r"[ \t]*(?:\n|$)")


def markdown_html(text: str) -> str:
    """Markdown as HTML for ``ipywidgets.HTMLMath``, which typesets its formulas.

    Tables, lists, code and formulas (``$x$``, ``$$x$$``, ``\\(x\\)``, ``\\[x\\]``) are taken.
    The result holds no script, no image, and no tag or attribute that the text brought along.
    The time it takes grows with the length of the text, whatever stands in it; a text that cannot
    be set, or is longer than any answer, is shown as it is.
    """
    # JupyterLab's own class gives tables and code the look they have in a Markdown cell.
    return f'<div class="{_IGNORED} jp-RenderedHTMLCommon">{_checked(text)}</div>'


def _checked(text: str) -> str:
    # Half of a surrogate pair, which a cut stream can leave, reaches no browser.
    text = text.encode("utf-8", "replace").decode("utf-8")
    if len(text) <= LONGEST_TEXT:
        try:
            return _convert(text)
        except (RecursionError, ValueError, IndexError, KeyError, AttributeError, TypeError):
            pass  # An error of the library's must not cost the reader the answer.
    return f"<pre>{html.escape(text)}</pre>"


class _SafeRenderer(mistune.HTMLRenderer):
    """mistune's HTML with raw HTML escaped, without images, and with links to the web alone."""

    def __init__(self):
        super().__init__(escape=True)

    def link(self, text: str, url: str, title: str | None = None) -> str:
        # A relative address would lead into JupyterLab itself.
        if not re.match(r"https?://", url, re.IGNORECASE):
            return text
        address = html.escape(url, quote=True)
        return (
            f'<a href="{address}" title="{address}" target="_blank" '
            f'rel="noopener noreferrer nofollow">{text}</a>'
        )

    def image(self, text: str, url: str, title: str | None = None) -> str:
        # Fetching it would tell a stranger that it was looked at.
        return f"[image: {text}]"


def _parse_inline_formula(parser, match: re.Match, state) -> int | None:
    source, start = state.src, match.start()
    if match[0][0] == "$":
        end = _end_of(_DOLLARS.match(source, start))
    else:
        end = _end_of_pair(source, start, match[0], {"\\(": "\\)", "\\[": "\\]"}[match[0]])
        if end is None:  # Without its other half it is an escaped bracket.
            parser.process_text(match[0][1], state, parse_emphasis=False)
            return match.end()
    if end is None:
        return None
    state.append_token({"type": "formula", "raw": source[start:end]})
    return end


def _parse_block_formula(_parser, match: re.Match, state) -> int | None:
    source, start = state.src, match.end()
    environment = re.compile(r"\\begin(\{\w+\*?\})").match(source, start)
    if environment:
        end = _end_of_pair(source, start, environment[0], f"\\end{environment[1]}")
    elif source.startswith("$$", start):
        end = _end_of(_DISPLAY_DOLLARS.match(source, start))
    else:
        end = _end_of_pair(source, start, "\\[", "\\]")
    rest = _REST_OF_LINE.match(source, end) if end is not None else None
    if rest is None:
        return None
    state.append_token({"type": "block_formula", "raw": source[start:end]})
    return rest.end()


def _end_of(match: re.Match | None) -> int | None:
    return match.end() if match else None


def _end_of_pair(source: str, start: int, opening: str, closing: str) -> int | None:
    """Where the formula ends that opens at ``start``; None if it is empty or never ends."""
    inner = start + len(opening)
    end = source.find(closing, inner + 1, inner + LONGEST_FORMULA)
    return end + len(closing) if end >= 0 else None


def _inline_formula_html(_renderer, source: str) -> str:
    if _FORBIDDEN.search(source):
        return f"<code>{html.escape(source)}</code>"
    return f'<span class="{_TYPESET}">{html.escape(source)}</span>'


def _block_formula_html(_renderer, source: str) -> str:
    if _FORBIDDEN.search(source):
        return f"<pre><code>{html.escape(source)}</code></pre>\n"
    return f'<div class="{_TYPESET}" style="overflow-x: auto">{html.escape(source)}</div>\n'


def _formulas(markdown: mistune.Markdown) -> None:
    # mistune's own plugin knows only dollar signs; models write \( and \[ as often.
    block, inline = markdown.block, markdown.inline
    block.register("block_formula", _BLOCK_START, _parse_block_formula, before="list")
    block.insert_rule(block.list_rules, "block_formula", before="list")
    # With the characters that a rule can start with, mistune jumps over text without any of them;
    # for a rule without, it tries every pattern at every blank (mistune#85).
    inline.register(
        "formula", _INLINE_START, _parse_inline_formula, before="escape", start_chars=("$", "\\")
    )
    markdown.renderer.register("block_formula", _block_formula_html)
    markdown.renderer.register("formula", _inline_formula_html)


_convert = mistune.create_markdown(
    renderer=_SafeRenderer(), plugins=["table", "strikethrough", _formulas]
)
