"""A reply is split into thought and answer the same way however it arrives."""

import random

import pytest

from course_utils.engines.reply import (
    Reply,
    ThinkingSplitter,
    mark_thinking,
    opens_thinking,
    split_thinking,
    without_thinking,
)

# (what is split, the reply, does the prompt end inside <think>?, thought, answer)
CASES = [
    ("QwQ, template opened the thought", "Let me add.\n</think>\n\n42", True, "Let me add.", "42"),
    ("thought opened by the model", "<think>\nLet me.\n</think>\n\n42", False, "Let me.", "42"),
    ("tag repeated by the model", "<think>\nLet me.\n</think>\n\n42", True, "Let me.", "42"),
    ("no tag at all", " Plain text, a < b.\n", False, "", " Plain text, a < b.\n"),
    ("nothing but white space", " \n", False, "", " \n"),
    ("empty thought", "\n</think>\n\n42", True, "", "42"),
    ("no thought and no answer", "</think>", True, "", ""),
    ("thought that never closes", "First, a\n  then", True, "First, a\n  then", ""),
    ("thought cut inside the closing tag", "a < b </thi", True, "a < b </thi", ""),
    ("answer that is half an opening tag", "<thi", False, "", "<thi"),
    ("blank lines inside both", "a\n\nb\n</think>\n\nc\n\n d\n", True, "a\n\nb", "c\n\n d\n"),
    ("tag named inside the thought", "I <think> so</think>yes", True, "I <think> so", "yes"),
    (
        "tags named inside the answer",
        "x</think>a </think> <think>b",
        True,
        "x",
        "a </think> <think>b",
    ),
    ("closing tag without a thought", "a</think>b", False, "", "a</think>b"),
    ("two thoughts before the answer", "<think>a </think>\n<think>b</think>\nc", False, "ab", "c"),
    ("Chinese", "让我想想。\n</think>\n\n答案是四十二。", True, "让我想想。", "答案是四十二。"),
]


def stream(pieces, opened):
    splitter = ThinkingSplitter(opened)
    out = [part for piece in pieces for part in splitter.feed(piece)] + splitter.close()
    assert all(text for _, text in out), "no empty pieces"
    return tuple("".join(t for kind, t in out if kind == k) for k in ("thinking", "answer"))


@pytest.mark.parametrize(
    "reply, opened, thought, answer", [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_every_way_of_cutting_a_reply_gives_the_same_thought_and_answer(
    reply, opened, thought, answer
):
    assert split_thinking(reply, opened) == (thought, answer)
    for size in range(1, len(reply) + 1):
        pieces = [reply[i : i + size] for i in range(0, len(reply), size)]
        assert stream(pieces, opened) == (thought, answer), f"pieces of {size} characters"


def test_random_replies_stream_as_they_split():
    draw = random.Random(0)
    bits = ["<think>", "</think>", "<", ">", "/think", "\n", " ", "a", "思"]
    for _ in range(3000):
        pieces = [
            "".join(draw.choices(bits, k=draw.randint(0, 3))) for _ in range(draw.randint(0, 8))
        ]
        opened = draw.random() < 0.5
        assert stream(pieces, opened) == split_thinking("".join(pieces), opened), (pieces, opened)


def test_text_is_shown_as_soon_as_it_is_certain():
    splitter = ThinkingSplitter(opened=True)
    assert splitter.feed("\n") == []
    assert splitter.feed("Wait") == [("thinking", "Wait")]
    assert splitter.feed(", 1 <") == [("thinking", ", 1")], "'<' could begin the closing tag"
    assert splitter.feed(" 2\n") == [("thinking", " < 2")]
    assert splitter.feed("</think>\n\n") == []
    assert splitter.feed("Yes. ") == [("answer", "Yes. ")]
    assert splitter.close() == []


def test_the_splitter_knows_which_part_is_being_written():
    splitter = ThinkingSplitter(opened=False)
    assert splitter.kind == "answer"
    splitter.feed("<think>hm")
    assert splitter.kind == "thinking"
    splitter.feed("</think>")
    assert splitter.kind == "answer"


def test_a_closing_tag_alone_shows_that_the_prompt_had_opened_the_thought():
    assert split_thinking("Let me.\n</think>\n\n42") == ("Let me.", "42")
    assert split_thinking("<think>Let me.</think>42") == ("Let me.", "42")
    assert split_thinking("42") == ("", "42")


def test_the_history_keeps_answers_and_drops_thoughts():
    messages = [
        {"role": "system", "content": "Answer briefly. <think>not a thought</think>"},
        {"role": "user", "content": "What does <think>this</think> mean?"},
        {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nIt marks a thought."},
        {"role": "assistant", "content": "Hm, again.\n</think>\n\nAs I said."},
    ]
    before = [dict(m) for m in messages]
    cleaned = without_thinking(messages)
    assert [m["content"] for m in cleaned] == [
        messages[0]["content"],
        messages[1]["content"],
        "It marks a thought.",
        "As I said.",
    ]
    assert messages == before, "the caller's messages stay as they were"


def test_a_prompt_shows_whether_its_template_opened_the_thought():
    assert opens_thinking("<|im_start|>assistant\n<think>\n")
    assert not opens_thinking("<|im_start|>assistant\n<think>\n</think>\n\n")
    assert not opens_thinking("<|im_start|>assistant\n")


def test_a_reply_that_is_left_at_its_border_keeps_both_sides():
    reply = Reply()
    texts = (text for text in [("Let me add.</think>\n\n42", 9)])
    marked = mark_thinking(texts, reply, opened=True)
    assert next(marked).text == "Let me add."
    marked.close()
    assert (reply.thinking, reply.answer) == ("Let me add.", "42")


def test_a_text_without_thoughts_to_look_for_is_all_answer():
    reply = Reply()
    texts = ((letter, 1) for letter in "<think>a</think>")
    assert {piece.kind for piece in mark_thinking(texts, reply, opened=None)} == {"answer"}
    assert (reply.answer, reply.answer_tokens) == ("<think>a</think>", 16)
