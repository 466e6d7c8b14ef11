"""Which exercises does notebook 02, inside the model, ask?"""

from __future__ import annotations

import math

import numpy as np

from course_utils.teaching.distribution import softmax
from course_utils.teaching.exercises.compare import (
    compare_array,
    compare_number,
    compare_probabilities,
)
from course_utils.teaching.exercises.declaration import Exercise, WrongExample


def _check_key_value_head(answer) -> str | None:
    # QwQ-32B, the nano models, and the two ends of the range: one shared head, none shared.
    for heads, kv_heads in ((40, 8), (4, 2), (6, 1), (4, 4)):
        group = heads // kv_heads
        wanted = [head // group for head in range(heads)]
        values = [answer(head, heads, kv_heads) for head in range(heads)]
        off = next(filter(None, map(compare_number, values, wanted)), None)
        if off is None:
            continue
        if _equal(values, [head % kv_heads for head in range(heads)]):
            return "Neighbours share a key/value head, but here heads that are far apart do."
        if _equal(values, [head / group for head in range(heads)]):
            return "The number of a head is whole. Which division gives whole numbers?"
        if _equal(values, [head // kv_heads for head in range(heads)]):
            return (
                f"With {heads} and {kv_heads} heads this goes wrong. "
                "By how many query heads is one key/value head shared?"
            )
        wrong = next(h for h in range(heads) if compare_number(values[h], wanted[h]))
        return f"With {heads} query and {kv_heads} key/value heads, query head {wrong}: {off}"
    return None


def _equal(values, wanted) -> bool:
    return all(
        compare_number(value, want) is None for value, want in zip(values, wanted, strict=True)
    )


def _check_causal_attention(answer) -> str | None:
    scores = np.array([[1.0, 9.0, 9.0], [0.5, 2.0, 9.0], [1.0, 0.0, -1.0]])
    past = np.tril(np.ones_like(scores, dtype=bool))
    values = answer(scores.copy())
    array = np.asarray(values, dtype=float)
    if array.shape == scores.shape:
        if (np.abs(array[~past]) > 1e-9).any():
            return "A token looks at tokens after it, above the diagonal. It cannot see those yet."
        if not np.allclose(array.sum(axis=1), 1, atol=1e-6) and np.allclose(
            array, np.where(past, softmax(scores), 0), atol=1e-6
        ):
            return (
                "The future is hidden after the softmax, so rows no longer sum to 1. "
                "Hide it before."
            )
    return compare_probabilities(values, softmax(np.where(past, scores, -np.inf)))


def _check_rotation(answer) -> str | None:
    for pair, position, frequency in (((1.0, 0.0), 3, 0.1), ((0.6, -2.0), 7, 0.01)):
        angle = position * frequency
        wanted = _rotate(pair, angle)
        values = answer(np.array(pair), position, frequency)
        off = compare_array(values, wanted)
        if off and compare_array(values, _rotate(pair, -angle)) is None:
            return "It turns the other way: check the signs of the two sines."
        first, second = wanted
        x_overwritten = first * math.sin(angle) + pair[1] * math.cos(angle)
        y_overwritten = pair[0] * math.cos(angle) - second * math.sin(angle)
        if off and compare_array(values, [first, x_overwritten]) is None:
            return "The first number is right. Did you change x before you computed y with it?"
        if off and compare_array(values, [y_overwritten, second]) is None:
            return "The second number is right. Did you change y before you computed x with it?"
        if off:
            return f"For the pair {pair} at position {position}: {off}"
    return None


def _rotate(pair, angle: float) -> np.ndarray:
    x, y = pair
    return np.array(
        [x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)]
    )


def _check_kv_cache(answer) -> str | None:
    # QwQ-32B at F16: 256 KiB per token (config: 64 layers, 8 key/value heads of 128).
    for tokens, layers, heads, dimension, size in ((8192, 64, 8, 128, 2), (100, 4, 2, 64, 1)):
        wanted = 2 * tokens * layers * heads * dimension * size
        value = answer(tokens, layers, heads, dimension, size)
        off = compare_number(value, wanted, relative=1e-9)
        if size > 1 and compare_number(value, wanted / size, relative=1e-9) is None:
            one_byte = answer(tokens, layers, heads, dimension, 1)
            if compare_number(one_byte, wanted / size, relative=1e-9) is None:
                return "It is half of what it should be. Are the bytes of each number counted?"
            return "It is half of what it should be. Keys and values are both kept."
        if off:
            return f"For {tokens} tokens, {layers} layers and {heads} key/value heads: {off}"
    return None


def _check_attention_parameters(answer) -> str | None:
    for hidden, heads, kv_heads, dimension in ((5120, 40, 8, 128), (256, 4, 2, 64)):
        queries, keys = heads * dimension, kv_heads * dimension
        weights = hidden * queries + 2 * hidden * keys + queries * hidden
        biases = queries + 2 * keys
        value = answer(hidden, heads, kv_heads, dimension)
        if compare_number(value, weights, relative=1e-9) is None:
            return "All four matrices are counted, but not the biases of Q, K and V."
        if any(
            compare_number(value, weights - queries * hidden + extra, relative=1e-9) is None
            for extra in (0, biases)
        ):
            return "The output matrix is missing: it quantisations the heads' results."
        if compare_number(value, weights + biases + hidden, relative=1e-9) is None:
            return "The output projection has no bias in this architecture."
        full = 4 * hidden * queries
        if kv_heads != heads and compare_number(value, full + 3 * queries, relative=1e-9) is None:
            return "Keys and values have fewer heads than queries: grouped-query attention."
        off = compare_number(value, weights + biases, relative=1e-9)
        if off:
            return f"For hidden size {hidden} with {heads} and {kv_heads} heads: {off}"
    return None


EXERCISES = [
    Exercise(
        id="02.rotation",
        title="Rotate one pair of a query, as RoPE does",
        answer="rotate_pair",
        check=_check_rotation,
        right="Query and key are turned alike, so their product depends on their distance alone.",
        hints=(
            "The angle is the position times the pair's frequency.",
            "A rotation takes (x, y) to (x cos a - y sin a, x sin a + y cos a).",
        ),
        setup="import numpy as np",
        solution="""
def rotate_pair(pair, position, frequency):
    angle = position * frequency
    x, y = pair
    return np.array([
        x * np.cos(angle) - y * np.sin(angle),
        x * np.sin(angle) + y * np.cos(angle),
    ])
""",
        wrong=(
            WrongExample(
                "def rotate_pair(pair, position, f):\n"
                "    a = -position * f\n"
                "    x, y = pair\n"
                "    return np.array([x * np.cos(a) - y * np.sin(a),"
                " x * np.sin(a) + y * np.cos(a)])",
                "other way",
            ),
            WrongExample(
                "def rotate_pair(pair, position, f):\n"
                "    x, y = pair\n"
                "    x = x * np.cos(position * f) - y * np.sin(position * f)\n"
                "    y = x * np.sin(position * f) + y * np.cos(position * f)\n"
                "    return np.array([x, y])",
                "change x before",
            ),
            WrongExample(
                "def rotate_pair(pair, position, f):\n"
                "    x, y = pair\n"
                "    y = x * np.sin(position * f) + y * np.cos(position * f)\n"
                "    x = x * np.cos(position * f) - y * np.sin(position * f)\n"
                "    return np.array([x, y])",
                "change y before",
            ),
            WrongExample("def rotate_pair(pair, position, f):\n    return pair", "off"),
            WrongExample(
                "def rotate_pair(pair, position, f):\n    return pair[0] * np.cos(position * f)",
                "shape",
            ),
        ),
    ),
    Exercise(
        id="02.key_value_head",
        title="Which key/value head does a query head read?",
        answer="key_value_head",
        check=_check_key_value_head,
        right="In QwQ-32B five neighbours share one head: 40 queries, 8 keys, 8 values.",
        hints=(
            "In QwQ-32B query heads 0 to 4 read key/value head 0, and 5 to 9 read head 1.",
            "Divide `heads` by `kv_heads` first: so many query heads form a group.",
        ),
        solution="""
def key_value_head(query_head, heads, kv_heads):
    group = heads // kv_heads
    return query_head // group
""",
        wrong=(
            WrongExample("def key_value_head(q, h, k):\n    return q % k", "Neighbours"),
            WrongExample("def key_value_head(q, h, k):\n    return q // k", "shared"),
            WrongExample("def key_value_head(q, h, k):\n    return q / (h // k)", "whole"),
            WrongExample("def key_value_head(q, h, k):\n    return q // (h // k) + 1", "too large"),
        ),
    ),
    Exercise(
        id="02.causal_attention",
        title="Turn scores into attention that cannot see the future",
        answer="causal_attention",
        check=_check_causal_attention,
        right="Row i now depends on tokens 0 to i only, so one pass trains every position at once.",
        hints=(
            "`np.tril(np.ones_like(scores))` is 1 on and below the diagonal.",
            "Put minus infinity where the future is, and only then take the softmax of each row.",
        ),
        setup="import numpy as np\nfrom course_utils.teaching import softmax",
        solution="""
def causal_attention(scores):
    past = np.tril(np.ones_like(scores)) == 1
    return softmax(np.where(past, scores, -np.inf))
""",
        wrong=(
            WrongExample(
                "def causal_attention(scores):\n    return softmax(scores)", "tokens after it"
            ),
            WrongExample(
                "def causal_attention(scores):\n    return np.tril(softmax(scores))",
                "before",
            ),
            WrongExample(
                "def causal_attention(scores):\n    return np.triu(softmax(scores))",
                "tokens after it",
            ),
        ),
    ),
    Exercise(
        id="02.kv_cache",
        title="How many bytes does the KV cache of a conversation take?",
        answer="kv_cache_bytes",
        check=_check_kv_cache,
        right="For QwQ-32B that is 256 KiB a token: 2 GiB at 8,192 tokens, beside the weights.",
        hints=(
            "Each layer keeps one key and one value for every token and key/value head.",
            "Each of them is `head_dimension` numbers long.",
        ),
        solution="""
def kv_cache_bytes(tokens, layers, kv_heads, head_dimension, bytes_per_number):
    numbers_per_token = 2 * layers * kv_heads * head_dimension
    return tokens * numbers_per_token * bytes_per_number
""",
        wrong=(
            WrongExample(
                "def kv_cache_bytes(t, layers, h, d, b):\n    return t * layers * h * d * b",
                "Keys and values",
            ),
            WrongExample(
                "def kv_cache_bytes(t, layers, h, d, b):\n    return 2 * t * layers * h * d",
                "bytes of each number",
            ),
            WrongExample(
                "def kv_cache_bytes(t, layers, h, d, b):\n    return 2 * t * h * d * b", "too small"
            ),
            WrongExample(
                "def kv_cache_bytes(t, layers, h, d, b):\n    return 16 * t * layers * h * d * b",
                "Bits or bytes?",
            ),
        ),
    ),
    Exercise(
        id="02.attention_parameters",
        title="Count the parameters of one attention block, biases included",
        answer="attention_parameters",
        check=_check_attention_parameters,
        right="With 8 key/value heads for 40 query heads, K and V shrink to a fifth of Q.",
        hints=(
            "Four matrices: Q and the output for all heads, K and V for the key/value heads.",
            "A matrix from n to m numbers has n times m parameters; Q, K and V also have a bias.",
        ),
        solution="""
def attention_parameters(hidden, heads, kv_heads, head_dimension):
    queries = heads * head_dimension
    keys = kv_heads * head_dimension
    matrices = hidden * queries + 2 * hidden * keys + queries * hidden
    biases = queries + 2 * keys
    return matrices + biases
""",
        wrong=(
            WrongExample(
                "def attention_parameters(n, h, k, d):\n    return 2 * n * h * d + 2 * n * k * d",
                "biases",
            ),
            WrongExample(
                "def attention_parameters(n, h, k, d):\n"
                "    return n * h * d + 2 * n * k * d + h * d + 2 * k * d",
                "output matrix",
            ),
            WrongExample(
                "def attention_parameters(n, h, k, d):\n    return 4 * n * h * d + 3 * h * d",
                "grouped-query",
            ),
            WrongExample(
                "def attention_parameters(n, h, k, d):\n"
                "    return 2 * n * h * d + 2 * n * k * d + h * d + 2 * k * d + n",
                "no bias",
            ),
        ),
    ),
]
