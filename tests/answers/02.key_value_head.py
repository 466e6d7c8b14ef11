#: right, in one division
def key_value_head(query_head, heads, kv_heads):
    return query_head * kv_heads // heads

#: right, rounded down
import math

def key_value_head(query_head, heads, kv_heads):
    return math.floor(query_head / (heads / kv_heads))

#: right, a loop
def key_value_head(query_head, heads, kv_heads):
    for kv_head in range(kv_heads):
        if query_head < (kv_head + 1) * (heads // kv_heads):
            return kv_head

#: right, recursive
def key_value_head(query_head, heads, kv_heads):
    group = heads // kv_heads
    if query_head < group:
        return 0
    return 1 + key_value_head(query_head - group, heads, kv_heads)

#: right, from a list of all
def key_value_head(query_head, heads, kv_heads):
    return np.repeat(np.arange(kv_heads), heads // kv_heads)[query_head]

#: right, a number with a point
def key_value_head(query_head, heads, kv_heads):
    return query_head // (heads / kv_heads)

#: wrong, takes-turns: Neighbours
def key_value_head(q, h, k):
    return q % k

#: wrong, group-size: shared
def key_value_head(q, h, k):
    return q // k

#: wrong, not-whole: whole
def key_value_head(q, h, k):
    return q / (h // k)

#: wrong, from-one: counted from 0
def key_value_head(q, h, k):
    return q // (h // k) + 1

#: wrong, half
def key_value_head(q, h, k):
    return min(q, k - 1) // 5

#: wrong, too-large
def key_value_head(q, h, k):
    return -(-q // (h // k))

#: wrong, too-large
def key_value_head(q, h, k):
    return round(q / (h // k))

#: wrong, too-large
def key_value_head(q, h, k):
    return q

#: wrong, too-small
def key_value_head(q, h, k):
    return 0

#: wrong, too-large
def key_value_head(q, h, k):
    return q // 2

#: wrong, printed
def key_value_head(q, h, k):
    print(q // (h // k))

#: wrong, error
def key_value_head(q, h, k):
    return q // (k // h)

#: wrong, endless
def key_value_head(q, h, k):
    head = 0
    while q >= h // k:
        head += 1
    return head
