"""Where does the model cut the text? Tokens as a strip of chips, readable without colour too."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from itertools import groupby

from course_utils.engines.protocol import ScoredToken, Token
from course_utils.errors import OptionError
from course_utils.teaching.page import OnPage

# Two tints for each kind, so that neighbours differ; the dark letters read well on all of them.
_TINTS = (
    ("#D6E9F5", "#B5D6EC"),  # blue
    ("#FBE6BF", "#F5D28F"),  # orange
    ("#CDEBDF", "#A8DCC8"),  # green
    ("#F6D5E4", "#EDB8D2"),  # purple
    ("#EDEDED", "#D9D9D9"),  # grey
)
_CHIP = (
    "display: inline-block; margin: 2px 1px; padding: 1px 4px; border: 1px solid #767676; "
    "border-radius: 4px; color: #1A1A1A; font-family: monospace; text-align: center; "
    "vertical-align: top; background: {tint}"
)


def token_strip(
    tokens: Sequence[Token | ScoredToken | str | bytes],
    kinds: Sequence[str] | None = None,
    *,
    label: str = "",
    ids: bool = False,
    probabilities: bool = False,
) -> OnPage:
    """The tokens as chips in a row, to end a cell with or to ``display``.

    tokens: from ``engine.tokenize`` or ``engine.score``, or plain texts.
    kinds: what each token belongs to, such as "thinking" and "answer"; each stretch is named and
        has tints of its own.
    label: what the strip shows, such as "English"; printed before the count of tokens.
    ids: write each token's number in the vocabulary under it.
    probabilities: write the probability the model gave each token under it (scored tokens).
    The plain text has one bar between tokens: ``The│␣cat│␣sleeps``.
    """
    from course_utils.teaching.style import visible  # matplotlib is imported only when needed

    kinds = [""] * len(tokens) if kinds is None else list(kinds)
    if len(kinds) != len(tokens):
        raise OptionError(
            f"There are {len(tokens)} tokens and {len(kinds)} kinds.", "Give one kind per token."
        )
    names = list(dict.fromkeys(kinds))
    chips, plain = [], []
    position = 0
    for kind, stretch in groupby(zip(tokens, kinds, strict=True), key=lambda pair: pair[1]):
        texts = []
        if kind:
            chips.append(f"<strong>{html.escape(kind)}:</strong> ")
        for token, _ in stretch:
            below = _below(token, ids, probabilities)
            tint = _TINTS[names.index(kind) % len(_TINTS)][position % 2]
            small = f"<br><small>{html.escape(below)}</small>" if below else ""
            chips.append(
                f'<span style="{_CHIP.format(tint=tint)}">{html.escape(visible(token))}{small}'
                "</span>"
            )
            texts.append(f"{visible(token)} ({below})" if below else visible(token))
            position += 1
        plain.append((f"{kind}: " if kind else "") + "│".join(texts))
    count = f"{len(tokens)} token{'' if len(tokens) == 1 else 's'}"
    head = f"{label}: {count}" if label else count
    return OnPage(
        # MathJax would read two dollar signs in a text as a formula.
        '<div class="tex2jax_ignore mathjax_ignore" style="line-height: 1.7">'
        f"<strong>{html.escape(head)}</strong><br>{''.join(chips)}</div>",
        f"{head}\n" + "\n".join(plain),
    )


def _below(token: object, ids: bool, probabilities: bool) -> str:
    parts = []
    bare = token.token if isinstance(token, ScoredToken) else token
    if ids:
        if not isinstance(bare, Token):
            raise OptionError("Plain texts have no token ids.", "Give tokens: engine.tokenize.")
        parts.append(str(bare.id))
    if probabilities:
        if not isinstance(token, ScoredToken):
            raise OptionError(
                "These tokens have no probabilities.", "Give scored tokens: engine.score(text)."
            )
        from course_utils.teaching.figures.tokens import percent

        known = token.log_probability is not None
        parts.append(percent(math.exp(token.log_probability), 0) if known else "–")
    return " · ".join(parts)
