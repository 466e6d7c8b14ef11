"""An agent's run can be walked through, and given another result; figures say what they show."""

import json

import pytest

import course_utils.teaching as teaching
from course_utils.agents import guessing, loop
from course_utils.agents.trace import Trace
from course_utils.agents.watching import watch
from course_utils.engines.sampling import GREEDY
from course_utils.errors import OptionError
from tests.scripted_engine import ScriptedEngine


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


def call(**arguments):
    made = json.dumps({"name": "add", "arguments": arguments})
    return f"<tool_call>{made}</tool_call>"


class Echo(ScriptedEngine):
    """Calls once, and then says what the results were."""

    def chat(self, messages, sampling=None, **options):
        results = [m["content"] for m in messages if m["role"] == "tool"]
        self.replies = [f"So {' and '.join(results)}." if results else self.script]
        return super().chat(messages, sampling, **options)


def a_run(script=None):
    engine = Echo([])
    engine.script = script or f"<think>I add.</think>{call(a=2, b=3)}"

    def go_on(messages):
        return loop.run(engine, messages, [add], sampling=GREEDY)

    return go_on("2+3?"), go_on


def test_a_run_is_walked_through_forwards_and_back():
    viewer = teaching.trace_viewer(a_run()[0])
    assert "I add." in viewer.lanes.value and "So 5." not in viewer.lanes.value
    assert viewer.back.disabled and not viewer.forward.disabled
    for _ in range(5):
        viewer.forward.click()
    assert viewer.at == 3 and "So 5." in viewer.lanes.value and viewer.forward.disabled
    viewer.back.click()
    assert viewer.at == 2 and "So 5." not in viewer.lanes.value
    viewer.slider.value = 1  # arrow keys move the slider
    assert viewer.at == 0
    assert viewer.error.value == "" and "In code: print(trace)" in repr(viewer)


def test_an_edited_result_changes_what_follows_and_can_be_taken_back():
    trace, go_on = a_run()
    viewer = teaching.trace_viewer(trace, go_on)
    viewer.slider.value = 3
    assert viewer.editor.layout.display == "" and viewer.edit.value == "5"
    viewer.edit.value = "99"
    viewer.run_button.click()
    assert "So 99." in viewer.lanes.value and "edited by you" in viewer.lanes.value
    assert [event.turn for event in viewer.events] == [1, 1, 1, 2]
    viewer.slider.value = 3
    viewer.change_result("7")  # an edited run can be edited again
    assert "So 7." in viewer.lanes.value
    viewer.restore_button.click()
    assert viewer.trace is trace and trace.answer == "So 5."


def test_of_two_results_the_other_stays():
    trace, go_on = a_run(call(a=2, b=3) + call(a=4, b=5))
    viewer = teaching.trace_viewer(trace, go_on)
    viewer.slider.value = 2
    viewer.change_result("99")
    assert viewer.trace.answer == "So 99 and 9."


def test_only_results_can_be_edited_and_only_where_something_can_go_on():
    trace, go_on = a_run()
    viewer = teaching.trace_viewer(trace, go_on)
    assert viewer.editor.layout.display == "none"
    with pytest.raises(OptionError, match="cannot be edited"):
        viewer.change_result("7")
    viewer = teaching.trace_viewer(trace)
    viewer.slider.value = 3
    assert viewer.editor.layout.display == "none"
    with pytest.raises(OptionError, match="cannot go on"):
        viewer.change_result("7")
    with pytest.raises(OptionError, match="nothing has happened"):
        teaching.trace_viewer(Trace([]))


def test_what_models_and_tools_write_is_text_and_no_markup():
    trace, _ = a_run("<b>hm</b>\u202e")
    shown = teaching.trace_viewer(trace).lanes.value
    assert "&lt;b&gt;" in shown and "<b>" not in shown and "\u202e" not in shown


