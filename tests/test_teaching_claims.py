"""Does the vote come before the verdict, and does each verdict arrive with reason and source?"""

import html

import ipywidgets
import pytest

import course_utils.teaching as teaching
from course_utils.errors import MachineError, OptionError
from course_utils.evaluation.claims import VERDICTS, load_claims, score_card
from course_utils.paths import repository_root

CLAIMS = load_claims()


def _ballot(number, votes):
    return teaching.claim_vote([number], votes).ballots[0]


def _all(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _all(child)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"claim_{claim.number}")
def test_a_vote_brings_verdict_reason_computation_doubt_and_every_source(claim):
    ballot = _ballot(claim.number, {})
    ballot.choice.value = VERDICTS[0]
    ballot.button.click()
    page = html.unescape(ballot.key.value)
    assert f"The answer key says: {claim.verdict}." in page
    assert claim.explanation in page and claim.uncertain in page
    for source in claim.sources:
        assert f'href="{source.url}"' in page and source.title in page
    for label, value in (claim.compute() or {}).items():
        assert label in page and value in page
    assert ballot.error.value == ""


def test_no_verdict_is_seen_before_the_vote():
    panel = teaching.claim_vote([c.number for c in CLAIMS], {})
    for ballot in panel.ballots:
        assert ballot.button.disabled and ballot.choice.value is None and ballot.key.value == ""
        assert ballot.claim.explanation not in repr(panel)
        ballot.button.click()
        assert ballot.key.value == "" and "Vote first" in ballot.error.value


def test_a_vote_can_be_changed_until_its_verdict_is_shown():
    votes = {}
    ballot = _ballot(6, votes)
    ballot.choice.value = "holds"
    ballot.choice.value = "wrong"
    assert votes == {6: "wrong"} and not ballot.button.disabled and not ballot.choice.disabled
    ballot.button.click()
    assert ballot.choice.disabled and "You voted the same" in ballot.key.value
    assert 'role="status"' in ballot.key.value


def test_a_vote_that_differs_is_said_in_words_not_in_colour_alone():
    ballot = _ballot(6, {6: "holds"})
    ballot.button.click()
    assert "✗" in ballot.key.value and "You voted otherwise" in ballot.key.value


def test_votes_made_in_code_or_in_an_earlier_run_are_shown():
    votes = {2: "holds", 1: "misleading"}
    panel = teaching.claim_vote([1, 2, 3], votes)
    assert [b.choice.value for b in panel.ballots] == ["misleading", "holds", None]


def test_votes_are_there_again_after_a_restart_until_they_are_cleared(tmp_path):
    path = tmp_path / "votes.json"
    votes = teaching.kept_votes(path)
    assert not votes and not path.exists()
    _ballot(6, votes).choice.value = "wrong"
    votes[4] = "misleading"  # in code
    again = teaching.kept_votes(str(path))
    assert dict(again) == {6: "wrong", 4: "misleading"}
    assert _ballot(6, again).choice.value == "wrong" and not _ballot(6, again).button.disabled
    assert "1 of 2 votes agree" in teaching.claim_score_card(again).table.value
    again.clear()
    assert not teaching.kept_votes(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"kind": "course conversation", "format": 1, "messages": []}',
        '{"kind": "course votes"}',
        '{"kind": "course votes", "votes": ["wrong"]}',
        '{"kind": "course votes", "votes": {"6": "true"}}',
        '{"kind": "course votes", "votes": {"6": ["wrong"]}}',
        '{"kind": "course votes", "votes": {"six": "wrong"}}',
        '{"kind": "course votes", "votes": {"' + "9" * 5000 + '": "wrong"}}',
        "[" * 100_000,
    ],
)
def test_a_file_without_votes_is_refused_and_left_as_it_is(tmp_path, text):
    path = tmp_path / "votes.json"
    path.write_text(text)
    with pytest.raises(OptionError, match="Rename or delete it"):
        teaching.kept_votes(path)
    assert path.read_text() == text


def test_a_vote_counts_where_the_disk_takes_none_and_says_so(tmp_path):
    votes = teaching.kept_votes(tmp_path / "no folder" / "votes.json")
    ballot = _ballot(6, votes)
    ballot.choice.value = "wrong"
    assert votes[6] == "wrong" and not ballot.button.disabled
    assert 'role="alert"' in ballot.error.value and "Your vote counts" in ballot.error.value
    with pytest.raises(MachineError):
        votes[4] = "holds"


