"""A draft makes a reply faster or slower, and never another one."""

import itertools
import threading
from random import Random

import pytest

from course_utils.engines import GREEDY, PLAIN, QWQ, open_model
from course_utils.engines.local import loading
from course_utils.engines.local.drafting import LookupDraft
from course_utils.errors import (
    CourseError,
    MachineError,
    ModelFileError,
    NotSupportedError,
    OptionError,
)
from course_utils.model_files.gguf_header import read_header
from tests.tiny_models import ENDLESS, mamba_model, markov_model, tiny_model

# Everything here holds for models of both sizes.
pytestmark = pytest.mark.usefixtures("size")

TEXT = "So first we add the tens, then the ones. So first we"
SAMPLINGS = {
    "greedy": GREEDY,
    "as QwQ's card says": QWQ.but(seed=3),
    "the model's own distribution": PLAIN.but(seed=4),
    "with penalties": QWQ.but(seed=5, repetition_penalty=1.3, presence_penalty=0.5),
    "hot": PLAIN.but(seed=6, temperature=2.0, min_p=0.05),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, size):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def path(folder):
    return tiny_model(folder / "target.gguf")


@pytest.fixture(scope="module")
def drafts(folder, path):
    """What may be given as a draft, good ones and bad ones."""
    return {
        "the model itself": path,
        "another model": tiny_model(folder / "other.gguf", seed=1, layers=1),
        "a look at the text": "lookup",
    }


@pytest.fixture(scope="module")
def endless(folder):
    return markov_model(folder / "endless.gguf", ENDLESS).path


def written(path, sampling, **options):
    with open_model(path, kv_type="f32", **options) as model:
        return model.complete(TEXT, sampling.but(max_tokens=60)).finish()


@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
@pytest.mark.parametrize("draft", ["the model itself", "another model", "a look at the text"])
def test_the_reply_is_the_same_with_any_draft_and_any_settings(path, drafts, sampling, draft):
    alone = written(path, sampling)
    drafted = written(path, sampling, draft=drafts[draft], draft_tokens=5)
    for name in ("answer", "answer_tokens", "stop_reason", "prompt_tokens"):
        assert getattr(drafted, name) == getattr(alone, name)
    assert 0 <= drafted.accepted_tokens <= drafted.drafted_tokens


def test_a_sure_draft_that_is_right_saves_steps_and_says_how_many(endless):
    with open_model(endless, draft=endless, draft_tokens=5) as model:
        reply = model.complete("wait wait", GREEDY.but(max_tokens=60)).finish()
    assert reply.tokens == 60
    # Of six tokens in a step five are the draft's.
    assert reply.accepted_tokens == pytest.approx(50, abs=5)
    assert 5 < reply.tokens_per_step <= 6
    with open_model(endless) as model:
        alone = model.complete("wait wait", GREEDY.but(max_tokens=60)).finish()
    assert (alone.drafted_tokens, alone.accepted_tokens, alone.tokens_per_step) == (0, 0, 1)


def test_a_draft_that_is_always_wrong_changes_nothing(folder, endless):
    wrong = markov_model(folder / "wrong.gguf", {" wait": {"4": 1.0}, "4": {"4": 1.0}}).path
    with open_model(endless, draft=wrong) as model:
        reply = model.complete(" wait", GREEDY.but(max_tokens=20)).finish()
    assert reply.answer == " wait" * 20
    assert reply.drafted_tokens > 0 and reply.accepted_tokens == 0


def test_a_draft_that_is_not_sure_proposes_nothing(folder, endless):
    rows = {" wait": {"4": 0.4, "2": 0.3, " wait": 0.3}}
    unsure = markov_model(folder / "unsure.gguf", rows).path
    with open_model(endless, draft=unsure) as model:
        reply = model.complete(" wait", GREEDY.but(max_tokens=20)).finish()
    assert (reply.answer, reply.drafted_tokens) == (" wait" * 20, 0)


def test_drawn_tokens_follow_the_model_and_not_the_draft(folder):
    """Chi-square over 2,000 draws: the draft's favourite is the model's second choice."""
    outcomes = ("4", "2", "7", "3")
    shares = (0.4, 0.3, 0.2, 0.1)
    rows = {"\n": dict(zip(outcomes, shares, strict=True))}
    rows |= {token: {"\n": 1.0} for token in outcomes}
    target = markov_model(folder / "spread.gguf", rows).path
    rows = {"\n": {"2": 0.9, "4": 0.1}} | {token: {"\n": 1.0} for token in outcomes}
    draft = markov_model(folder / "leaning.gguf", rows).path
    counts = dict.fromkeys(outcomes, 0)
    with open_model(target, draft=draft) as model:
        for seed in range(20):
            reply = model.complete("\n", PLAIN.but(seed=seed, max_tokens=200)).finish()
            assert reply.accepted_tokens > 50
            for token in reply.answer.split():
                counts[token] += 1
    drawn = sum(counts.values())
    assert drawn == 2000
    expected = [drawn * share for share in shares]
    deviation = sum(
        (counts[token] - mean) ** 2 / mean for token, mean in zip(outcomes, expected, strict=True)
    )
    assert deviation < 16.3  # three degrees of freedom, 99.9 %


