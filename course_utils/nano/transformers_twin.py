"""How does a nano model become one of the transformers library? The same weights, other names.

For trainers and tools that take nothing else.  transformers is not a dependency of the course.
"""

from __future__ import annotations

import torch
from tokenizers import Tokenizer

from course_utils.nano.model import Transformer
from course_utils.nano.tokenizer import END, END_OF_TEXT

NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""llama.cpp's name of each module, which ours bears too, and the name in transformers."""


def name_in_transformers(name: str) -> str:
    """``blk.0.attn_q.weight`` becomes ``model.layers.0.self_attn.q_proj.weight``."""
    *block, module, kind = name.split(".")
    layer = f"model.layers.{block[1]}." if block else ""
    return f"{layer}{NAMES[module]}.{kind}"


def as_qwen2(model: Transformer, tokenizer: Tokenizer):
    """A ``Qwen2ForCausalLM`` of this shape and weights; its logits differ by less than 1e-4."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    shape = model.shape
    config = Qwen2Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.ffn_width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=shape.context,
        rms_norm_eps=shape.norm_epsilon,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        tie_word_embeddings=False,
        eos_token_id=tokenizer.token_to_id(END),
        pad_token_id=tokenizer.token_to_id(END_OF_TEXT),
    )
    twin = Qwen2ForCausalLM(config)
    twin.load_state_dict({name_in_transformers(n): t for n, t in model.state_dict().items()})
    tokens = torch.arange(800).view(8, 100) * 7 % tokenizer.get_vocab_size()
    with torch.no_grad():
        apart = (model(tokens) - twin.eval()(tokens).logits).abs().max().item()
    assert apart < 1e-4, f"the two models' logits differ by {apart:.1e}"
    return twin.train()
