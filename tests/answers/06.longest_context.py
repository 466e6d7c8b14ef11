#: right, with an if
def longest_context(free, weights, per_token):
    left = free - weights
    if left < 0:
        return 0
    return left // per_token

#: right, rounded down by hand
import math

def longest_context(free, weights, per_token):
    return math.floor(max(free - weights, 0) / per_token)

#: right, int cuts off
def longest_context(free, weights, per_token):
    return int((free - weights) / per_token) if free > weights else 0

#: right, without the remainder
def longest_context(free, weights, per_token):
    left = max(0, free - weights)
    return (left - left % per_token) / per_token

#: right, divmod
def longest_context(free, weights, per_token):
    tokens, rest = divmod(free - weights, per_token)
    return tokens if tokens > 0 else 0

#: right, numpy
def longest_context(free, weights, per_token):
    return np.clip(np.floor((free - weights) / per_token), 0, None)

#: wrong, weights-forgotten: weights take memory
def longest_context(free, weights, per_token):
    return free // per_token

#: wrong, not-whole: half a token cannot
def longest_context(free, weights, per_token):
    return max(0, (free - weights) / per_token)

#: wrong, rounded-up: Round down
def longest_context(free, weights, per_token):
    return max(0, -(-(free - weights) // per_token))

#: wrong, rounded-up
def longest_context(free, weights, per_token):
    return max(0, round((free - weights) / per_token))

#: wrong, weights-alone-too-large: no token fits
def longest_context(free, weights, per_token):
    return (free - weights) // per_token

#: wrong, weights-alone-too-large
def longest_context(free, weights, per_token):
    return abs(free - weights) // per_token

#: wrong, weights-alone-too-large
def longest_context(free, weights, per_token):
    return max(1, (free - weights) // per_token) if weights >= free else (free - weights) // per_token

#: wrong, rounded-too-early: round once
def longest_context(free, weights, per_token):
    return free // per_token - weights // per_token

#: wrong, weights-added: take it away
def longest_context(free, weights, per_token):
    return (free + weights) // per_token

#: wrong, half: half of what
def longest_context(free, weights, per_token):
    return (free - weights) // per_token // 2

#: wrong, bytes: How many tokens
def longest_context(free, weights, per_token):
    return max(0, free - weights)

#: wrong, multiplied
def longest_context(free, weights, per_token):
    return (free - weights) * per_token

#: wrong, too-small
def longest_context(free, weights, per_token):
    return max(0, (free - weights) / 1000 // per_token)

#: wrong, sign
def longest_context(free, weights, per_token):
    return -((free - weights) // per_token)

#: wrong, no-return
def longest_context(free, weights, per_token):
    tokens = max(0, (free - weights) // per_token)

#: wrong, no-number
def longest_context(free, weights, per_token):
    return f"{(free - weights) // per_token} tokens"

#: wrong, error
def longest_context(free, weights, per_token):
    return max(0, free - weights) // cache_bytes_per_token

#: wrong, endless
def longest_context(free, weights, per_token):
    tokens = 0
    while free - weights > tokens:
        tokens = tokens * per_token
    return tokens
