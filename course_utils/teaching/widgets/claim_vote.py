"""Does this claim hold? A vote for each claim first, then verdict, reason, source, computation."""

from __future__ import annotations

import html
from collections.abc import MutableMapping, Sequence

import ipywidgets

from course_utils.errors import OptionError
from course_utils.evaluation.claims import VERDICTS, Claim, load_claims, score_card
from course_utils.teaching.page import OnPage
from course_utils.teaching.widgets.panel import ErrorLine, Panel

Votes = MutableMapping[int, str | None]

_BAR = "border-left: 5px solid {colour}; padding: 0.2em 0.8em; margin: 0.2em 0"
_LOOK = {
    # how the vote stands against the key: (sign, words, colour of the bar)
    True: ("✓", "You voted the same.", "#009E73"),
    False: ("✗", "You voted otherwise.", "#D55E00"),
    None: ("○", "You have not voted.", "#767676"),
}


def claim_vote(
    numbers: Sequence[int], votes: Votes, claims: Sequence[Claim] | None = None
) -> ClaimVote:
    """Vote on some of the article's claims and see the answer key; end a cell with it.

    numbers: the claims to vote on, in this order.  votes: a dictionary from a claim's number to
    a verdict, which the widget fills; votes that are in it already are shown.  claims: by default
    those of ``claims.toml``.  A vote can be changed until its verdict is shown.

    In code the same is ``votes[1] = "wrong"`` and then ``claim_on_page(1, votes)``.
    Raises OptionError for a claim that does not exist and a vote that is not a verdict.
    """
    claims = load_claims() if claims is None else claims
    return ClaimVote([_claim(number, claims) for number in numbers], votes)


def claim_on_page(
    number: int, votes: Votes | None = None, claims: Sequence[Claim] | None = None
) -> OnPage:
    """The answer key to one claim: what ``claim_vote`` shows once you have voted.

    Raises OptionError for a claim that does not exist and a vote that is not a verdict.
    """
    claim = _claim(number, load_claims() if claims is None else claims)
    return _answer_key(claim, (votes or {}).get(number))


def claim_score_card(votes: Votes, claims: Sequence[Claim] | None = None) -> ClaimScoreCard:
    """Your votes beside the answer key, with a button that counts them afresh.

    Claims without a vote are counted, and their verdicts stay hidden.
    In code the same is ``print(score_card(load_claims(), votes))``.
    """
    return ClaimScoreCard(votes, load_claims() if claims is None else claims)


class Ballot(ipywidgets.VBox):
    """One claim of a ``ClaimVote``: a vote, a button, and the answer key once it is asked for."""

    def __init__(self, claim: Claim, votes: Votes):
        self.claim = claim
        self.votes = votes
        statement = ipywidgets.HTML(
            f"<strong>Claim {claim.number}.</strong> {html.escape(claim.says)}"
        )
        self.choice = ipywidgets.RadioButtons(
            options=VERDICTS,
            value=_checked(votes, claim),
            description="Your vote:",
            orientation="horizontal",
            layout=ipywidgets.Layout(width="auto"),
        )
        self.button = ipywidgets.Button(
            description=f"Verdict on claim {claim.number}",
            tooltip="Shows the verdict; your vote is then final",
            disabled=self.choice.value is None,
            layout=ipywidgets.Layout(width="auto"),
        )
        self.key = ipywidgets.HTML()
        self.error = ErrorLine()
        self.choice.observe(self.error.guard(self._record), names="value")
        self.button.on_click(self.error.guard(lambda _: self.show_verdict()))
        super().__init__(
            [statement, self.choice, self.button, self.error, self.key],
            layout=ipywidgets.Layout(margin="0 0 1em 0", align_items="flex-start"),
        )

    def show_verdict(self) -> None:
        """Show the answer key and close the vote. Raises OptionError before there is a vote."""
        if self.choice.value is None:
            raise OptionError(
                f"You have not voted on claim {self.claim.number}.", "Vote first, then look."
            )
        page = _answer_key(self.claim, self.choice.value)
        # A screen reader speaks what appears in an element of this role.
        self.key.value = f'<div role="status">{page.html}</div>'
        self.choice.disabled = self.button.disabled = True

    def _record(self, change) -> None:
        self.votes[self.claim.number] = change["new"]
        self.button.disabled = False


