"""What does the answer key say of a claim? Verdict, reason, computation, doubt and sources.

Also for a reader who only reads: ``verdicts_on_page`` folds with the browser alone, without a
running kernel, and ``verdict_table`` shows every verdict at a glance.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence

from course_utils.errors import OptionError
from course_utils.evaluation.claims import VERDICTS, Claim, load_claims, score_card
from course_utils.teaching.page import OnPage

_BAR = "border-left: 5px solid {colour}; padding: 0.2em 0.8em; margin: 0.2em 0"
_LOOK = {
    # how the vote stands against the key: (sign, words, colour of the bar)
    True: ("✓", "You voted the same.", "#009E73"),
    False: ("✗", "You voted otherwise.", "#D55E00"),
    None: ("○", "You have not voted.", "#767676"),
}


def claim_on_page(
    number: int,
    votes: Mapping[int, str | None] | None = None,
    claims: Sequence[Claim] | None = None,
) -> OnPage:
    """The answer key to one claim: what ``claim_vote`` shows once you have voted.

    Raises OptionError for a claim that does not exist and a vote that is not a verdict.
    """
    claim = find_claim(number, load_claims() if claims is None else claims)
    vote = checked_vote(votes or {}, claim)
    sign, words, colour = _LOOK[None if vote is None else vote == claim.verdict]
    head = f"{sign} The answer key says: {claim.verdict}."
    body, text = _reasons(claim)
    return OnPage(
        f'<div style="{_BAR.format(colour=colour)}">{_div(f"<strong>{head}</strong> {words}")}'
        f"{body}</div>",
        f"Claim {claim.number}: {claim.says}\n{sign} {claim.verdict}. {words}\n{text}",
    )


def verdicts_on_page(numbers: Sequence[int], claims: Sequence[Claim] | None = None) -> OnPage:
    """The answer key to several claims, folded: whoever only reads opens it, and needs no kernel.

    Raises OptionError for a claim that does not exist.
    """
    claims = load_claims() if claims is None else claims
    chosen = [find_claim(number, claims) for number in numbers]
    title = f"Only reading? Open the verdicts on these {len(chosen)} claims, with their sources."
    blocks, texts = [], [title]
    for claim in chosen:
        body, text = _reasons(claim)
        says = f"<strong>{claim.number}. {claim.verdict}</strong> · {html.escape(claim.says)}"
        blocks.append(f'<div style="{_BAR.format(colour="#767676")}">{_div(says)}{body}</div>')
        texts.append(f"{claim.number}. {claim.verdict} · {claim.says}\n{text}")
    return OnPage(
        f"<details><summary><strong>{title}</strong></summary>{''.join(blocks)}</details>",
        "\n\n".join(texts),
    )


def verdict_table(claims: Sequence[Claim] | None = None) -> OnPage:
    """Every claim with its verdict, and how many there are of each verdict."""
    claims = load_claims() if claims is None else claims
    counts = Counter(claim.verdict for claim in claims)
    total = f"Of {len(claims)} claims: " + ", ".join(f"{v} {counts[v]}" for v in VERDICTS) + "."
    heads = "".join(
        f'<th scope="col" style="text-align: left">{name}</th>'
        for name in ("", "The article says", "Verdict")
    )
    rows = "".join(
        f"<tr><td>{claim.number}</td>{table_cell(claim.says)}{table_cell(claim.verdict)}</tr>"
        for claim in claims
    )
    lines = [f"{claim.number:>2}. {claim.verdict}: {claim.says}" for claim in claims]
    return OnPage(
        f"<table><tr>{heads}</tr>{rows}</table><p><strong>{total}</strong></p>",
        "\n".join([*lines, total]),
    )


def quotation(claim: Claim) -> str:
    """The article's own words on a claim, and where they were read; empty where we have none."""
    if not claim.quote:
        return ""
    where = "The article" if claim.compared else "The article, from our notes"
    return f"{where}: “{claim.quote}”"


def find_claim(number: int, claims: Sequence[Claim]) -> Claim:
    """The claim of this number. Raises OptionError, with the numbers there are, for another."""
    for claim in claims:
        if claim.number == number:
            return claim
    known = ", ".join(str(claim.number) for claim in claims)
    raise OptionError(f"There is no claim {number!r}.", f"Choose from {known}.")


def checked_vote(votes: Mapping[int, str | None], claim: Claim) -> str | None:
    """The vote on a claim; OptionError if it is not a verdict."""
    score_card([claim], {claim.number: votes.get(claim.number)})
    return votes.get(claim.number)


def table_cell(text: object) -> str:
    """A cell of a table: verdicts stay on one line; statements and results may wrap."""
    wrap = "normal" if len(str(text)) > 20 else "nowrap"
    style = f"text-align: left; white-space: {wrap}; padding-right: 1em"
    return f'<td style="{style}">{html.escape(str(text))}</td>'


def _reasons(claim: Claim) -> tuple[str, str]:
    """What stands behind a verdict, as HTML and as plain text."""
    quoted, computed = quotation(claim), claim.compute() or {}
    parts, lines = [], []
    if quoted:
        parts.append(f"<em>{html.escape(quoted)}</em>")
        lines.append(quoted)
    parts.append(html.escape(claim.explanation))
    lines.append(claim.explanation)
    if computed:
        rows = "".join(
            f'<tr><th scope="row" style="text-align: left">{html.escape(label)}</th>'
            f"{table_cell(value)}</tr>"
            for label, value in computed.items()
        )
        parts.append(f"Computed here:<table>{rows}</table>")
        lines += [f"  {label}: {value}" for label, value in computed.items()]
    if claim.uncertain:
        parts.append(f"<em>What remains uncertain:</em> {html.escape(claim.uncertain)}")
        lines.append(f"What remains uncertain: {claim.uncertain}")
    links = "; ".join(
        f'<a href="{html.escape(source.url, quote=True)}" target="_blank" rel="noopener" '
        f'style="text-decoration: underline">{html.escape(source.title)}</a>'
        for source in claim.sources
    )
    parts.append(f"Sources: {links}")
    lines += [f"Source: {source.title}, {source.url}" for source in claim.sources]
    return "".join(map(_div, parts)), "\n".join(lines)


def _div(content: str) -> str:
    return f'<div style="margin: 0.3em 0">{content}</div>'
