"""Words that byte-pair merges do not cross: the expression by which QwQ's tokenizer cuts text.

It stands alone, so that the nano models' tokenizer can take it without the rest of the engines.
"""

# llama.cpp's expression for "qwen2" (src/llama-vocab.cpp), written for the tokenizers library.
# Every digit stands alone: \p{N} has no plus sign.
QWEN2_SPLIT = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
