"""Which exercises does notebook 02, inside the model, ask?

This module is long because an exercise is kept whole: its check, hints, solution and questions.
"""

from __future__ import annotations

import math

import numpy as np

from course_utils.teaching.distribution import softmax
from course_utils.teaching.exercises.compare import (
    compare_array,
    compare_number,
    compare_probabilities,
    first_mistake,
    known_mistake,
)
from course_utils.teaching.exercises.declaration import Exercise, Mistake, Option, Question


def _check_key_value_head(answer) -> Mistake | None:
    # QwQ-32B, the nano models, and the two ends of the range: one shared head, none shared.
    for heads, kv_heads in ((40, 8), (4, 2), (6, 1), (4, 4)):
        group = heads // kv_heads
        wanted = [head // group for head in range(heads)]
        values = [answer(head, heads, kv_heads) for head in range(heads)]
        off = next(filter(None, map(compare_number, values, wanted)), None)
        if off is None:
            continue
        known = (
            (
                [head % kv_heads for head in range(heads)],
                "takes-turns",
                "Neighbours share a key/value head, but here heads that are far apart do.",
            ),
            (
                [head / group for head in range(heads)],
                "not-whole",
                "The number of a head is whole. Which division gives whole numbers?",
            ),
            (
                [head // kv_heads for head in range(heads)],
                "group-size",
                f"With {heads} and {kv_heads} heads this goes wrong. "
                "By how many query heads is one key/value head shared?",
            ),
            (
                [head // group + 1 for head in range(heads)],
                "from-one",
                "Every number is one too large. Heads are counted from 0.",
            ),
        )
        wrong = next(h for h in range(heads) if compare_number(values[h], wanted[h]))
        case = f"With {heads} query and {kv_heads} key/value heads, query head {wrong}"
        return known_mistake(values, known, compare_array) or off.where(case)
    return None


def _check_causal_attention(answer) -> Mistake | None:
    for scores in (
        np.array([[1.0, 9.0, 9.0], [0.5, 2.0, 9.0], [1.0, 0.0, -1.0]]),
        np.array([[800.0, 0.0], [-900.0, -901.0]]),
    ):
        past = np.tril(np.ones_like(scores, dtype=bool))
        wanted = softmax(np.where(past, scores, -np.inf))
        values = answer(scores.copy())
        off = compare_probabilities(values, wanted)
        if off is None:
            continue
        if off.name in ("no-array", "shape", "not-finite"):
            return off
        return _attention_mistake(np.asarray(values, dtype=float), scores, past) or off
    return None


def _attention_mistake(values: np.ndarray, scores: np.ndarray, past: np.ndarray) -> Mistake | None:
    """A mistake in hiding the future that has a name, if it is one."""
    columns, rows = (np.allclose(values.sum(axis=axis), 1, atol=1e-6) for axis in (0, 1))
    signs = (
        (
            (np.abs(values[~past]) > 1e-9).any(),
            "sees-the-future",
            "A token looks at tokens after it, above the diagonal. It cannot see those yet.",
        ),
        (
            not np.diag(values).any(),
            "not-itself",
            "A token may look at itself too, on the diagonal.",
        ),
        (
            np.allclose(values, np.where(past, softmax(scores), 0), atol=1e-6),
            "hidden-too-late",
            "The future is hidden after the softmax, so rows no longer sum to 1. Hide it before.",
        ),
        (
            np.allclose(values, np.where(past, 1, 0) / past.sum(axis=1, keepdims=True)),
            "even",
            "Every earlier token gets the same share. What do the scores say?",
        ),
        (columns and not rows, "wrong-axis", "The columns sum to 1, and the rows should."),
    )
    return first_mistake(signs)


def _check_rotation(answer) -> Mistake | None:
    for pair, position, frequency in (((1.0, 0.0), 3, 0.1), ((0.6, -2.0), 7, 0.01)):
        angle = position * frequency
        wanted = _rotate(pair, angle)
        values = answer(np.array(pair), position, frequency)
        off = compare_array(values, wanted)
        if off:
            known = _rotation_mistake(values, pair, angle)
            return known or off.where(f"For the pair {pair} at position {position}")
    return None


def _rotation_mistake(values, pair, angle: float) -> Mistake | None:
    """A mistake in the rotation that has a name, if it is one."""
    first, second = _rotate(pair, angle)
    x_overwritten = first * math.sin(angle) + pair[1] * math.cos(angle)
    y_overwritten = pair[0] * math.cos(angle) - second * math.sin(angle)
    known = (
        (
            _rotate(pair, -angle),
            "other-way",
            "It turns the other way: check the signs of the two sines.",
        ),
        (
            _rotate(pair, math.radians(angle)),
            "degrees",
            "The angle is in radians already, as NumPy expects it.",
        ),
        (
            [first, x_overwritten],
            "overwrites",
            "The first number is right. Did you change x before you computed y with it?",
        ),
        (
            [y_overwritten, second],
            "overwrites",
            "The second number is right. Did you change y before you computed x with it?",
        ),
        (pair, "not-turned", "The pair comes back as it was."),
    )
    return known_mistake(values, known, compare_array)


def _rotate(pair, angle: float) -> np.ndarray:
    x, y = pair
    return np.array(
        [x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)]
    )


def _check_kv_cache(answer) -> Mistake | None:
    # No two factors alike, and none of them 8, so that each mistake can be told from the others.
    for tokens, layers, heads, dimension, size in ((1000, 48, 6, 96, 2), (100, 4, 2, 64, 1)):
        wanted = 2 * tokens * layers * heads * dimension * size
        value = answer(tokens, layers, heads, dimension, size)
        off = compare_number(value, wanted, relative=1e-9)
        if off is None:
            continue
        if size > 1 and compare_number(value, wanted / size, relative=1e-9) is None:
            one_byte = answer(tokens, layers, heads, dimension, 1)
            if compare_number(one_byte, wanted / size, relative=1e-9) is None:
                return Mistake(
                    "numbers-not-bytes",
                    "It is half of what it should be. Are the bytes of each number counted?",
                )
            return Mistake(
                "keys-only", "It is half of what it should be. Keys and values are both kept."
            )
        known = (
            (wanted / layers, "one-layer", "Every layer keeps keys and values of its own."),
            (wanted / heads, "one-head", "Every key/value head keeps keys and values of its own."),
            (wanted / tokens, "one-token", "This is one token's share. How many tokens are there?"),
            (wanted / dimension, "one-number", "A key is a vector of `head_dimension` numbers."),
        )
        case = f"For {tokens} tokens, {layers} layers and {heads} key/value heads"
        return known_mistake(value, known, relative=1e-9) or off.where(case)
    return None


def _check_attention_parameters(answer) -> Mistake | None:
    for hidden, heads, kv_heads, dimension in ((5120, 40, 8, 128), (256, 4, 2, 64)):
        queries, keys = heads * dimension, kv_heads * dimension
        weights = hidden * queries + 2 * hidden * keys + queries * hidden
        biases = queries + 2 * keys
        value = answer(hidden, heads, kv_heads, dimension)
        off = compare_number(value, weights + biases, relative=1e-9)
        if off is None:
            continue
        no_output = "The output matrix is missing: it mixes the heads' results."
        known = (
            (
                weights,
                "no-biases",
                "All four matrices are counted, but not the biases of Q, K and V.",
            ),
            (weights - queries * hidden + biases, "no-output", no_output),
            (weights - queries * hidden, "no-output", no_output),
            (
                weights + biases + hidden,
                "output-bias",
                "The output projection has no bias in this architecture.",
            ),
            (
                4 * hidden * queries + 3 * queries,
                "all-heads",
                "Keys and values have fewer heads than queries: grouped-query attention.",
            ),
            (
                weights + biases - hidden * keys - keys,
                "keys-or-values",
                "Keys and values each have a matrix and a bias of their own.",
            ),
            (weights + queries, "one-bias", "Keys and values have biases as well."),
        )
        case = f"For hidden size {hidden} with {heads} and {kv_heads} heads"
        return known_mistake(value, known, relative=1e-9) or off.where(case)
    return None


EXERCISES = [
    Exercise(
        id="02.rotation",
        title="Rotate one pair of a query, as RoPE does",
        answer="rotate_pair",
        check=_check_rotation,
        right="Query and key turn in the same way, so their score depends only on their distance.",
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
        difficulty=2,
        importance=3,
        minutes=6,
    ),
    Exercise(
        id="02.key_value_head",
        setup="import numpy as np",
        title="Which key/value head does a query head read?",
        answer="key_value_head",
        check=_check_key_value_head,
        right="In QwQ-32B five neighbours share one head: 40 queries, 8 keys, 8 values.",
        hints=(
            "In QwQ-32B query heads 0 to 4 read key/value head 0, and 5 to 9 read head 1.",
            "Divide `heads` by `kv_heads` first: that is how many query heads form a group.",
        ),
        solution="""
def key_value_head(query_head, heads, kv_heads):
    group = heads // kv_heads
    return query_head // group
""",
        difficulty=2,
        importance=4,
        minutes=5,
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
        difficulty=3,
        importance=5,
        minutes=10,
    ),
    Exercise(
        id="02.kv_cache",
        setup="import numpy as np",
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
        difficulty=2,
        importance=4,
        minutes=5,
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
        difficulty=3,
        importance=3,
        minutes=8,
    ),
]

QUESTIONS = [
    Question(
        id="02.embedding",
        asks="The same token occurs in two places in a text. What is the same in both?",
        options=(
            Option(
                "Their vectors, right after the embedding.",
                "The table has one row for a token, wherever it is in the text.",
            ),
            Option(
                "Their vectors, all the way through.",
                "After the first attention step, each has mixed in its own surroundings.",
            ),
            Option(
                "Nothing: the embedding knows the position.",
                "In this architecture position comes in later, when queries and keys are turned.",
            ),
        ),
        right=1,
    ),
    Question(
        id="02.stream",
        asks="What does a layer do with the residual stream?",
        options=(
            Option(
                "It replaces it with something better.",
                "Then later layers could not use what earlier ones had written.",
            ),
            Option(
                "It adds to it, twice.",
                "Attention adds, then the feed-forward part adds.",
            ),
            Option(
                "It stores it in the KV cache.",
                "The cache keeps keys and values, which are made from it.",
            ),
        ),
        right=2,
    ),
    Question(
        id="02.mask",
        asks="Why must a token not see the tokens after it?",
        options=(
            Option(
                "It would be too slow.",
                "Training computes all positions at once anyway, and a mask can only save work.",
            ),
            Option(
                "In training it could read off the token that it is supposed to predict.",
                "And when the model writes, later tokens do not exist yet.",
            ),
            Option(
                "RoPE cannot turn backwards.",
                "It can: a distance may be negative. There is a different reason for the mask.",
            ),
        ),
        right=2,
    ),
    Question(
        id="02.gqa",
        asks="What does grouped-query attention save?",
        options=(
            Option(
                "Layers.",
                "Their number stays the same.",
            ),
            Option(
                "Queries.",
                "There are as many query heads as before; each still asks its own question.",
            ),
            Option(
                "Memory for the conversation.",
                "Fewer keys and values are kept for each token: a fifth, in QwQ-32B.",
            ),
        ),
        right=3,
    ),
    Question(
        id="02.backup",
        asks="You switch off a head, and nothing gets worse. What do you know?",
        options=(
            Option(
                "The head does nothing.",
                "Another head may have stepped in. The neighbour of the copier looked useless too.",
            ),
            Option(
                "The model can do without this head alone.",
                "To find a backup, switch off the two together.",
            ),
            Option(
                "The attention map was wrong.",
                "The map shows where the head looks. Whether that is needed is another question.",
            ),
        ),
        right=2,
    ),
]
