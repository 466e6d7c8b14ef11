#: right, in one product
def kv_cache_bytes(tokens, layers, kv_heads, head_dimension, bytes_per_number):
    return 2 * tokens * layers * kv_heads * head_dimension * bytes_per_number

#: right, keys and values apart
def kv_cache_bytes(tokens, layers, kv_heads, head_dimension, bytes_per_number):
    keys = tokens * layers * kv_heads * head_dimension
    values = tokens * layers * kv_heads * head_dimension
    return (keys + values) * bytes_per_number

#: right, a loop over layers
def kv_cache_bytes(tokens, layers, kv_heads, head_dimension, bytes_per_number):
    total = 0
    for _ in range(layers):
        for _ in ("key", "value"):
            total += tokens * kv_heads * head_dimension * bytes_per_number
    return total

#: right, with NumPy
def kv_cache_bytes(*factors):
    return 2 * np.prod(np.array(factors, dtype=np.int64))

#: right, the size of an array
def kv_cache_bytes(tokens, layers, kv_heads, head_dimension, bytes_per_number):
    one = np.empty((2, kv_heads, head_dimension), dtype=f"i{bytes_per_number}")
    return one.nbytes * tokens * layers

#: right, recursive
def kv_cache_bytes(tokens, layers, kv_heads, head_dimension, bytes_per_number):
    if layers == 0:
        return 0
    this = 2 * tokens * kv_heads * head_dimension * bytes_per_number
    return this + kv_cache_bytes(tokens, layers - 1, kv_heads, head_dimension, bytes_per_number)

#: wrong, keys-only: Keys and values
def kv_cache_bytes(t, layers, h, d, b):
    return t * layers * h * d * b

#: wrong, numbers-not-bytes: bytes of each number
def kv_cache_bytes(t, layers, h, d, b):
    return 2 * t * layers * h * d

#: wrong, one-layer: Every layer
def kv_cache_bytes(t, layers, h, d, b):
    return 2 * t * h * d * b

#: wrong, one-head
def kv_cache_bytes(t, layers, h, d, b):
    return 2 * t * layers * d * b

#: wrong, one-token
def kv_cache_bytes(t, layers, h, d, b):
    return 2 * layers * h * d * b

#: wrong, one-number
def kv_cache_bytes(t, layers, h, d, b):
    return 2 * t * layers * h * b

#: wrong, bits-or-bytes: Bits or bytes?
def kv_cache_bytes(t, layers, h, d, b):
    return 16 * t * layers * h * d * b

#: wrong, bits-or-bytes
def kv_cache_bytes(t, layers, h, d, b):
    return 2 * t * layers * h * d * b // 8

#: wrong, twice
def kv_cache_bytes(t, layers, h, d, b):
    return 4 * t * layers * h * d * b

#: wrong, unit
def kv_cache_bytes(t, layers, h, d, b):
    return 2 * t * layers * h * d * b / 2**30

#: wrong, nearly
def kv_cache_bytes(t, layers, h, d, b):
    return 2 * (t - 1) * layers * h * d * b

#: wrong, too-small
def kv_cache_bytes(t, layers, h, d, b):
    return 2 * (t + layers + h + d + b)

#: wrong, printed
def kv_cache_bytes(t, layers, h, d, b):
    print(2 * t * layers * h * d * b)
