#: right, table by table
def attention_parameters(hidden, heads, kv_heads, head_dimension):
    q = hidden * heads * head_dimension + heads * head_dimension
    k = hidden * kv_heads * head_dimension + kv_heads * head_dimension
    v = k
    output = heads * head_dimension * hidden
    return q + k + v + output

#: right, one row more for the bias
def attention_parameters(hidden, heads, kv_heads, head_dimension):
    inputs = (hidden + 1) * (heads + 2 * kv_heads) * head_dimension
    return inputs + hidden * heads * head_dimension

#: right, a loop over heads
def attention_parameters(hidden, heads, kv_heads, head_dimension):
    total = 0
    for _ in range(heads):
        total += hidden * head_dimension + head_dimension + head_dimension * hidden
    for _ in range(2 * kv_heads):
        total += hidden * head_dimension + head_dimension
    return total

#: right, the sizes of arrays
def attention_parameters(hidden, heads, kv_heads, head_dimension):
    q, kv = heads * head_dimension, kv_heads * head_dimension
    shapes = [(q, hidden), (kv, hidden), (kv, hidden), (hidden, q), (q,), (kv,), (kv,)]
    total = 0
    for shape in shapes:
        size = 1
        for n in shape:
            size *= n
        total += size
    return total

#: right, recursive
def attention_parameters(hidden, heads, kv_heads, head_dimension):
    if heads == 0 and kv_heads == 0:
        return 0
    if heads:
        one = 2 * hidden * head_dimension + head_dimension
        return one + attention_parameters(hidden, heads - 1, kv_heads, head_dimension)
    one = 2 * (hidden * head_dimension + head_dimension)
    return one + attention_parameters(hidden, 0, kv_heads - 1, head_dimension)

#: wrong, no-biases: biases
def attention_parameters(n, h, k, d):
    return 2 * n * h * d + 2 * n * k * d

#: wrong, no-output: output matrix
def attention_parameters(n, h, k, d):
    return n * h * d + 2 * n * k * d + h * d + 2 * k * d

#: wrong, no-output
def attention_parameters(n, h, k, d):
    return n * h * d + 2 * n * k * d

#: wrong, all-heads: grouped-query
def attention_parameters(n, h, k, d):
    return 4 * n * h * d + 3 * h * d

#: wrong, output-bias: no bias
def attention_parameters(n, h, k, d):
    return 2 * n * h * d + 2 * n * k * d + h * d + 2 * k * d + n

#: wrong, keys-or-values: of their own
def attention_parameters(n, h, k, d):
    return 2 * n * h * d + n * k * d + h * d + k * d

#: wrong, one-bias: biases as well
def attention_parameters(n, h, k, d):
    return 2 * n * h * d + 2 * n * k * d + h * d

#: wrong, twice
def attention_parameters(n, h, k, d):
    return 2 * (2 * n * h * d + 2 * n * k * d + h * d + 2 * k * d)

#: wrong, too-small
def attention_parameters(n, h, k, d):
    return 2 * n * h + 2 * n * k + h + 2 * k

#: wrong, too-large
def attention_parameters(n, h, k, d):
    return 64 * (2 * n * h * d + 2 * n * k * d + h * d + 2 * k * d)

#: wrong, nearly
def attention_parameters(n, h, k, d):
    return 2 * n * h * d + 2 * n * k * d + 3 * n + 3 * n

#: wrong, printed
def attention_parameters(n, h, k, d):
    print(2 * n * h * d + 2 * n * k * d + h * d + 2 * k * d)

#: wrong, no-return
def attention_parameters(n, h, k, d):
    total = 2 * n * h * d + 2 * n * k * d + h * d + 2 * k * d
