"""How does a model's Markdown become a page, with maths and without danger? As checked HTML.

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

_ENVIRONMENTS = "align|aligned|alignat|gather|gathered|equation|multline|cases|array|[bpvBV]?matrix"
# A formula on lines of its own: $$...$$, \[...\] or \begin{align}...\end{align}.
_BLOCK_FORMULA = (
    r"^ {0,3}(?P<block_formula_source>\$\$(?:[^$\\]|\\.)+?\$\$"
    r"|\\\[(?:.|\n)+?\\\]"
    rf"|\\begin\{{(?P<environment>(?:{_ENVIRONMENTS})\*?)\}}(?:.|\n)+?\\end\{{(?P=environment)\}})"
    r"[ \t]*(?:\n|$)"
)
# A formula in a line: $...$, where no space stands within and no digit after, and \(...\).
_INLINE_FORMULA = (
    r"(?P<formula_source>\$\$(?:[^$\\]|\\.)+?\$\$"
    r"|\$(?![\s$])(?:[^$\\\n]|\\.)*?(?<!\s)\$(?![\d$])"
    r"|\\\((?:.|\n)+?\\\)"
    r"|\\\[(?:.|\n)+?\\\])"
)


def markdown_html(text: str) -> str:
    """Markdown as HTML for ``ipywidgets.HTMLMath``, which typesets its formulas.

    Tables, lists, code and formulas (``$x$``, ``$$x$$``, ``\\(x\\)``, ``\\[x\\]``) are taken.
    The result holds no script, no image, and no tag or attribute that the text brought along.
    """
    # JupyterLab's own class gives tables and code the look they have in a Markdown cell.
    return f'<div class="{_IGNORED} jp-RenderedHTMLCommon">{_convert(text)}</div>'


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


def _formula(name: str):
    def parse(_parser, match: re.Match, state) -> int:
        state.append_token({"type": name, "raw": match.group(f"{name}_source")})
        return match.end()

    return parse


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
    block.register("block_formula", _BLOCK_FORMULA, _formula("block_formula"), before="list")
    block.insert_rule(block.list_rules, "block_formula", before="list")
    inline.register("formula", _INLINE_FORMULA, _formula("formula"), before="escape")
    markdown.renderer.register("block_formula", _block_formula_html)
    markdown.renderer.register("formula", _inline_formula_html)


_convert = mistune.create_markdown(
    renderer=_SafeRenderer(), plugins=["table", "strikethrough", _formulas]
)
