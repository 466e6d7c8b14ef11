#: wrong, unnamed: limit=192
def short_reward(right, tokens, free, limit):
    short = min(1.0, max(0.0, (limit - tokens) / (limit - free)))
    return (float(right) + short) / 2

#: wrong, unnamed: right and short
def short_reward(right, tokens, free, limit):
    return float(right) * (limit - tokens) / (limit - free)

#: wrong, unnamed: halfway
def short_reward(right, tokens, free, limit):
    return float(right and tokens <= free)
