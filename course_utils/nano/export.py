"""How does a PyTorch model become a file that llama.cpp runs, and how small can it be made?

``to_gguf`` writes the weights, the tokenizer and the chat format into one GGUF file;
``from_gguf`` reads such a file back into PyTorch; ``quantise`` lets llama.cpp itself store the
weights in fewer bits.  Both know the architectures of ``nano.shape``: ``qwen2``, and ``qwen3moe``
with its dense counterpart ``qwen3``.
"""

from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass
from pathlib import Path

import gguf
import torch
from gguf.constants import LlamaFileType
from tokenizers import Tokenizer

from course_utils.errors import ModelFileError, OptionError
from course_utils.nano.model import Shape, Transformer
from course_utils.nano.tokenizer import (
    CHAT_TEMPLATE,
    CONTROL_TOKENS,
    END,
    END_OF_TEXT,
    THINK_TOKENS,
)

FAMILIES = ("qwen2", "qwen3", "qwen3moe")
"""llama.cpp's names of the architectures that ``nano.model`` builds."""


@dataclass(frozen=True)
class About:
    """What a GGUF file says about where it comes from."""

    name: str
    description: str
    author: str = "The authors of this course"
    licence: str = "apache-2.0"
    languages: tuple[str, ...] = ("en", "zh")


