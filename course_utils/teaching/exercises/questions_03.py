"""Did the ideas of notebook 03 arrive? Its quiz, with a reason for each option."""

from __future__ import annotations

from course_utils.teaching.exercises.declaration import Option, Question

QUESTIONS = [
    Question(
        "03.group",
        "All eight completions of a group are right. What does the policy learn from them?",
        (
            Option("To do more of the same.", "Their rewards are equal, so each advantage is 0."),
            Option(
                "Nothing.",
                "Equal rewards have no spread: none is better than the group, and no token is "
                "pushed either way.",
            ),
            Option(
                "To write shorter completions.",
                "Only if length were rewarded. Here all rewards are equal, whatever the lengths.",
            ),
        ),
        right=2,
    ),
    Question(
        "03.sure",
        "A token has a probability of 99.9% and earns an advantage of +1. What does a step do?",
        (
            Option(
                "Hardly anything.",
                "The push is 1 minus the probability, so a token that is nearly certain hardly "
                "moves. That is why learning ends when the entropy is gone.",
            ),
            Option(
                "It takes the probability to 100%.",
                "Softmax never quite gets there, and the push shrinks on the way.",
            ),
            Option(
                "As much as for any other token with that advantage.",
                "The advantage is the same, but the gradient is not: it is 1 minus the "
                "probability.",
            ),
        ),
        right=1,
    ),
    Question(
        "03.interval",
        "Three seeds: variant B is 1.5 points ahead, with an interval from -0.8 to +3.7. What may "
        "you write?",
        (
            Option(
                "B is better.",
                "The interval contains 0, so the three seeds would also fit no difference at all.",
            ),
            Option(
                "There is no difference.",
                "A lead of three points lies in the interval, too. Finding nothing does not mean "
                "that there is nothing there.",
            ),
            Option(
                "Three seeds cannot tell.",
                "Both no difference and a lead of three points are within the interval.",
            ),
        ),
        right=3,
    ),
    Question(
        "03.control",
        "Reward takes a base from 40% to 95%. Which control do you ask for first?",
        (
            Option(
                "The base, with the best prompt you can find.",
                "If a prompt does the same, reward brought out what was there: elicitation.",
            ),
            Option(
                "A larger base.",
                "Worth having, but a prompt is cheaper and explains more such gains.",
            ),
            Option(
                "More steps of reward.",
                "They would show how far it goes, but not whether it was reward that did it.",
            ),
        ),
        right=1,
    ),
    Question(
        "03.threshold",
        "A base is never right on a kind of problem, in thousands of tries, and only such problems "
        "are rewarded. What will reward for right answers do there?",
        (
            Option(
                "Teach it, given enough steps.",
                "What is never drawn cannot be rewarded. Without one right completion no group "
                "has spread.",
            ),
            Option(
                "Nothing useful.",
                "There is nothing to raise. Easier problems, a cold start or imitation have to "
                "bring the first right answers. At 1.5M, with one seed, reward on shorter chains "
                "did so for chains of four turns.",
            ),
            Option(
                "Remove its thinking.",
                "In our runs the habit of thinking grew in some models and faded in others.",
            ),
        ),
        right=2,
    ),
]