def test_the_plain_code_gives_what_the_widget_shows():
    votes = {9: "holds"}
    ballot = _ballot(9, votes)
    ballot.button.click()
    page = teaching.claim_on_page(9, votes)
    assert page._repr_html_() in ballot.key.value
    text = repr(page)
    assert CLAIMS[8].explanation in text and CLAIMS[8].sources[0].url in text
    assert "You have not voted." in repr(teaching.claim_on_page(9))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"claim_{claim.number}")
def test_whoever_only_reads_finds_each_verdict_with_its_reason_and_sources(claim):
    page = teaching.verdicts_on_page([claim.number])
    shown = html.unescape(page._repr_html_())
    assert shown.startswith("<details><summary>")  # it folds without a kernel
    for text in (shown, repr(page)):
        assert claim.verdict in text and claim.explanation in text and claim.uncertain in text
        assert claim.quote in text
        assert all(source.url in text for source in claim.sources)


def test_a_quotation_says_whether_it_was_compared_with_the_page():
    by_number = {claim.number: repr(teaching.verdicts_on_page([claim.number])) for claim in CLAIMS}
    assert "The article: “" in by_number[6] and "from our notes" not in by_number[6]
    assert "The article, from our notes: “" in by_number[24]
    assert "The article" not in by_number[19].split("\n", 2)[2]
    assert "“" in _ballot(6, {}).children[0].value


def test_every_verdict_stands_in_one_table_with_their_counts():
    text = repr(teaching.verdict_table())
    page = html.unescape(teaching.verdict_table()._repr_html_())
    for claim in CLAIMS:
        assert f"{claim.number:>2}. {claim.verdict}: {claim.says}" in text and claim.says in page
    for word in VERDICTS:
        count = sum(claim.verdict == word for claim in CLAIMS)
        assert f"{word} {count}" in text and f"{word} {count}" in page


def test_the_last_notebook_says_how_many_claims_got_each_verdict():
    notebook = repository_root() / "notebooks" / "09_weighing_the_claims.ipynb"
    holds, misleading, wrong, open_ = (
        sum(claim.verdict == word for claim in CLAIMS)
        for word in ("holds", "misleading", "wrong", "cannot be known")
    )
    counts = f"{holds} hold, {misleading} mislead, {wrong} are wrong and {open_} cannot be known"
    said = f"Of the {len(CLAIMS)} claims that we drew from it, {counts}."
    assert said in notebook.read_text(encoding="utf-8")


def test_controls_have_descriptions_and_the_text_names_the_code():
    for panel in (teaching.claim_vote([4, 5], {}), teaching.claim_score_card({})):
        for widget in _all(panel.widget):
            if isinstance(widget, ipywidgets.Button | ipywidgets.RadioButtons):
                assert widget.description, widget
        assert "In code: " in repr(panel) and "0x" not in repr(panel)
    assert CLAIMS[3].says in repr(teaching.claim_vote([4, 5], {}))


@pytest.mark.parametrize("number", [0, 35, "1", None])
def test_an_unknown_claim_is_refused_with_the_numbers_there_are(number):
    for call in (lambda: teaching.claim_vote([number], {}), lambda: teaching.claim_on_page(number)):
        with pytest.raises(OptionError, match="34"):
            call()


def test_a_vote_that_is_no_verdict_is_refused_with_the_choices():
    for call in (
        lambda: teaching.claim_vote([1], {1: "true"}),
        lambda: teaching.claim_on_page(1, {1: "true"}),
        lambda: teaching.claim_score_card({1: "true"}),
    ):
        with pytest.raises(OptionError, match="cannot be known"):
            call()


def test_the_score_card_counts_votes_cast_after_it_was_shown():
    votes = {}
    card = teaching.claim_score_card(votes)
    assert "No votes yet" in card.table.value and "<table>" not in card.table.value
    votes |= {6: "wrong", 4: "wrong"}
    card.button.click()
    assert str(score_card(CLAIMS, votes)) in html.unescape(card.table.value)
    assert card.table.value.count("✓ same") == 1 and card.table.value.count("✗ differs") == 1


def test_the_score_card_hides_the_verdicts_of_claims_without_a_vote():
    card = teaching.claim_score_card({1: "wrong", 3: None})
    assert CLAIMS[0].says in html.unescape(card.table.value)
    assert all(claim.says not in html.unescape(card.table.value) for claim in CLAIMS[1:])
    assert f"{len(CLAIMS) - 1} not voted on yet" in card.table.value


def test_a_bad_vote_made_later_is_one_line_on_the_score_card():
    votes = {}
    card = teaching.claim_score_card(votes)
    votes[1] = "true"
    card.button.click()
    assert 'role="alert"' in card.error.value and "Vote one of" in card.error.value
