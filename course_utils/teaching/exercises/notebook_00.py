"""Which exercises does notebook 00, the start, ask?"""

from __future__ import annotations

from course_utils.teaching.exercises.compare import compare_choice, compare_number
from course_utils.teaching.exercises.declaration import Exercise, WrongExample


def _check_minutes(answer) -> str | None:
    seconds = 2000 / 1.4
    if compare_number(answer, seconds, relative=0.01) is None:
        return "That is the time in seconds; the question asks for minutes."
    return compare_number(answer, seconds / 60, relative=0.01)


def _check_ceiling(answer) -> str | None:
    for bandwidth, size in ((30e9, 19.4e9), (90e9, 19.4e9), (30e9, 2e9)):
        off = compare_number(answer(bandwidth, size), bandwidth / size, relative=1e-6)
        if off:
            return f"For {bandwidth / 1e9:g} GB/s and {size / 1e9:g} GB per token: {off}"
    return None


def _check_history(answer) -> str | None:
    return compare_choice(
        answer,
        "answers only",
        {
            "thoughts and answers": (
                "Then every turn would carry all earlier thoughts along. QwQ's model card says "
                "what to leave out."
            ),
            "questions only": (
                "Then the model would not know what it had said. What does a follow-up question "
                "refer to?"
            ),
        },
    )


EXERCISES = [
    Exercise(
        id="00.minutes",
        title="How many minutes does a thought of 2,000 tokens take at 1.4 tokens per second?",
        answer="minutes",
        check=_check_minutes,
        right="Long thoughts cost minutes on a CPU; that is why the course starts small.",
        hints=(
            "At 1.4 tokens per second, one token takes 1 / 1.4 seconds.",
            "Divide the tokens by the speed to get seconds, then by 60.",
        ),
        solution="minutes = 2000 / 1.4 / 60",
        wrong=(
            WrongExample("minutes = 2000 / 1.4", "seconds"),
            WrongExample("minutes = 2000 * 1.4 / 60", "too large"),
            WrongExample("minutes = '24 minutes'", "number"),
        ),
    ),
    Exercise(
        id="00.ceiling",
        title="What speed can memory allow at most?",
        answer="tokens_per_second",
        check=_check_ceiling,
        right="So a dense model's speed follows from two numbers, known before any download.",
        hints=(
            "To write one token, a dense model reads all of its weights once.",
            "How many times per second can memory deliver that many bytes?",
        ),
        solution="""
def tokens_per_second(bytes_per_second, bytes_per_token):
    return bytes_per_second / bytes_per_token
""",
        wrong=(
            WrongExample(
                "def tokens_per_second(a, b):\n    return b / a", "Is the fraction upside down?"
            ),
            WrongExample("def tokens_per_second(a, b):\n    return a / b / 8", "Bits or bytes?"),
            WrongExample("def tokens_per_second(a, b):\n    return a / speed", "NameError"),
        ),
    ),
    Exercise(
        id="00.history",
        title="What of the model's earlier replies goes back to it with your next question?",
        answer="sent_back",
        check=_check_history,
        right="The thought has served to find the answer; kept, it would only fill the context.",
        hints=(
            "Look at what `reply.message()` holds.",
            "QwQ's model card: the history should hold the final output part only.",
        ),
        solution='sent_back = "answers only"',
        wrong=(
            WrongExample('sent_back = "thoughts and answers"', "model card"),
            WrongExample('sent_back = "questions only"', "follow-up"),
            WrongExample('sent_back = "everything"', "not one of the options"),
        ),
    ),
]