def test_an_episode_is_watched_and_its_observations_can_be_changed():
    episode = guessing.Guessing(1, 40, 30)
    trace = watch(ScriptedEngine(["20", "30"]), episode)
    assert trace.stopped == "answered" and trace.outcomes == ["ran", "ran"]
    told = trace.edited(trace.events[1], "lower than 20")
    again = watch(ScriptedEngine(["10", "5", "30"]), guessing.Guessing(1, 40, 30), told)
    assert [m["content"] for m in again.messages[1:4]] == ["20", "lower than 20", "10"]
    assert again.turns == 3 and again.stopped == "answered"
    assert watch(ScriptedEngine(["no"]), guessing.Guessing(1, 40, 30)).stopped == "no answer"


GAMES = {"before": [("20", "higher than 20"), ("7", "higher than 7")], "after": [("30", "right")]}


def test_the_guesses_are_drawn_and_told():
    axes = teaching.guess_chart(GAMES, 1, 40, 30).axes
    assert [axis.get_title(loc="left") for axis in axes] == ["before", "after"]
    assert list(axes[0].lines[0].get_ydata()) == [20, 7]
    told = teaching.describe_guesses(GAMES, 30)
    assert "20, 7 (not found)" in told and "30 (found)" in told
    with pytest.raises(OptionError):
        teaching.guess_chart({}, 1, 40, 30)


def test_policies_are_drawn_with_their_seeds_and_told():
    scores = {
        "asked": teaching.PolicyScore([0.3], [6.2], 100),
        "reinforced": teaching.PolicyScore([0.9, 0.96, 0.93], [5.1, 5.3, 5.2], 500),
        "binary search": teaching.PolicyScore([1.0], [5.0]),
    }
    left, _ = teaching.policy_chart(scores).axes
    assert [label.get_text() for label in left.get_yticklabels()] == list(scores)
    told = teaching.describe_policies(scores)
    assert "reinforced: 93% won (86% to 100%), 5.2 guesses" in told
    assert "asked: 30% won (22% to 40%)" in told and "100% to 100%" in told
    with pytest.raises(OptionError):
        teaching.policy_chart({})


def test_scores_are_taken_from_the_rows_of_a_comparison():
    rows = [
        {"policy": "base", "decoding": "drawn", "success": 0.2, "turns": 6.5, "episodes": 50},
        {"policy": "after", "decoding": "drawn", "success": 0.9, "turns": 5.5, "episodes": 50},
        {"policy": "after", "decoding": "drawn", "success": 0.8, "turns": 5.0, "episodes": 50},
        {"policy": "best", "decoding": "exact", "success": 1.0, "turns": 4.9, "episodes": 9},
    ]
    scores = teaching.policy_scores(rows, {"a": ("after", "drawn"), "b": ("best", "exact")})
    assert list(scores) == ["a", "b"]
    assert scores["a"] == teaching.PolicyScore([0.9, 0.8], [5.5, 5.0], 50)
    assert scores["b"].interval() == (1.0, 1.0)
    with pytest.raises(OptionError, match="base, after, best"):
        teaching.policy_scores(rows, {"a": ("base", "likeliest")})


def test_a_run_is_drawn_as_who_says_what_to_whom():
    trace, _ = a_run()
    told = teaching.describe_exchange(trace)
    steps = ("you to the model: 2+3?", "the model thinks: I add.", "the loop to the tool: runs it")
    assert all(step in told for step in steps) and told.endswith("the model to you: So 5.")
    assert told.index("the tool to the loop: 5") < told.index("the loop to the model: 5")
    (axes,) = teaching.exchange_chart(trace).axes
    assert len(axes.lines) == 4
    arrows = [text.arrow_patch for text in axes.texts if getattr(text, "arrow_patch", None)]
    # Question, call and run are sent, two results come back, and the model sends the answer.
    assert [arrow.get_linestyle() for arrow in arrows] == ["-", "-", "-", "--", "--", "-"]
    # A call that cannot be run never reaches the tool.
    refused = loop.run(
        ScriptedEngine([call(a="two", b=3), "Sorry."]), "Go.", [add], sampling=GREEDY
    )
    assert "the tool to" not in teaching.describe_exchange(refused)
    with pytest.raises(OptionError, match="nothing has happened"):
        teaching.exchange_chart(Trace([]))


