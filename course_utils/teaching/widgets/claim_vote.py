"""Does this claim hold? A vote for each claim first, then verdict, reason, source, computation."""

from __future__ import annotations

import html
from collections.abc import MutableMapping, Sequence

import ipywidgets

from course_utils.errors import OptionError
from course_utils.evaluation.claims import VERDICTS, Claim, load_claims, score_card
from course_utils.teaching.answer_key import (
    checked_vote,
    claim_on_page,
    find_claim,
    quotation,
    table_cell,
)
from course_utils.teaching.widgets.panel import ErrorLine, Panel

Votes = MutableMapping[int, str | None]


def claim_vote(
    numbers: Sequence[int], votes: Votes, claims: Sequence[Claim] | None = None
) -> ClaimVote:
    """Vote on some of the article's claims and see the answer key; end a cell with it.

    numbers: the claims to vote on, in this order.  votes: a dictionary from a claim's number to
    a verdict, which the widget fills; votes that are in it already are shown (``kept_votes`` gives
    one that survives a restart).  claims: by default those of ``claims.toml``.  A vote can be
    changed until its verdict is shown.

    In code the same is ``votes[1] = "wrong"`` and then ``claim_on_page(1, votes)``.
    Raises OptionError for a claim that does not exist and a vote that is not a verdict.
    """
    claims = load_claims() if claims is None else claims
    return ClaimVote([find_claim(number, claims) for number in numbers], votes)


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
        quoted = quotation(claim)
        statement = ipywidgets.HTML(
            f"<strong>Claim {claim.number}.</strong> {html.escape(claim.says)}"
            + (f"<br><small>{html.escape(quoted)}</small>" if quoted else "")
        )
        self.choice = ipywidgets.RadioButtons(
            options=VERDICTS,
            value=checked_vote(votes, claim),
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
        votes = {self.claim.number: self.choice.value}
        page = claim_on_page(self.claim.number, votes, [self.claim])
        # A screen reader speaks what appears in an element of this role.
        self.key.value = f'<div role="status">{page.html}</div>'
        self.choice.disabled = self.button.disabled = True

    def _record(self, change) -> None:
        self.button.disabled = False
        self.votes[self.claim.number] = change["new"]


class ClaimVote(Panel):
    """The widget behind ``claim_vote``. ``ballots`` are its claims; ``votes`` is what it fills."""

    def __init__(self, claims: Sequence[Claim], votes: Votes):
        self.votes = votes
        self.ballots = [Ballot(claim, votes) for claim in claims]
        lines = []
        for claim in claims:
            lines.append(f"{claim.number:>3}. {claim.says}")
            lines += [f"     {quotation(claim)}"] if claim.quote else []
        first = claims[0].number
        super().__init__(
            ipywidgets.VBox(self.ballots),
            f"Vote on each claim: {', '.join(VERDICTS)}.\n"
            + "\n".join(lines)
            + f"\nIn code: votes[{first}] = one of the four words, then "
            f"claim_on_page({first}, votes) of course_utils.teaching",
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
            (
                claim,
                claim.says,
                self.votes[claim.number],
                claim.verdict,
                "✓ same" if claim.number in right else "✗ differs",
            )
            for claim in self.claims
            if self.votes.get(claim.number) is not None
        ]
        body = "".join(
            f"<tr><td>{claim.number}</td>{''.join(map(table_cell, cells))}</tr>"
            for claim, *cells in rows
        )
        heads = "".join(
            f'<th scope="col" style="text-align: left">{name}</th>'
            for name in ("Claim", "It says", "Your vote", "Answer key", "")
        )
        table = f"<table><tr>{heads}</tr>{body}</table>" if rows else ""
        self.table.value = (
            f'<div role="status"><strong>{html.escape(str(card))}</strong>{table}</div>'
        )
