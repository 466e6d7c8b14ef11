"""What does the header of a stand-in say? The shape, the vocabulary, a template, the tensors.

Where the shape has room for it, the vocabulary is QwQ-32B's own, else one that is made up.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf.constants import TokenType

from course_utils.model_files.architectures import Architecture, GroupedQueryAttention
from course_utils.model_files.quantisation import (
    block_bytes,
    block_weights,
    stored_bytes,
    tensor_type,
)
from course_utils.model_files.qwen_vocabulary import (
    Vocabulary,
    letter_of_byte,
    qwen_vocabulary,
)

QWEN_TOKENS = 151_669
"""A vocabulary of at least so many tokens has room for QwQ-32B's."""

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
"""QwQ's format of a conversation, in its simplest form: each turn between two tokens, and a reply
that begins with a thought."""


def write_header(path: Path, architecture: Architecture, quantisation: str, title: str) -> None:
    """Metadata, a vocabulary, and the list of tensors."""
    from gguf import GGUFWriter, LlamaFileType
    from gguf.constants import GGMLQuantizationType

    writer = GGUFWriter(path, architecture.family)
    writer.add_name(f"{title} (stand-in: true shape, zero weights)")
    writer.add_file_type(_file_type(LlamaFileType, quantisation))
    _add_shape(writer, architecture)
    vocabulary, end = _vocabulary(architecture)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.kinds)
    writer.add_token_merges([f"{first} {second}" for first, second in vocabulary.merges])
    writer.add_eos_token_id(end)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    for tensor in architecture.tensors():
        kind = tensor_type(tensor, architecture, quantisation)
        size = stored_bytes(tensor.shape, kind)
        rows = (*tensor.shape[:-1], tensor.shape[-1] // block_weights(kind) * block_bytes(kind))
        dtype = np.dtype(np.uint8)
        writer.add_tensor_info(tensor.name, rows, dtype, size, raw_dtype=GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()


def _file_type(known, quantisation: str) -> int:
    return known["ALL_F32" if quantisation == "F32" else f"MOSTLY_{quantisation}"]


def _vocabulary(architecture: Architecture) -> tuple[Vocabulary, int]:
    """The vocabulary of a shape, as many tokens as it has rows, and the token that ends a turn."""
    if architecture.vocabulary >= QWEN_TOKENS:
        qwen = qwen_vocabulary()
        end = qwen.tokens.index("<|im_end|>")
    else:
        qwen = _made_up_vocabulary(architecture.vocabulary)
        end = len(qwen.tokens) - 1
    # Rows beyond the vocabulary are padding, named as llama.cpp's converter names them.
    padding = range(len(qwen.tokens), architecture.vocabulary)
    tokens = [*qwen.tokens, *(f"[PAD{number}]" for number in padding)]
    kinds = [*qwen.kinds, *[TokenType.UNUSED] * len(padding)]
    return Vocabulary(tokens, kinds, qwen.merges), end


def _made_up_vocabulary(size: int) -> Vocabulary:
    """The 256 bytes, then numbered tokens up to ``size``, the last of which ends a turn."""
    letters = letter_of_byte()
    tokens = [letters[byte] for byte in range(256)] + ["\u0100\u0100"]
    tokens = (tokens + [f"<{number}>" for number in range(len(tokens), size)])[:size]
    kinds = [TokenType.NORMAL] * (size - 1) + [TokenType.CONTROL]
    # llama.cpp insists on at least one merge; this one joins two bytes that no text holds.
    return Vocabulary(tokens, kinds, [("\u0100", "\u0100")])


def _add_shape(writer, architecture: Architecture) -> None:
    """The metadata from which llama.cpp knows the shape."""
    attention, experts = architecture.attention, architecture.experts
    writer.add_context_length(architecture.context)
    writer.add_embedding_length(architecture.hidden)
    writer.add_block_count(architecture.layers)
    writer.add_feed_forward_length(architecture.feed_forward)
    writer.add_head_count(attention.heads)
    writer.add_layer_norm_rms_eps(architecture.norm_epsilon)
    writer.add_rope_freq_base(architecture.rope_theta)
    writer.add_vocab_size(architecture.vocabulary)
    if isinstance(attention, GroupedQueryAttention):
        writer.add_head_count_kv(attention.key_value_heads)
        writer.add_key_length(attention.head_dimension)
        writer.add_value_length(attention.head_dimension)
    else:
        # In the latent all heads share one key, as long as the latent and the rotary part.
        writer.add_head_count_kv(1)
        writer.add_key_length(attention.key_value_rank + attention.rope_dimension)
        writer.add_value_length(attention.key_value_rank)
        writer.add_key_length_mla(attention.nope_dimension + attention.rope_dimension)
        writer.add_value_length_mla(attention.value_dimension)
        writer.add_q_lora_rank(attention.query_rank)
        writer.add_kv_lora_rank(attention.key_value_rank)
        writer.add_rope_dimension_count(attention.rope_dimension)
    if experts is not None:
        writer.add_expert_count(experts.experts)
        writer.add_expert_used_count(experts.used)
        writer.add_expert_feed_forward_length(experts.width)
        if experts.shared:
            writer.add_expert_shared_count(experts.shared)
            writer.add_expert_shared_feed_forward_length(experts.shared_width)
        if architecture.family == "deepseek2":
            from gguf import ExpertGatingFuncType

            writer.add_leading_dense_block_count(min(experts.dense_layers, architecture.layers))
            writer.add_expert_gating_func(ExpertGatingFuncType.SIGMOID)
            writer.add_expert_weights_norm(True)
            writer.add_expert_weights_scale(1.0)
