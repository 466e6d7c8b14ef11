"""Where do tests get models from? They build them: a few hundred kilobytes, in well under a second.

``tiny_model`` writes random weights in a real architecture, for everything that must merely run.
``markov_model`` writes weights whose next-token probabilities are known in closed form, for
everything that must be right.  Both have the course's chat format, so all of llama.cpp's path is
exercised: tokenizer, chat template, weights, sampling.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import gguf
import numpy as np
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from course_utils.model_files.architectures import (
    Architecture,
    GroupedQueryAttention,
    MixtureOfExperts,
)

# Qwen2's pre-tokenisation: digits stand alone (llama.cpp's pre-tokenizer "qwen2").
PRE_TOKENISATION = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

CHAT_TEMPLATE = (
    "{%- for message in messages %}"
    "{%- set content = message.content %}"
    "{%- if message.role == 'assistant' %}"
    "{%- set content = content.split('</think>')[-1].lstrip('\\n') %}"
    "{%- endif %}"
    "{{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<think>\\n' }}{%- endif %}"
)
"""QwQ's chat format: it opens the thought itself, so a reply starts inside it."""

TOOLS_CHAT_TEMPLATE = (
    "{%- if tools %}{{- '<|im_start|>system\n<tools>' }}"
    "{%- for tool in tools %}{{- '\n' + (tool | tojson) }}{%- endfor %}"
    "{{- '\n</tools> Write <tool_call></tool_call>.<|im_end|>\n' }}{%- endif %}"
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\n' + (message.content or '') }}"
    "{%- for call in message.tool_calls or [] %}"
    "{{- '<tool_call>\n' + (call.function | tojson) + '\n</tool_call>' }}{%- endfor %}"
    "{{- '<|im_end|>\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}"
    "{%- if messages[-1].role == 'tool' %}{{- 'Hmm' }}{%- endif %}{%- endif %}"
)
"""The same for a model that calls tools. It begins another reply to a tool's result, so that a
model which looks at the last token only can tell that there was one."""

PLAIN_CHAT_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
"""The same for a model that does not think."""

SIX_TIMES_SEVEN = '{"name":"multiply","arguments":{"a":6,"b":7}}'
TWO_TIMES_THREE = '{"name":"multiply","arguments":{"a":2,"b":3}}'

SPECIAL_TOKENS = {
    "<|endoftext|>": gguf.TokenType.CONTROL,
    "<|im_start|>": gguf.TokenType.CONTROL,
    "<|im_end|>": gguf.TokenType.CONTROL,
    "<think>": gguf.TokenType.USER_DEFINED,
    "</think>": gguf.TokenType.USER_DEFINED,
    "<tool_call>": gguf.TokenType.USER_DEFINED,
    "</tool_call>": gguf.TokenType.USER_DEFINED,
    # Whole calls, so that a model which looks at the last token only can write them.
    SIX_TIMES_SEVEN: gguf.TokenType.USER_DEFINED,
    TWO_TIMES_THREE: gguf.TokenType.USER_DEFINED,
}

_CORPUS = (
    "Let me check the answer step by step. Hmm, wait\n\n12 + 30 = 42\n\nHmm\n"
    "So first we add the tens, then the ones\n\nGrüße, 你好 🙂\n"
)

Script = Mapping[str, Mapping[str, float]]
"""For each token the probabilities of those that may follow it, in plain text."""

THINKER: Script = {
    "\n": {"Let": 0.7, "Hmm": 0.3},
    "Let": {" me": 1.0},
    " me": {" check": 1.0},
    " check": {" the": 1.0},
    " the": {" answer": 1.0},
    " answer": {".": 1.0},
    "Hmm": {".": 1.0},
    ".": {"</think>": 1.0},
    "</think>": {"\n\n": 1.0},
    "\n\n": {"4": 0.75, "7": 0.25},
    "4": {"2": 1.0},
}
"""Thinks "Let me check the answer." (0.7) or "Hmm."; then answers "42" (0.75) or "7"."""

ENDLESS: Script = {
    "\n": {" wait": 1.0},
    " wait": {" wait": 1.0},
    "</think>": {"\n\n": 1.0},
    "\n\n": {"4": 1.0},
    "4": {"2": 1.0},
}
"""Thinks " wait" for ever; once its thought is ended from outside, answers "42"."""


CALLER: Script = {
    "\n": {"<tool_call>": 1.0},
    "<tool_call>": {SIX_TIMES_SEVEN: 1.0},
    SIX_TIMES_SEVEN: {"</tool_call>": 1.0},
    "Hmm": {"4": 1.0},
    "4": {"2": 1.0},
}
"""Calls a tool, and answers "42" to its result (with ``TOOLS_CHAT_TEMPLATE``)."""


