"""Every claim has a source, a verdict, and says only what the computations bear out."""

import pytest

from course_utils.errors import OptionError
from course_utils.evaluation import claims
from course_utils.evaluation.published import SourceError

GOOD = """
[[claim]]
number = 1
entry = "1"
says = "a"
verdict = "holds"
explanation = "b"
sources = [{ title = "t", url = "https://example.org" }]
"""


@pytest.fixture(scope="module")
def all_claims():
    return claims.load_claims()


ENTRIES = sorted([*map(str, range(1, 27)), "12b"])
"""What the article says that can be checked: 27 sentences, in its order."""


def test_every_sentence_of_the_article_is_answered_in_its_order(all_claims):
    assert [claim.number for claim in all_claims] == list(range(1, len(all_claims) + 1))
    assert sorted({claim.entry for claim in all_claims}) == ENTRIES
    places = [int(claim.entry.rstrip("b")) for claim in all_claims]
    assert places == sorted(places)


def test_every_kind_of_verdict_occurs_and_what_is_open_is_said(all_claims):
    assert {claim.verdict for claim in all_claims} == set(claims.VERDICTS)
    assert sum(bool(claim.uncertain) for claim in all_claims) >= 10


def test_what_was_not_found_names_where_it_was_looked_for(all_claims):
    for claim in all_claims:
        for text in (claim.explanation, claim.uncertain):
            for absolute in ("nobody", "no one", "not published", "unpublished", "No source"):
                assert absolute.lower() not in text.lower(), (claim.number, absolute)
            for words in ("we found n", "we looked"):
                if words in text.lower():
                    assert any(
                        place in text
                        for place in ("announcement", "card", "repository", "list", "paper")
                    ), claim.number


def test_a_sound_claim_loads(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(GOOD)
    assert claims.load_claims(path)[0].sources[0].url == "https://example.org"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('sources = [{ title = "t", url = "https://example.org" }]', ""),
        ("https://example.org", "someone told me"),
        ('title = "t"', 'title = ""'),
        ('verdict = "holds"', 'verdict = "maybe"'),
        ('explanation = "b"', ""),
        ('entry = "1"', ""),
        ('says = "a"', 'says = "a"\nquote = "' + "word " * 21 + '"'),
        ("[[claim]]", "[[claim"),
        ("number = 1", 'number = 1\ncomputation = "guess"'),
    ],
)
def test_a_claim_that_cannot_be_checked_is_refused(tmp_path, old, new):
    path = tmp_path / "c.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(SourceError):
        claims.load_claims(path)


def test_two_claims_with_one_number_are_refused(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(GOOD + GOOD)
    with pytest.raises(SourceError):
        claims.load_claims(path)


def test_every_computation_runs_and_is_used(all_claims):
    used = {claim.computation for claim in all_claims} - {None}
    assert used == set(claims.COMPUTATIONS)
    for claim in all_claims:
        rows = claim.compute()
        assert (rows is None) == (claim.computation is None)
        assert rows is None or all(isinstance(value, str) for value in rows.values())


def test_the_article_is_ten_times_off_on_the_parameters():
    assert claims.r1_parameters()["ratio"] == "10.0"


def test_no_lead_in_mathematics_or_coding_is_settled_by_the_totals_alone(all_claims):
    rows = claims.maths_and_coding()
    against = {key: value for key, value in rows.items() if "against" in key}
    assert len(against) == 8
    assert all(value.endswith("cannot tell") for value in against.values()), against
    (claim,) = [claim for claim in all_claims if claim.computation == "maths_and_coding"]
    assert "none of these eight leads is settled" in claim.explanation


def test_most_claims_have_the_articles_own_words_beside_them_and_few_of_them(all_claims):
    quoted = [claim for claim in all_claims if claim.quote]
    assert len(quoted) >= 25 and all(claim.compared for claim in all_claims[:14])
    assert all(claim.quote for claim in all_claims if claim.compared)


def test_memory_differs_twentyfold_and_work_only_deep_in_a_text(all_claims):
    rows = claims.memory_and_work()
    assert 20 < float(rows["memory, DeepSeek-R1 to QwQ-32B"].split()[0]) < 21
    start, later = (float(v.split()[0]) for place, v in rows.items() if place.startswith("work,"))
    assert 1.0 < start < 1.3 and later > 2.5
    for claim in all_claims:
        if claim.computation == "memory_and_work":
            assert "at the start of a text" in claim.explanation
            assert "after 8,192 tokens" in claim.explanation.lower()


def test_the_scores_the_article_gives_to_livecodebench_are_livebenchs():
    rows = claims.which_benchmark()
    assert "73.1" in rows["LiveBench"] and "71.6" in rows["LiveBench"]
    assert "73.1" not in rows["LiveCodeBench"]


def test_the_score_card_counts_votes_against_the_key(all_claims):
    card = claims.score_card(all_claims, {6: "wrong", 4: "wrong", 3: None})
    assert (card.right, card.wrong) == ((6,), (4,))
    assert len(card.unanswered) == len(all_claims) - 2
    assert str(card) == "1 of 2 votes agree with the answer key, 32 not voted on yet."
    assert str(claims.score_card(all_claims, {})) == "No votes yet: 34 claims wait for yours."
    with pytest.raises(OptionError):
        claims.score_card(all_claims, {1: "perhaps"})
