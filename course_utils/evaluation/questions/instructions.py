"""Can the model do exactly what it is told? A topic, and one to four checkable instructions."""

from __future__ import annotations

from random import Random

from course_utils.engines.protocol import Reply
from course_utils.evaluation.graders import Grade, final_part
from course_utils.evaluation.instructions import Instruction

LEVELS = 4

TOPICS = (
    "why the sky is blue",
    "how bread rises",
    "what a library is for",
    "how a bicycle keeps its balance",
    "why leaves fall in autumn",
    "what makes a good question",
    "how a lighthouse works",
    "why we sleep",
)


def make(random: Random, level: int) -> tuple[str, dict]:
    """Draw a question with ``level`` instructions, 1 to 4: its prompt and its key."""
    instructions = [random.choice(group)(random) for group in random.sample(_GROUPS, level)]
    topic = random.choice(TOPICS)
    prompt = f"Explain {topic}. " + " ".join(str(instruction) for instruction in instructions)
    key = {"instructions": [[item.kind, item.parameters] for item in instructions]}
    return prompt, key


def grade(key: dict, reply: str | Reply, sandbox=None) -> Grade:
    """Strict: every instruction must be followed to the letter."""
    for kind, parameters in key["instructions"]:
        instruction = Instruction(kind, parameters)
        if not instruction.followed(reply):
            return Grade(False, final_part(reply), f"not followed: {instruction}")
    return Grade(True, final_part(reply), "all instructions followed")


# One instruction from each of several groups: within a group they might contradict each other.
_GROUPS = (
    (
        lambda random: Instruction("sentences", {"n": random.randint(2, 5)}),
        lambda random: Instruction("bullet points", {"n": random.randint(2, 5)}),
    ),
    (
        lambda random: Instruction("words at most", {"n": random.randint(40, 70)}),
        lambda random: Instruction("words at least", {"n": random.randint(30, 60)}),
    ),
    (
        lambda random: Instruction("no commas", {}),
        lambda random: Instruction("avoid letter", {"letter": random.choice("jqxz")}),
    ),
    (
        lambda random: Instruction(
            "word times",
            {"word": random.choice(("light", "time", "people")), "n": random.randint(2, 3)},
        ),
        lambda random: Instruction("include word", {"word": random.choice(("first", "slow"))}),
    ),
    (
        lambda random: Instruction("lower case", {}),
        lambda random: Instruction("capital letters", {}),
    ),
)