@cache
def vocabulary(size: int = 352) -> tuple[list[str], list[gguf.TokenType], list[str]]:
    """Tokens, their types and the byte-pair merges of a small Qwen2-like tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRE_TOKENISATION), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([_CORPUS] * 20, trainer)
    learned = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(learned["vocab"], key=learned["vocab"].get)
    types = [gguf.TokenType.NORMAL] * len(tokens)
    for token, kind in SPECIAL_TOKENS.items():
        tokens.append(token)
        types.append(kind)
    while len(tokens) % 32:
        tokens.append(f"[PAD{len(tokens)}]")
        types.append(gguf.TokenType.UNUSED)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in learned["merges"]]
    return tokens, types, merges


def tiny_model(
    path: Path,
    family: str = "qwen2",
    *,
    hidden: int = 64,
    feed_forward: int = 128,
    layers: int = 2,
    experts: int = 4,
    storage: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
    context: int = 2048,
    chat_template: str = CHAT_TEMPLATE,
    seed: int = 0,
) -> Path:
    """Write a model with random weights; ``family``: qwen2, qwen3, qwen2moe, qwen3moe or llama.

    ``storage`` is the type of the matrices: F32, F16, Q8_0 or Q4_0.  To make K-quants of it with
    llama.cpp, choose ``hidden`` and ``feed_forward`` as multiples of 256.
    """
    draw = np.random.default_rng(seed)
    architecture = tiny_architecture(family, hidden, feed_forward, layers, experts, context)
    writer = _writer(path, architecture, chat_template)
    for tensor in architecture.tensors():
        if tensor.part == "norms":
            weights = np.ones(tensor.shape, np.float32)
        else:
            weights = draw.standard_normal(tensor.shape).astype(np.float32)
            # Unit rows in the embedding; elsewhere outputs of about the size of the inputs.
            if tensor.name != "token_embd.weight":
                weights /= math.sqrt(tensor.shape[-1])
        is_matrix = len(tensor.shape) > 1 and tensor.part != "router"
        _add(writer, tensor.name, weights, storage if is_matrix else gguf.GGMLQuantizationType.F32)
    return _finish(writer, path)


def tiny_architecture(
    family: str, hidden: int, feed_forward: int, layers: int, experts: int, context: int
) -> Architecture:
    """The shape of ``tiny_model``: four query heads, two key/value heads, two experts used."""
    return Architecture(
        family=family,
        layers=layers,
        hidden=hidden,
        feed_forward=feed_forward,
        vocabulary=len(vocabulary()[0]),
        attention=GroupedQueryAttention(
            heads=4,
            key_value_heads=2,
            head_dimension=hidden // 4,
            biases=family.startswith("qwen2"),
            head_norms=family.startswith("qwen3"),
        ),
        experts=MixtureOfExperts(
            experts=experts,
            used=2,
            width=feed_forward,
            shared=int(family == "qwen2moe"),
            shared_width=feed_forward if family == "qwen2moe" else 0,
            shared_gate=family == "qwen2moe",
        )
        if family.endswith("moe")
        else None,
        context=context,
    )


def mamba_model(path: Path, *, hidden: int = 64, layers: int = 2) -> Path:
    """Write a Mamba model (arXiv 2312.00752) with random weights: no attention, no feed-forward.

    Like published ones it says so with zeros: head_count 0, feed_forward_length 0.
    """
    draw = np.random.default_rng(0)
    inner, state, convolution, rank = 2 * hidden, 16, 4, 4
    writer = gguf.GGUFWriter(path, "mamba")
    writer.add_context_length(2048)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(layers)
    writer.add_ssm_conv_kernel(convolution)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(rank)
    writer.add_layer_norm_rms_eps(1e-5)
    _add_vocabulary(writer, CHAT_TEMPLATE)
    shapes = {"token_embd.weight": (len(vocabulary()[0]), hidden), "output_norm.weight": (hidden,)}
    for layer in range(layers):
        shapes |= {
            f"blk.{layer}.{name}": shape
            for name, shape in {
                "attn_norm.weight": (hidden,),
                "ssm_in.weight": (2 * inner, hidden),
                "ssm_conv1d.weight": (inner, convolution),
                "ssm_conv1d.bias": (inner,),
                "ssm_x.weight": (rank + 2 * state, inner),
                "ssm_dt.weight": (inner, rank),
                "ssm_dt.bias": (inner,),
                "ssm_a": (inner, state),
                "ssm_d": (inner,),
                "ssm_out.weight": (hidden, inner),
            }.items()
        }
    for name, shape in shapes.items():
        _add(writer, name, draw.standard_normal(shape).astype(np.float32) / math.sqrt(shape[-1]))
    return _finish(writer, path)


@dataclass(frozen=True)
class MarkovModel:
    """A model whose next token depends on the last one only, by known probabilities.

    ``tokens``: the vocabulary in llama.cpp's spelling ("Ġthe" for " the").
    ``probabilities``: (vocabulary, vocabulary), row i what follows token i.
    """

    path: Path
    tokens: list[str]
    probabilities: np.ndarray

    def id(self, text: str) -> int:
        """The number of the token with this text."""
        return self.tokens.index(_spelling(text))

    def probability(self, current: str, following: str) -> float:
        """How likely one token follows another."""
        return float(self.probabilities[self.id(current), self.id(following)])


def markov_model(
    path: Path,
    script: Script = THINKER,
    *,
    chat_template: str = CHAT_TEMPLATE,
    context: int = 4096,
    spread: float = 1e-6,
) -> MarkovModel:
    """Write a model that follows ``script``; any other token is followed by ``<|im_end|>``.

    Attention and feed-forward add nothing, the embedding of token i is the i-th unit vector, and
    the output matrix holds log-probabilities.  RMSNorm scales a unit vector to length
    sqrt(width), which the output matrix divides by; so the logits are the log-probabilities.
    ``spread`` is shared out evenly over the vocabulary, to keep all logarithms finite.
    """
    tokens, _, _ = vocabulary()
    width = 32 * math.ceil(len(tokens) / 32)
    probabilities = np.full((len(tokens), len(tokens)), spread / len(tokens))
    script = {_spelling(token): row for token, row in script.items()}
    for number, token in enumerate(tokens):
        for following, share in script.get(token, {"<|im_end|>": 1.0}).items():
            probabilities[number, tokens.index(_spelling(following))] += share * (1 - spread)
    assert np.allclose(probabilities.sum(axis=1), 1), "the shares in each row must sum to 1"

    # RMSNorm's epsilon must vanish beside a unit vector's mean square, 1 / width.
    architecture = replace(tiny_architecture("qwen2", width, 32, 1, 0, context), norm_epsilon=1e-12)
    writer = _writer(path, architecture, chat_template)
    embedding = np.zeros((len(tokens), width), np.float32)
    np.fill_diagonal(embedding, 1.0)
    output = np.zeros_like(embedding)
    output[:, : len(tokens)] = np.log(probabilities).T / math.sqrt(width)
    known = {"token_embd.weight": embedding, "output.weight": output}
    for tensor in architecture.tensors():
        fill = np.ones if tensor.part == "norms" else np.zeros
        weights = known.get(tensor.name)
        _add(writer, tensor.name, fill(tensor.shape, np.float32) if weights is None else weights)
    return MarkovModel(_finish(writer, path), tokens, probabilities)


def _spelling(text: str) -> str:
    """A token's text as byte-level tokenizers spell it: white space as visible letters."""
    return text.replace(" ", "Ġ").replace("\n", "Ċ")


