"""Did the ideas of notebook 04 arrive? Its quiz, with a reason for each option."""

from __future__ import annotations

from course_utils.teaching.exercises.declaration import Option, Question

QUESTIONS = [
    Question(
        "04.language",
        "Only right answers were rewarded, and the model began to mix languages. Why?",
        (
            Option(
                "The reward preferred Chinese.",
                "It never looked at the language, only at the answer.",
            ),
            Option(
                "In what it had read, the mixed workings were the careful ones.",
                "What made answers right became likelier, and so did the habit that came with it.",
            ),
            Option(
                "Reinforcement learning always mixes languages.",
                "Without that bias in its texts a base would have no reason to, as far as we know: "
                "that control was not run.",
            ),
        ),
        right=2,
    ),
    Question(
        "04.loop",
        "After each check another one is a little likelier than an end. What does greedy decoding "
        "do?",
        (
            Option(
                "It ends after two or three checks.",
                "Drawing at random would, since each check is one more chance to end. Greedy "
                "decoding never takes the less likely continuation.",
            ),
            Option(
                "It checks for ever.",
                "The likelier continuation is taken each time, and it is the same each time.",
            ),
            Option(
                "It does not check at all.",
                "Checking is the likelier of the two, if only by a little.",
            ),
        ),
        right=2,
    ),
    Question(
        "04.cold",
        "Notes that nobody can read are always right, and readable workings are rare. Which cure "
        "makes readable ones common before any reward?",
        (
            Option(
                "A cold start.",
                "It makes readable workings common before reward begins. In one seed of three, "
                "they were not careful ones.",
            ),
            Option(
                "Longer training with the same reward.",
                "That makes the notes likelier still: they are what is right.",
            ),
            Option(
                "Larger groups.",
                "They help where good thoughts are rare but still drawn now and then. The notes "
                "would still win.",
            ),
        ),
        right=1,
    ),
    Question(
        "04.price",
        "A reward is half for the right answer and half for a short one. What will a model find?",
        (
            Option(
                "Short and right replies.",
                "They earn most, but a short wrong one is much easier to come by.",
            ),
            Option(
                "That short wrong replies are worth something.",
                "Shortness is rewarded whatever the answer is. Multiply, and a wrong one earns "
                "nothing.",
            ),
            Option(
                "That long replies are worth more.",
                "Length only ever costs here.",
            ),
        ),
        right=2,
    ),
    Question(
        "04.small",
        "What do these small models show about R1-Zero?",
        (
            Option(
                "Why it mixed languages.",
                "Nobody outside knows which habits its texts contained.",
            ),
            Option(
                "How such a failure can come about, and what affects it.",
                "A mechanism, in a corpus whose bias we put there ourselves.",
            ),
            Option(
                "Nothing at all.",
                "Once we have seen a mechanism at work, we can look for it in a large model.",
            ),
        ),
        right=2,
    ),
]