class ClaimVote(Panel):
    """The widget behind ``claim_vote``. ``ballots`` are its claims; ``votes`` is what it fills."""

    def __init__(self, claims: Sequence[Claim], votes: Votes):
        self.votes = votes
        self.ballots = [Ballot(claim, votes) for claim in claims]
        lines = [f"{claim.number:>3}. {claim.says}" for claim in claims]
        first = claims[0].number
        super().__init__(
            ipywidgets.VBox(self.ballots),
            f"Vote on each claim: {', '.join(VERDICTS)}.\n"
            + "\n".join(lines)
            + f'\nIn code: votes[{first}] = "holds", then claim_on_page({first}, votes)',
        )


class ClaimScoreCard(Panel):
    """The widget behind ``claim_score_card``. ``count()`` counts the votes as they are now."""

    def __init__(self, votes: Votes, claims: Sequence[Claim]):
        self.votes = votes
        self.claims = claims
        self.button = ipywidgets.Button(
            description="Count my votes",
            icon="refresh",
            button_style="primary",
            tooltip="Compares your votes so far with the answer key",
        )
        self.table = ipywidgets.HTML()
        self.error = ErrorLine()
        self.button.on_click(self.error.guard(lambda _: self.count()))
        self.count()
        super().__init__(
            ipywidgets.VBox([self.button, self.error, self.table]),
            "Score card (a button and a table of your votes beside the answer key).\n"
            "In code: print(score_card(load_claims(), votes))",
        )

    def count(self) -> None:
        """Compare the votes with the answer key and show the table."""
        card = score_card(self.claims, self.votes)
        right = set(card.right)
        rows = [
            (claim, self.votes[claim.number])
            for claim in self.claims
            if self.votes.get(claim.number) is not None
        ]
        body = "".join(
            f"<tr><td>{claim.number}</td>{_cell(claim.says)}{_cell(vote)}{_cell(claim.verdict)}"
            f"{_cell('✓ same' if claim.number in right else '✗ differs')}</tr>"
            for claim, vote in rows
        )
        heads = "".join(
            f'<th scope="col" style="text-align: left">{name}</th>'
            for name in ("Claim", "It says", "Your vote", "Answer key", "")
        )
        table = f"<table><tr>{heads}</tr>{body}</table>" if rows else ""
        self.table.value = (
            f'<div role="status"><strong>{html.escape(str(card))}</strong>{table}</div>'
        )


def _claim(number: int, claims: Sequence[Claim]) -> Claim:
    for claim in claims:
        if claim.number == number:
            return claim
    known = ", ".join(str(claim.number) for claim in claims)
    raise OptionError(f"There is no claim {number!r}.", f"Choose from {known}.")


def _checked(votes: Votes, claim: Claim) -> str | None:
    """The vote on a claim, refused if it is not a verdict."""
    score_card([claim], {claim.number: votes.get(claim.number)})
    return votes.get(claim.number)


def _answer_key(claim: Claim, vote: str | None) -> OnPage:
    _checked({claim.number: vote}, claim)
    sign, words, colour = _LOOK[None if vote is None else vote == claim.verdict]
    computed = claim.compute() or {}
    sources = "; ".join(
        f'<a href="{html.escape(source.url, quote=True)}" target="_blank" rel="noopener" '
        f'style="text-decoration: underline">'
        f"{html.escape(source.title)}</a>"
        for source in claim.sources
    )
    parts = [
        f"<strong>{sign} The answer key says: {claim.verdict}.</strong> {words}",
        html.escape(claim.explanation),
    ]
    if computed:
        rows = "".join(
            f'<tr><th scope="row" style="text-align: left">{html.escape(label)}</th>'
            f"{_cell(value)}</tr>"
            for label, value in computed.items()
        )
        parts.append(f"Computed here:<table>{rows}</table>")
    if claim.uncertain:
        parts.append(f"<em>What remains uncertain:</em> {html.escape(claim.uncertain)}")
    parts.append(f"Sources: {sources}")
    body = "".join(f'<div style="margin: 0.3em 0">{part}</div>' for part in parts)
    text = [f"Claim {claim.number}: {claim.says}", f"{sign} {claim.verdict}. {words}"]
    text += [claim.explanation, *(f"  {label}: {value}" for label, value in computed.items())]
    text += [f"What remains uncertain: {claim.uncertain}"] if claim.uncertain else []
    text += [f"Source: {source.title}, {source.url}" for source in claim.sources]
    return OnPage(
        f'<div style="{_BAR.format(colour=colour)}">{body}</div>',
        "\n".join(text),
    )


def _cell(text: object) -> str:
    # Verdicts stay on one line; statements and results may wrap.
    wrap = "normal" if len(str(text)) > 20 else "nowrap"
    style = f"text-align: left; white-space: {wrap}; padding-right: 1em"
    return f'<td style="{style}">{html.escape(str(text))}</td>'