def _writer(path: Path, architecture: Architecture, chat_template: str) -> gguf.GGUFWriter:
    """A GGUF writer with the architecture's settings, the vocabulary and the chat template."""
    attention, experts = architecture.attention, architecture.experts
    writer = gguf.GGUFWriter(path, architecture.family)
    writer.add_name(Path(path).stem)
    writer.add_context_length(architecture.context)
    writer.add_embedding_length(architecture.hidden)
    writer.add_block_count(architecture.layers)
    writer.add_feed_forward_length(architecture.feed_forward)
    writer.add_head_count(attention.heads)
    writer.add_head_count_kv(attention.key_value_heads)
    writer.add_layer_norm_rms_eps(architecture.norm_epsilon)
    writer.add_rope_freq_base(architecture.rope_theta)
    if attention.head_norms:
        writer.add_key_length(attention.head_dimension)
        writer.add_value_length(attention.head_dimension)
    if experts is not None:
        writer.add_expert_count(experts.experts)
        writer.add_expert_used_count(experts.used)
        writer.add_expert_feed_forward_length(experts.width)
        if experts.shared_width:
            writer.add_expert_shared_feed_forward_length(experts.shared_width)
    _add_vocabulary(writer, chat_template)
    return writer


def _add_vocabulary(writer: gguf.GGUFWriter, chat_template: str) -> None:
    tokens, types, merges = vocabulary()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_pad_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(chat_template)


def _add(
    writer: gguf.GGUFWriter,
    name: str,
    weights: np.ndarray,
    storage: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
) -> None:
    if storage == gguf.GGMLQuantizationType.F32:
        writer.add_tensor(name, weights)
    else:
        writer.add_tensor(name, gguf.quants.quantize(weights, storage), raw_dtype=storage)


def _finish(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return Path(path)
