"""Did the ideas of notebook 09 arrive? Its quiz, with a reason for each option."""

from __future__ import annotations

from course_utils.teaching.exercises.declaration import Option, Question

QUESTIONS = [
    Question(
        id="09.primary",
        asks="A news article, a blog post by the maker and a table by an outsider disagree on a "
        "score. Which do you quote?",
        options=(
            Option(
                "The article, since it compares the other two.",
                "It measured nothing. Its figure comes from one of the others, or from a slip.",
            ),
            Option(
                "The maker's and the outsider's, each with its name and settings.",
                "Both measured it. How far they disagree is part of the answer.",
            ),
            Option(
                "The newest.",
                "A newer figure is not necessarily better measured, or on the same questions.",
            ),
        ),
        right=2,
    ),
    Question(
        id="09.silence",
        asks="An announcement does not say how much reinforcement learning went in. What may you "
        "write?",
        options=(
            Option(
                "That there was little.",
                "Silence is no evidence either way. Nobody outside knows.",
            ),
            Option(
                "That nobody has published it.",
                "You looked in some places. Somebody may have written it in another.",
            ),
            Option(
                "That you found no figure, and where you looked.",
                "A reader can then look elsewhere, and correct you.",
            ),
        ),
        right=3,
    ),
    Question(
        id="09.weights",
        asks="In a long conversation a model begins to use a word that you taught it. "
        "What changed?",
        options=(
            Option(
                "Its weights.",
                "They stay the same: a new conversation starts from the very same weights.",
            ),
            Option(
                "The text that it is given.",
                "A new conversation starts without it, and without the word.",
            ),
            Option(
                "Its vocabulary.",
                "That is fixed before training begins.",
            ),
        ),
        right=2,
    ),
    Question(
        id="09.future",
        asks="“Training in several stages ensures that it can surpass R1.” "
        "What kind of claim is it?",
        options=(
            Option(
                "One that a better benchmark would decide.",
                "No benchmark today measures what a later model will do.",
            ),
            Option(
                "One about the future, which no measurement decides yet.",
                "It says “ensures”, and nothing that is published can justify that word.",
            ),
            Option(
                "One that holds, since later models were better.",
                "The fact that better models came does not show that this training ensured them.",
            ),
        ),
        right=2,
    ),
]
