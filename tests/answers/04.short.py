#: right, with branches
def short_reward(right, tokens, free, limit):
    if not right or tokens >= limit:
        return 0.0
    if tokens <= free:
        return 1.0
    return (limit - tokens) / (limit - free)

#: right, interpolated
import numpy as np

def short_reward(right, tokens, free, limit):
    return right * np.interp(tokens, [free, limit], [1.0, 0.0])

#: right, clipped
import numpy as np

def short_reward(right, tokens, free, limit):
    return float(np.clip((limit - tokens) / (limit - free), 0, 1)) if right else 0

#: right, what is over
def short_reward(right, tokens, free, limit):
    over = max(0, tokens - free)
    return right * max(0.0, 1 - over / (limit - free))

#: right, the middle of three
def short_reward(right, tokens, free, limit):
    return int(right) * sorted([0.0, (limit - tokens) / (limit - free), 1.0])[1]

#: right, token by token
def short_reward(right, tokens, free, limit):
    reward = 1.0
    for t in range(free, min(tokens, limit)):
        reward -= 1 / (limit - free)
    return reward * right

#: wrong, wrong-paid: wrong and very short
def short_reward(right, tokens, free, limit):
    return min(1.0, max(0.0, (limit - tokens) / (limit - free)))

#: wrong, no-ramp: halfway
def short_reward(right, tokens, free, limit):
    short = min(1.0, max(0.0, (limit - tokens) / (limit - free)))
    return (float(right) + short) / 2

#: wrong, above-full: right and short
def short_reward(right, tokens, free, limit):
    return float(right) * (limit - tokens) / (limit - free)

#: wrong, no-ramp: halfway
def short_reward(right, tokens, free, limit):
    return float(right and tokens <= free)

#: wrong, below-nothing: beyond the limit
def short_reward(right, tokens, free, limit):
    return float(right) * min(1.0, (limit - tokens) / (limit - free))

#: wrong, fixed-bounds: other bounds
def short_reward(right, tokens, free, limit):
    return float(right) * min(1.0, max(0.0, (192 - tokens) / 152))

#: wrong, free-tokens
def short_reward(right, tokens, free, limit):
    return float(right) if tokens < free else float(right) * max(0, 0.9 * (limit - tokens) / (limit - free))

#: wrong, above-full
def short_reward(right, tokens, free, limit):
    return float(right) * min(1.0, max(0.0, (tokens - free) / (limit - free)))

#: wrong, no-ramp
def short_reward(right, tokens, free, limit):
    return float(right) * min(1, max(0, (limit - tokens) // (limit - free)))

#: wrong, no-ramp
def short_reward(right, tokens, free, limit):
    return float(right) * min(1.0, max(0.0, (limit - tokens) / (limit - free))) ** 2

#: wrong, at-limit
def short_reward(right, tokens, free, limit):
    if not right or tokens > limit:
        return 0.0
    return max(0.1, min(1.0, (limit - tokens) / (limit - free)))

#: wrong, wrong-paid
def short_reward(right, tokens, free, limit):
    short = min(1.0, max(0.0, (limit - tokens) / (limit - free)))
    return short if right else -short

#: wrong, printed
def short_reward(right, tokens, free, limit):
    print(float(right) * min(1.0, max(0.0, (limit - tokens) / (limit - free))))

#: wrong, no-number: a text
def short_reward(right, tokens, free, limit):
    return "1" if right else "0"

#: wrong, endless
def short_reward(right, tokens, free, limit):
    while limit > free:
        limit += tokens
    return float(right)