TRIES = [
    {"policy": policy, "tries": 4, "found_by_7": found, "narrowed": narrowed}
    for policy, found, narrowed in (
        ("base", 2, 0),
        ("base", 4, 1),
        ("after", 4, 4),
        ("after", 4, 2),
    )
]


def test_many_tries_are_drawn_with_luck_and_without_it():
    names = {"base": "the base", "after": "reinforced"}
    assert teaching.tried_at_k(TRIES, "base", "found_by_7", 1) == 0.75
    assert teaching.tried_at_k(TRIES, "base", "narrowed", 4) == 0.5
    luck, skill = teaching.tries_chart(TRIES, [1, 2, 4], names).axes
    assert [line.get_label() for line in luck.lines] == list(names.values())
    assert list(skill.lines[0].get_ydata()) == [0.125, 0.25, 0.5]
    told = teaching.describe_tries(TRIES, [1, 4], names)
    assert "every guess narrows: the base 12% to 50%, reinforced 75% to 100%" in told
    with pytest.raises(OptionError, match="base, after"):
        teaching.tried_at_k(TRIES, "another", "narrowed", 1)


def test_what_reward_made_is_held_against_players_who_only_listen_or_do_not_even_that():
    tries = [{"episode": 0, "low": 1, "high": 40}, {"episode": 1, "low": 1, "high": 50}]
    rows = [
        {"episode": 0, "open": 40, "base": 0.05, "reinforced": 0.5},
        {"episode": 0, "open": 20, "base": 0.04, "reinforced": 0.6},
        {"episode": 0, "open": 2, "base": 0.5, "reinforced": 0.9},
        {"episode": 1, "open": 50, "base": 0.1, "reinforced": 1.0},
    ]
    found = teaching.foretold_by(rows, tries)
    assert found["blind"][0] == [1 / 40, 1 / 40, 1 / 50]  # the guess with two open is left out
    assert found["listener"][0] == [1 / 40, 1 / 20, 1 / 50]
    whole = (1 / 40 / 20 / 2 + 1 / 50) / 2  # the median of two
    assert found["listener"][1] == pytest.approx(whole)
    assert found["base"] == ([0.05, 0.04, 0.1], pytest.approx((0.05 * 0.04 * 0.5 + 0.1) / 2))


SUMS = [
    {"seed": seed, "step": step, "way": way, "digits": digits, "sums": 10, "right": right}
    | {"copied": 9, "tokens": 30}
    for seed in (1, 2)
    for step, lost in ((100, 4), (300, 0))
    for way, digits, right in (
        ("think", 2, 8 + seed - lost),
        ("think", 5, 0),
        ("both", 2, 10 - lost),
        ("both", 5, 4),
    )
]


def test_the_ways_to_a_sum_are_drawn_by_length_and_told():
    names = {"think": "in writing", "both": "with both"}
    early, late, tokens = teaching.ways_chart(SUMS, names, 4, (100, 300)).axes
    assert list(early.lines[0].get_ydata()) == [pytest.approx(0.55), 0]
    assert list(late.lines[0].get_ydata()) == [pytest.approx(0.95), 0]
    assert late.patches and late.get_title(loc="left") == "right, after 300 steps"
    assert "tokens" in tokens.get_title(loc="left")
    told = teaching.describe_ways(SUMS, names, (100, 300))
    assert "after 300 steps in writing: 95% of 2 digits, 0% of 5 digits" in told
    assert teaching.share_right(SUMS, "think", 2, 300) == {1: 0.9, 2: 1.0}
    assert teaching.share_right(SUMS, "think", 2, 300, "copied") == {1: 0.9, 2: 0.9}
    with pytest.raises(OptionError, match="at step 200"):
        teaching.share_right(SUMS, "think", 2, 200)
    with pytest.raises(OptionError, match="no runs"):
        teaching.ways_chart([], names, 4, (300,))