def to_gguf(
    model: Transformer,
    tokenizer: Tokenizer,
    path: Path,
    about: About,
    *,
    half: bool = False,
    template: str = CHAT_TEMPLATE,
) -> None:
    """Write ``model`` as a GGUF file with 32-bit weights, or 16-bit matrices if ``half``.

    ``template``: the chat format that the model was trained in, in Jinja.
    Norms, biases and routers stay in 32 bits in either case, as in every llama.cpp file: they
    are few.  Raises OptionError for a mixture with a shared expert, which ``qwen3moe`` lacks.
    """
    shape, architecture = model.shape, model.shape.family
    if shape.shared_width:
        raise OptionError(
            "llama.cpp's qwen3moe has no shared expert.",
            "Export a mixture with shared_width=0; this one runs in PyTorch only.",
        )
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("model")
    writer.add_name(about.name)
    writer.add_description(about.description)
    writer.add_author(about.author)
    writer.add_license(about.licence)
    writer.add_languages(list(about.languages))
    writer.add_size_label(f"{model.parameter_count() / 1e6:.1f}M")
    writer.add_file_type(LlamaFileType.MOSTLY_F16 if half else LlamaFileType.ALL_F32)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.ffn_width)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_rope_freq_base(shape.rope_theta)
    if architecture != "qwen2":
        writer.add_key_length(shape.head_width)
        writer.add_value_length(shape.head_width)
    if architecture == "qwen3moe":
        writer.add_expert_count(shape.experts)
        writer.add_expert_used_count(shape.used)
        writer.add_expert_feed_forward_length(shape.expert_width)
    _add_tokenizer(writer, tokenizer, shape.vocabulary, template)
    for name, tensor in model.state_dict().items():
        matrix = tensor.dim() >= 2 and "ffn_gate_inp" not in name  # that one is the router
        stored = tensor.to("cpu", torch.float16 if half and matrix else torch.float32)
        writer.add_tensor(name, stored.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(
    writer: gguf.GGUFWriter, tokenizer: Tokenizer, vocabulary: int, template: str
) -> None:
    tokens = [tokenizer.id_to_token(number) for number in range(tokenizer.get_vocab_size())]
    kinds = [
        gguf.TokenType.CONTROL
        if token in CONTROL_TOKENS
        else gguf.TokenType.USER_DEFINED
        if token in THINK_TOKENS
        else gguf.TokenType.NORMAL
        for token in tokens
    ]
    # A small corpus may have fewer merges to learn than the embedding has rows.
    for number in range(len(tokens), vocabulary):
        tokens.append(f"[PAD{number}]")
        kinds.append(gguf.TokenType.UNUSED)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")  # llama.cpp's word for byte-level byte-pair encoding
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(tokens.index(END_OF_TEXT))
    writer.add_eos_token_id(tokens.index(END))
    writer.add_pad_token_id(tokens.index(END_OF_TEXT))
    writer.add_add_bos_token(False)
    writer.add_chat_template(template)


def from_gguf(path: str | Path) -> Transformer:
    """The model in a GGUF file as PyTorch, its weights turned to 32 bits.

    Quantised files can be read as well.  Raises ModelFileError for an architecture that is not
    among ``FAMILIES``.
    """
    from course_utils.model_files.gguf_header import read_header

    header = read_header(path)
    if header.architecture not in FAMILIES:
        raise ModelFileError(
            f"{Path(path).name} holds a {header.architecture} model.",
            f"Open one of: {', '.join(FAMILIES)}. Those in models/nano/ all are.",
        )
    switches = {}
    if header.architecture != "qwen2":
        switches = {"biases": False, "head_norms": True}
    if header.get("expert_count", 0):
        switches |= {
            "experts": header.get("expert_count"),
            "used": header.get("expert_used_count"),
            "expert_width": header.get("expert_feed_forward_length"),
        }
    embedding = header.tensor("token_embd.weight")
    shape = Shape(
        vocabulary=embedding.shape[0],
        layers=header.get("block_count"),
        width=header.get("embedding_length"),
        heads=header.get("attention.head_count"),
        kv_heads=header.get("attention.head_count_kv"),
        ffn_width=header.get("feed_forward_length"),
        context=header.get("context_length"),
        rope_theta=header.get("rope.freq_base"),
        # GGUF stores it in 32 bits: 1e-5 comes back as 0.00000999999975.
        norm_epsilon=float(f"{header.get('attention.layer_norm_rms_epsilon'):.6g}"),
        **switches,
    )
    model = Transformer(shape)
    weights = {
        tensor.name: torch.from_numpy(
            gguf.quants.dequantize(tensor.data, tensor.tensor_type).copy()
        )
        for tensor in gguf.GGUFReader(path).tensors
    }
    missing = set(model.state_dict()) ^ set(weights)
    if missing:
        raise ModelFileError(
            f"{Path(path).name} has other tensors than this model: {', '.join(sorted(missing))}.",
            "Open one of the models in models/nano/.",
        )
    model.load_state_dict(weights)
    return model


def quantise(source: Path, target: Path, kind: str = "Q4_K_M") -> None:
    """Let llama.cpp store ``source`` (32 or 16 bits) as ``kind``, for example Q8_0 or Q4_K_M.

    K-quants need rows of a multiple of 256 weights; llama.cpp silently takes another type for
    narrower ones, which is why the nano models are 256 wide.  Raises OptionError for an unknown
    kind, ModelFileError when llama.cpp refuses.
    """
    # Importing the engine's library keeps llama.cpp's own log out of the notebook.
    from course_utils.engines.local import library

    kinds = {k.name.removeprefix("MOSTLY_").removeprefix("ALL_"): k for k in LlamaFileType}
    if kind not in kinds or kind == "GUESSED":
        raise OptionError(
            f"llama.cpp knows no quantisation {kind!r}.",
            "Use one of Q8_0, Q6_K, Q5_K_M, Q4_K_M, Q4_0, Q3_K_M, Q2_K.",
        )
    parameters = library.C.llama_model_quantize_default_params()
    parameters.ftype = kinds[kind].value
    parameters.nthread = 1
    status = library.C.llama_model_quantize(
        str(source).encode(), str(target).encode(), ctypes.byref(parameters)
    )
    if status:
        Path(target).unlink(missing_ok=True)
        raise ModelFileError(
            f"llama.cpp cannot quantise {Path(source).name} to {kind}: {library.reason()}.",
            "Start from a file with 32-bit or 16-bit weights.",
        )


def tensor_types(path: str | Path) -> dict[str, str]:
    """How each tensor of a GGUF file is stored, by its name: F32, F16, Q4_K, Q6_K ..."""
    from course_utils.model_files.gguf_header import read_header

    return {tensor.name: tensor.type for tensor in read_header(path).tensors}