def test_a_thinking_budget_ends_a_drafted_thought_to_the_token(endless):
    with open_model(endless, draft=endless, draft_tokens=7) as model:
        reply = model.chat("6*7?", QWQ.but(seed=0), thinking_budget=20).finish()
    assert (reply.thinking_tokens, reply.thinking_cut, reply.answer) == (20, True, "42")
    assert reply.accepted_tokens > 10


def test_limits_hold_to_the_token(endless):
    for count in (1, 2, 9):
        with open_model(endless, draft=endless, draft_tokens=5) as model:
            reply = model.complete(" wait", GREEDY.but(max_tokens=count)).finish()
            assert (reply.tokens, reply.stop_reason) == (count, "length")
    with open_model(endless, draft=endless, draft_tokens=5, context=256) as small:
        reply = small.complete(" wait", GREEDY).finish()
        assert reply.stop_reason == "context"
        assert reply.prompt_tokens + reply.tokens == 257


@pytest.mark.parametrize(("batch", "draft_tokens"), [(1, 5), (2, 5), (3, 5), (64, 1), (64, 20)])
def test_a_step_never_exceeds_the_batch_and_any_number_may_be_drafted(path, batch, draft_tokens):
    alone = written(path, GREEDY, batch=batch)
    drafted = written(path, GREEDY, batch=batch, draft=path, draft_tokens=draft_tokens)
    assert drafted.answer == alone.answer


def test_two_replies_read_in_turn_do_not_disturb_each_other(path, drafts):
    a, b = PLAIN.but(seed=1, max_tokens=20), GREEDY.but(max_tokens=20)
    with open_model(path, draft=drafts["the model itself"]) as model:
        alone = [model.complete(text, s).finish().answer for text, s in (("So", a), ("Hmm", b))]
        streams = [model.complete("So", a), model.complete("Hmm", b)]
        for _ in itertools.zip_longest(*streams):
            pass
        assert [stream.reply.answer for stream in streams] == alone


def test_a_reply_given_up_in_the_middle_leaves_no_trace_in_the_next(path):
    with open_model(path, draft=path, draft_tokens=6) as model:
        wanted = model.next_tokens(TEXT, 5)
        scored = model.score(TEXT)
        for taken in range(1, 8):
            stream = model.complete(TEXT, PLAIN.but(seed=taken, max_tokens=40))
            list(itertools.islice(stream, taken))
            stream.close()
            again = model.next_tokens(TEXT, 5)
            assert [t.token for t in again] == [t.token for t in wanted]
            for mine, first in zip(again, wanted, strict=True):
                assert mine.logit == pytest.approx(first.logit, abs=1e-3)
        assert [t.token for t in model.score(TEXT)] == [t.token for t in scored]


def test_a_saved_conversation_goes_on_with_a_draft_or_without(path, tmp_path):
    long = GREEDY.but(max_tokens=30)
    with open_model(path, draft=path) as model:
        first = model.complete(TEXT, long).finish()
        saved = model.save_cache(tmp_path / "talk.cache")
    for draft in (None, path, "lookup"):
        with open_model(path, draft=draft) as model:
            assert model.load_cache(tmp_path / "talk.cache") == saved
            again = model.complete(TEXT, long).finish()
            assert again.answer == first.answer
            assert again.cached_tokens == again.prompt_tokens - 1


def test_a_stop_button_ends_a_drafted_reply(endless):
    with open_model(endless, draft=endless) as model:
        stream = model.chat("6*7?", PLAIN.but(seed=0))
        threading.Timer(0.2, stream.stop).start()
        assert stream.finish().stop_reason == "interrupted"
        assert model.chat("6*7?", GREEDY, thinking_budget=3).finish().answer == "42"


def test_closing_frees_the_draft_too_and_a_stream_that_outlives_it_ends_clearly(path):
    model = open_model(path, draft=path)
    draft = model._draft._opened.model.handle
    stream = model.complete(TEXT, PLAIN.but(seed=0, max_tokens=50))
    next(stream)
    model.close()
    assert draft.freed
    with pytest.raises(CourseError, match="has been closed"):
        stream.finish()


