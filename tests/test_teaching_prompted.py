"""The row "base, prompted as well as we can" says what the committed table says."""

import pytest

from course_utils.errors import OptionError
from course_utils.teaching import prompted_base


def test_the_base_is_given_its_best_prompt_and_its_bare_question():
    small = prompted_base("small base")
    assert small.prompt == "show your working" and small.right == 200 > small.bare
    assert str(small) == '200 of 200 (100%), prompt "show your working"'


def test_the_main_base_gains_nothing_from_any_prompt():
    """What the thinker learnt was taught, and not brought out by words."""
    base, thinker = prompted_base(), prompted_base("thinker")
    assert base.share < 0.4 and abs(base.right - base.bare) < 0.1 * base.asked
    assert thinker.prompt == "bare" and thinker.share > 0.9


def test_the_best_of_twelve_led_where_it_was_chosen_and_need_not_lead_again():
    base = prompted_base()
    chosen, plainly, asked = base.chosen_on
    assert plainly < chosen < 0.4 * asked and base.right < base.bare


@pytest.mark.parametrize("wrong", [{"model": "bass"}, {"temperature": 0.6}])
def test_an_unknown_model_is_answered_with_those_there_are(wrong):
    with pytest.raises(OptionError, match="No prompts were tried"):
        prompted_base(**wrong)
