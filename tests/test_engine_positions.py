"""YaRN stretches a model's positions where it is asked to, and nowhere else."""

import numpy as np
import pytest

from course_utils.engines import GREEDY, open_model
from course_utils.engines.local.positions import UNKNOWN_LENGTH, yarn_of
from course_utils.errors import ModelFileError, OptionError
from course_utils.model_files.gguf_header import read_header
from course_utils.paths import nano_folder
from tests.tiny_models import tiny_model

TEXT = "So first we add the tens, then the ones. " * 3


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "model.gguf", context=256)


def logits(path, text=TEXT, **options):
    with open_model(path, **options) as model:
        return np.array([found.logit for found in sorted(model.next_tokens(text, 300))])


def test_a_factor_of_one_changes_nothing_and_a_larger_one_does(path):
    plain = logits(path)
    assert np.allclose(logits(path, yarn=1), plain, atol=1e-4)
    assert np.abs(logits(path, yarn=4) - plain).max() > 1e-3


def test_looking_inside_sees_the_stretched_positions_too(path):
    maps = {}
    for factor in (None, 4):
        with open_model(path, yarn=factor) as model:
            maps[factor] = model.attention(TEXT).weights
            last = model.activations(TEXT, ["result_output"])["result_output"][-1]
        assert np.allclose(np.sort(last)[-300:], np.sort(logits(path, yarn=factor)), atol=1e-3)
    assert np.abs(maps[None] - maps[4]).max() > 1e-3


def test_a_stretched_model_opens_with_the_context_that_it_is_stretched_to(path):
    with open_model(path) as plain, open_model(path, yarn=4) as stretched:
        assert plain.info.context == 256
        assert stretched.info.context == 1024
        assert stretched.info.settings["yarn"].reach == 1024
        reply = stretched.complete("So " * 400, GREEDY.but(max_tokens=5)).finish()
        assert reply.prompt_tokens >= 400


def test_the_lengths_of_training_are_those_of_the_catalogue_the_file_or_the_option(path):
    header = read_header(path)
    assert yarn_of(header, None, None, None) is None
    assert yarn_of(header, None, 4.0, None) == (4.0, 256)
    assert yarn_of(header, "qwq-32b", 4.0, None) == (4.0, 32768)
    assert yarn_of(header, "qwq-32b", 4.0, 1000) == (4.0, 1000)
    assert yarn_of(header, "no model of the catalogue", 2.0, None) == (2.0, 256)
    header.metadata["qwen2.rope.scaling.original_context_length"] = 128
    assert yarn_of(header, None, 4.0, None) == (4.0, 128)
    for broken in (-1, "long", 2.5, None):
        header.metadata["qwen2.rope.scaling.original_context_length"] = broken
        header.metadata["qwen2.context_length"] = broken
        assert yarn_of(header, None, 4.0, None) == (4.0, UNKNOWN_LENGTH)


def test_a_cache_saved_with_other_positions_is_refused(path, tmp_path):
    with open_model(path, yarn=2, context=256) as model:
        model.complete(TEXT, GREEDY.but(max_tokens=1)).finish()
        model.save_cache(tmp_path / "talk.cache")
    with (
        open_model(path, context=256) as plain,
        pytest.raises(ModelFileError, match="another stretch of positions"),
    ):
        plain.load_cache(tmp_path / "talk.cache")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"yarn": 0.5}, "yarn=0.5"),
        ({"yarn": 0}, "yarn=0"),
        ({"yarn": -4}, "yarn=-4"),
        ({"yarn": 65}, "yarn=65"),
        ({"yarn": float("nan")}, "yarn=nan"),
        ({"yarn": float("inf")}, "yarn=inf"),
        ({"yarn": True}, "yarn=True"),
        ({"yarn": "4"}, "yarn='4'"),
        ({"yarn_trained": 1024}, "yarn is not set"),
        ({"yarn": 4, "yarn_trained": 0}, "yarn_trained=0"),
        ({"yarn": 4, "yarn_trained": 1.5}, "yarn_trained=1.5"),
    ],
)
def test_a_factor_that_is_none_is_refused_with_a_remedy(path, wrong, words):
    with pytest.raises(OptionError, match=words.replace(".", r"\.")) as refused:
        open_model(path, **wrong)
    assert refused.value.remedy


def test_stretching_costs_the_nano_thinker_something_on_its_short_texts():
    """QwQ's card: static YaRN may impact performance on shorter texts."""
    path = nano_folder() / "thinker.gguf"
    with open_model(path) as model:
        text = model.render("What is 347 + 285?") + "ones: 7+5=12, carry 1\n"
    plain, stretched = logits(path, text), logits(path, text, yarn=8)
    assert np.abs(stretched - plain).max() > 0.1