def test_the_settings_say_what_drafts(path):
    with open_model(path, draft="lookup") as model:
        assert model.info.settings["draft"] == "lookup"
    with open_model(path, draft=str(path)) as model:
        assert model.info.settings["draft"] == path.name
    with open_model(path) as model:
        assert model.info.settings["draft"] is None


# ---- what cannot draft -----------------------------------------------------------------------


def test_a_draft_of_another_vocabulary_is_refused_and_frees_both(path):
    with pytest.raises(OptionError, match="cannot draft for this model") as refused:
        open_model(path, draft="nano-thinker")
    assert 'draft="lookup"' in refused.value.remedy


def test_a_model_that_cannot_take_back_a_token_gets_no_draft(folder):
    mamba = mamba_model(folder / "mamba.gguf")
    with pytest.raises(NotSupportedError, match="cannot take back"):
        open_model(mamba, draft="lookup")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"draft": 3}, "not a path"),
        ({"draft": b"\xff\xfe.gguf"}, "not a path"),
        ({"draft": True}, "not a path"),
        ({"draft": "http://localhost:8080/v1"}, "server's address"),
        ({"draft": "qwq-33b"}, "no model called"),
        ({"draft": "lookup", "draft_tokens": 0}, "draft_tokens=0"),
        ({"draft": "lookup", "draft_tokens": 65}, "draft_tokens=65"),
        ({"draft": "lookup", "draft_tokens": 2.5}, "draft_tokens=2.5"),
        ({"draft": "lookup", "draft_tokens": None}, "draft_tokens=None"),
    ],
)
def test_a_draft_that_is_none_is_refused_with_a_remedy(path, wrong, words):
    with pytest.raises(OptionError, match=words) as refused:
        open_model(path, **wrong)
    assert refused.value.remedy


def test_a_draft_that_is_not_there_is_named(path, tmp_path):
    with pytest.raises(ModelFileError, match=r"missing\.gguf"):
        open_model(path, draft=tmp_path / "missing.gguf")


def test_a_damaged_draft_is_refused_and_the_model_opens_without_it(path, tmp_path):
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelFileError, match="not complete"):
        open_model(path, draft=damaged)
    with open_model(path) as model:
        assert model.complete(TEXT, GREEDY.but(max_tokens=3)).finish().tokens == 3


# ---- looking words up ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "most", "proposed"),
    [
        ([1, 2, 3, 4, 1, 2], 2, [3, 4]),
        ([1, 2, 3, 4, 1, 2], 9, [3, 4, 1, 2]),
        ([1, 2, 3, 1, 2, 4, 1, 2], 1, [4]),  # the last time counts
        ([5, 1, 2, 3, 6, 1, 2, 4, 5, 1, 2], 1, [3]),  # the longer match counts
        ([7, 7, 7, 7], 3, [7]),
        ([1, 2, 3, 4], 3, []),
        ([1], 3, []),
        ([], 3, []),
        ([1, 2, 3, 1, 2], 0, []),
    ],
)
def test_looking_up_proposes_what_followed_the_same_tokens(text, most, proposed):
    assert LookupDraft().propose(text, most) == proposed


def test_looking_up_proposes_only_what_stands_in_the_text():
    draw = Random(0)
    for _ in range(300):
        text = draw.choices(range(4), k=draw.randrange(40))
        found = LookupDraft().propose(text, 5)
        joined = ",".join(map(str, text))
        assert len(found) <= 5 and ",".join(map(str, found)) in joined


def test_engines_with_different_drafts_are_not_shared(path):
    with (
        open_model(path, draft="lookup") as one,
        open_model(path, draft="lookup", draft_tokens=5) as other,
        open_model(path, draft="lookup") as same,
    ):
        assert one._model is same._model is not other._model


def test_memory_that_the_model_takes_is_not_there_for_its_draft(path, monkeypatch):
    """The system counts a mapped file's memory as free, which both need all the time."""
    monkeypatch.setattr(loading, "LITTLE_BYTES", 0)
    settings = {"kv_type": "f32", "context": 2048, "batch": 64, "flash_attention": True}
    need = loading.plan_loading(read_header(path), name="it", force=True, **settings).need
    free = need.total + need.weights // 2
    monkeypatch.setattr(loading, "available_memory_bytes", lambda: free)
    open_model(path, **settings).close()
    with pytest.raises(MachineError, match=rf"{path.name} needs"):
        open_model(path, **settings, draft=path)
    open_model(path, **settings, draft=path, force=True).close()
