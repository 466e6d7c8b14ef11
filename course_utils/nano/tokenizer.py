"""How does text become the numbers a nano model reads? Byte-pair encoding, cut as QwQ cuts it.

Text is first split as QwQ's tokenizer splits it (llama.cpp calls this ``qwen2``): words keep the
space before them, every digit stands alone, line ends apart.  Then byte-pair merges, learnt from
the nano models' own corpus, join bytes to frequent pieces.  Source of byte-pair encoding:
Sennrich et al., arXiv 1508.07909.  QwQ's tokenizer also applies Unicode's NFC first, which
llama.cpp does not; ours leaves it out so that both read every string alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from course_utils.engines.reply import split_thinking
from course_utils.engines.word_splitting import QWEN2_SPLIT
from course_utils.errors import ModelFileError, PromptError
from course_utils.paths import nano_folder

END_OF_TEXT, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CONTROL_TOKENS = (END_OF_TEXT, START, END)
"""Marks of the chat format; they never appear in what a learner reads."""

THINK, END_THINK = "<think>", "</think>"
THINK_TOKENS = (THINK, END_THINK)
"""Around the thought; visible text, as in QwQ's own tokenizer."""

CHAT_TEMPLATE = """\
{%- for message in messages %}
    {%- set content = message['content'] %}
    {%- if message['role'] == 'assistant' %}
        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
    {%- endif %}
    {{- '<|im_start|>' + message['role'] + '\\n' + content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n<think>\\n' }}
{%- endif %}"""
"""QwQ's chat format in Jinja: it opens the thought, and drops earlier thoughts from the history."""


def train(texts: Iterable[str], vocabulary: int = 1024) -> Tokenizer:
    """Learn merges from ``texts`` until there are ``vocabulary`` tokens, the special five included.

    All 256 bytes are in the vocabulary, so that no text is out of reach.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    specials = len(CONTROL_TOKENS) + len(THINK_TOKENS)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - specials,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    # Special tokens are never split, so merges inside them would be wasted.
    special = "|".join(re.escape(token) for token in CONTROL_TOKENS + THINK_TOKENS)
    pieces = (piece for text in texts for piece in re.split(special, text) if piece)
    tokenizer.train_from_iterator(pieces, trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in CONTROL_TOKENS])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in THINK_TOKENS])
    return tokenizer


def load(path: str | Path | None = None) -> Tokenizer:
    """The shipped tokenizer, or the one in the file ``path``. Raises ModelFileError."""
    path = Path(path) if path else nano_folder() / "tokenizer.json"
    if not path.is_file():
        raise ModelFileError(f"There is no tokenizer at {path}.", "Run `make nano` to make it.")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises a bare Exception for any unreadable file
        raise ModelFileError(
            f"{path} is not a tokenizer file ({error}).", "Run `make nano` to make it anew."
        ) from None


def decode(tokenizer: Tokenizer, tokens: Sequence[int]) -> str:
    """The text of ``tokens``, special tokens written out."""
    return tokenizer.decode(list(tokens), skip_special_tokens=False)


def render(messages: str | Sequence[dict[str, str]], add_generation_prompt: bool = True) -> str:
    """The exact text a model is given for a question or a list of messages.

    Raises PromptError when a message lacks its role or content.
    """
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    for message in messages:
        if not {"role", "content"} <= set(message):
            raise PromptError(
                f"A message needs 'role' and 'content', but this one has {sorted(message)}.",
                'Write it as {"role": "user", "content": "What is 17+25?"}.',
            )
    return _template().render(messages=messages, add_generation_prompt=add_generation_prompt)


@cache
def _template() -> Template:
    return ImmutableSandboxedEnvironment().from_string(CHAT_TEMPLATE)


def split_reply(text: str) -> tuple[str, str]:
    """Thought and answer of a completion that began inside an opened ``<think>``.

    It is split as the engines split a reply.  A thought that never closes has an empty answer.
    """
    thought, answer = split_thinking(text, opened=True)
    return thought.strip(), answer.split(END)[0].split(END_OF_TEXT)[0].strip()
