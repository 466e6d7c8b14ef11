"""Which exercises and questions does notebook 00, the start, ask?"""

from __future__ import annotations

from course_utils.teaching.exercises.compare import compare_choice, compare_number, known_mistake
from course_utils.teaching.exercises.declaration import Exercise, Mistake, Option, Question


def _check_control(answer) -> Mistake | None:
    return compare_choice(
        answer,
        "the base, asked better",
        {
            "a larger thinker": (
                "That would show what size does. The question is whether the reward did anything."
            ),
            "the thinker, asked twice": (
                "That would show how steady the thinker is. Its lead would stay unexplained."
            ),
            "a hundred more sums": (
                "The two intervals lie far apart already. The open question is not the luck of "
                "the questions, but what the base can do."
            ),
        },
    )


def _check_ceiling(answer) -> Mistake | None:
    for parameters, bits, bandwidth in ((32.0e9, 4.8, 40), (32.0e9, 16, 40), (3e9, 8.5, 100)):
        wanted = bandwidth * 1e9 * 8 / (parameters * bits)
        value = answer(parameters, bits, bandwidth)
        off = compare_number(value, wanted, relative=1e-6)
        if off is None:
            continue
        known = (
            (
                1 / wanted,
                "upside-down",
                "These are the seconds for one token. How many tokens in one second is that?",
            ),
            (
                wanted * parameters,
                "one-weight",
                "A token needs every weight, and this reads one. Where do all parameters come in?",
            ),
        )
        case = f"For {parameters / 1e9:g} billion parameters at {bits} bits"
        return known_mistake(value, known, relative=1e-6) or off.where(case)
    return None


def _check_minutes(answer) -> Mistake | None:
    minutes = 2000 / 1.4 / 60
    known = (
        (minutes * 60, "seconds", "That is the time in seconds; the question asks for minutes."),
        (minutes / 60, "hours", "That is the time in hours; the question asks for minutes."),
        (
            2000 * 1.4 / 60,
            "times",
            "At 1.4 tokens a second, 2,000 tokens take fewer than 2,000 "
            "seconds. Multiplied, or divided?",
        ),
    )
    off = compare_number(answer, minutes, relative=0.01)
    return off and (known_mistake(answer, known, relative=0.01) or off)


def _check_history(answer) -> Mistake | None:
    return compare_choice(
        answer,
        "questions and answers",
        {
            "thoughts and answers": (
                "Then every turn would carry all earlier thoughts along, and they are long. Which "
                "part of a thought does the next question need?"
            ),
            "questions only": (
                "Then the model would not know what it had said. What does a follow-up question "
                "refer to?"
            ),
        },
    )


EXERCISES = [
    Exercise(
        id="00.history",
        title="What goes back to the model with your next question?",
        answer="sent_back",
        check=_check_history,
        right="The thought has done its work; kept, it would only fill the context.",
        hints=(
            "The context holds a limited number of tokens, and thoughts are long.",
            'What does a follow-up question such as "And twice that?" refer to?',
        ),
        solution="""
# Thoughts are long and would fill the context. A follow-up refers to the answers: they stay.
sent_back = "questions and answers"
""",
        difficulty=1,
        importance=3,
        minutes=2,
    ),
    Exercise(
        id="00.control",
        title="Which control would a sceptic ask for first?",
        answer="control",
        check=_check_control,
        right="Perhaps the base can add and was only asked badly. The next cell looks.",
        hints=(
            "The claim is: the reward made the difference. What else might have?",
            "For the chart, the base was asked in one way only. Could it have added all along, if "
            "asked differently?",
        ),
        solution="""
# Given the intervals, luck with the questions is a poor explanation. But they cannot show
# whether the base could add all along.
control = "the base, asked better"
""",
        difficulty=2,
        importance=5,
        minutes=2,
    ),
    Exercise(
        id="00.ceiling",
        title="What is the highest speed that memory allows?",
        answer="most_tokens_per_second",
        check=_check_ceiling,
        right="A dense model's speed follows from three numbers, known before any download.",
        hints=(
            "To write one token, the processor reads every weight once. How many bytes is that?",
            "8 bits make one byte, and 1 GB is 1e9 bytes.",
            "How many times per second can memory deliver that many bytes?",
        ),
        solution="""
def most_tokens_per_second(parameters, bits, bandwidth):
    bytes_per_token = parameters * bits / 8
    return bandwidth * 1e9 / bytes_per_token
""",
        difficulty=2,
        importance=4,
        minutes=5,
    ),
    Exercise(
        id="00.minutes",
        title="How long does a thought of 2,000 tokens take?",
        answer="minutes",
        check=_check_minutes,
        right="Long thoughts cost minutes on a CPU; that is why the course starts small.",
        hints=(
            "At 1.4 tokens per second, one token takes 1 / 1.4 seconds.",
            "Divide the tokens by the speed to get seconds, then by 60.",
        ),
        solution="minutes = 2000 / 1.4 / 60",
        difficulty=1,
        importance=3,
        minutes=2,
    ),
]

QUESTIONS = [
    Question(
        id="00.base",
        asks="What was done to the base model to make the thinker?",
        options=(
            Option("It was given more parameters.", "Both have the same number of them."),
            Option(
                "It was trained further, with rewards for right answers.",
                "Reinforcement learning started from the base and changed its weights. Notebook 03 "
                "asks whether further training without reward would have done as well.",
            ),
            Option(
                "It was given rules for addition.",
                "Neither has any: whatever they know about sums was learned from texts and reward.",
            ),
        ),
        right=2,
    ),
    Question(
        id="00.interval",
        asks="One model gets 41 of 100 sums right, another 47. What do the two intervals tell you?",
        options=(
            Option(
                "The second one is better.",
                "With 100 questions each, the intervals reach about ten points to either side. "
                "Luck alone can easily make a gap of six.",
            ),
            Option(
                "They are equally good.",
                "That is not shown either. Failing to see a difference is not the same as seeing "
                "that there is none.",
            ),
            Option(
                "Nothing is decided; ask more questions.",
                "The intervals overlap widely. Four times as many questions would make them half "
                "as wide.",
            ),
        ),
        right=3,
    ),
    Question(
        id="00.bandwidth",
        asks="Two laptops both hold QwQ-32B in memory. What mainly decides which writes faster?",
        options=(
            Option(
                "How many bytes per second their memory delivers.",
                "Every token needs all the weights once, and it is reading them that takes time.",
            ),
            Option(
                "How many cores they have.",
                "They help until they keep the memory busy. From then on they wait for it.",
            ),
            Option(
                "How large their disks are.",
                "The disk has to hold the file. Once the weights are in memory, it is idle.",
            ),
        ),
        right=1,
    ),
]
