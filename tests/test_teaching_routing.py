"""Do the figures of routing say what the numbers say, and refuse what they cannot draw?"""

import matplotlib.text
import numpy as np
import pytest

from course_utils import teaching
from course_utils.engines.protocol import Routing, Token
from course_utils.errors import OptionError


def texts_of(figure) -> list[str]:
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_text()]


@pytest.fixture
def routing():
    """Two layers, three tokens, two of four experts each."""
    tokens = [Token(number, word.encode()) for number, word in enumerate(["one", " two", "三"])]
    experts = np.array([[[0, 1], [1, 2], [3, 0]], [[2, 3], [2, 0], [2, 1]]])
    weights = np.tile([0.7, 0.3], (2, 3, 1))
    probabilities = np.full((2, 3, 4), 0.25)
    return Routing(tokens, experts, weights, probabilities)


def test_a_routing_map_shows_each_weight_at_its_expert(routing):
    figure = teaching.routing_chart(routing)
    for layer, axes in enumerate(figure.axes[:2]):
        grid = axes.images[0].get_array()
        assert grid.shape == (4, 3)
        for token in range(3):
            first, second = routing.experts[layer, token]
            assert grid[first, token] == 0.7 and grid[second, token] == 0.3
            assert grid[:, token].sum() == pytest.approx(1)
    assert "␣two" in texts_of(figure)


def test_the_description_of_a_routing_map_names_the_experts(routing):
    words = teaching.describe_routing(routing)
    assert "by layer: 4, 4" in words and "三, goes to experts 3 and 0" in words


def test_a_long_text_is_refused_with_a_remedy(routing):
    long = Routing(
        routing.tokens * 30,
        np.tile(routing.experts, (1, 30, 1)),
        np.tile(routing.weights, (1, 30, 1)),
        np.tile(routing.probabilities, (1, 30, 1)),
    )
    with pytest.raises(OptionError, match="60 tokens"):
        teaching.routing_chart(long)


def test_bars_of_load_are_as_high_as_the_load():
    load = np.array([[0.5, 0.3, 0.2, 0.0], [0.25, 0.25, 0.25, 0.25]])
    figure = teaching.load_chart({"mixture": load})
    for axes, shares in zip(figure.axes, load, strict=True):
        assert [bar.get_height() for bar in axes.patches] == pytest.approx(shares)
        assert axes.lines[0].get_ydata() == pytest.approx([0.25, 0.25])
    words = teaching.describe_load({"mixture": load})
    assert "layer 0 from 0% to 50%" in words and "layer 1 from 25% to 25%" in words
    with pytest.raises(OptionError):
        teaching.load_chart({})


def test_loads_that_are_to_be_compared_share_a_scale():
    uneven, even = np.array([[0.46, 0.54]]), np.array([[0.5, 0.5]])
    figures = [teaching.load_chart({"mixture": load}, top=0.7) for load in (uneven, even)]
    assert [figure.axes[0].get_ylim() for figure in figures] == [(0, 0.7)] * 2
    assert teaching.load_chart({"mixture": uneven}).axes[0].get_ylim()[1] > 0.54


def test_a_table_of_values_writes_each_of_them():
    values = np.array([[0.123, 0.5], [0.0, 0.377]])
    options = {"rows": ["a", "b"], "columns": ["x", "y"], "title": "What?"}
    written = texts_of(teaching.value_table(values, **options, percent=True))
    assert {"12", "50", "0", "38", "a", "b", "x", "y", "What?"} <= set(written)
    assert "0.12" in texts_of(teaching.value_table(values, **options))
    with pytest.raises(OptionError, match="names"):
        teaching.value_table(values, ["a"], ["x", "y"], title="What?")


def test_losses_by_size_show_the_mean_and_the_range_of_the_seeds():
    figure = teaching.loss_by_size({"dense": (0.7, [0.40, 0.42, 0.44]), "mixture": (1.6, [0.4])})
    (axes,) = figure.axes
    line, _, (bar,) = axes.containers[0]
    assert line.get_ydata()[0] == pytest.approx(0.42)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.7", "1.6"]
    assert bar.get_segments()[0][:, 1] == pytest.approx([0.40, 0.44])
    with pytest.raises(OptionError):
        teaching.loss_by_size({})


def test_models_of_one_size_stand_side_by_side_above_that_size():
    figure = teaching.loss_by_size({"a": (0.7, [0.5]), "b": (1.59, [0.4]), "c": (1.6, [0.4])})
    places = [container[0].get_xdata()[0] for container in figure.axes[0].containers]
    assert places[0] == 0 and places[1] < 1 < places[2] and places[1] + places[2] == 2


def records(*loads):
    yield {"step": 0, "tokens": 0, "held_out_loss": 7.0, "load_0_0": 0.5, "load_0_1": 0.5}
    for step, first in enumerate(loads, 1):
        yield {"step": step, "tokens": step * 10, "train_loss": 3.0}
        yield {"tokens": step * 10, "held_out_loss": 5.0, "load_0_0": first, "load_0_1": 1 - first}


def test_watching_a_router_gives_the_measured_records_and_draws_the_last(monkeypatch):
    from course_utils.teaching.widgets import router_training

    shown, left = [], []
    monkeypatch.setattr(router_training.Panel, "show", lambda panel: shown.append(panel))
    monkeypatch.setattr(router_training, "display", left.append)
    measured = teaching.watch_router(records(0.6, 0.9))
    assert [record["held_out_loss"] for record in measured] == [7.0, 5.0, 5.0]
    assert teaching.load_of(measured[-1]) == pytest.approx(np.array([[0.9, 0.1]]))
    (panel,) = shown
    (picture,) = left  # it stays on the page when the widget is gone
    assert "after 20 tokens: layer 0 from 10% to 90%" in picture.html
    assert "In code: records = " in repr(panel)


def test_a_record_without_a_load_is_refused():
    with pytest.raises(OptionError, match="no load"):
        teaching.load_of({"step": 3, "train_loss": 2.0})
