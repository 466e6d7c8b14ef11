#: right, by the formula
def tokens_per_step(rate, drafted):
    return drafted + 1 if rate == 1 else (1 - rate ** (drafted + 1)) / (1 - rate)

#: right, with numpy
def tokens_per_step(rate, drafted):
    return np.power(rate, np.arange(drafted + 1)).sum()

#: right, by recursion
def tokens_per_step(rate, drafted):
    return 1.0 if drafted == 0 else 1 + rate * tokens_per_step(rate, drafted - 1)

#: right, by Horner's rule
def tokens_per_step(rate, drafted):
    total = 1.0
    for _ in range(drafted):
        total = 1 + rate * total
    return total

#: right, by the chance of each length
def tokens_per_step(rate, drafted):
    lengths = [(1 - rate) * rate**kept * (kept + 1) for kept in range(drafted)]
    return sum(lengths) + rate**drafted * (drafted + 1)

#: wrong, not-in-a-row: all before it
def tokens_per_step(rate, drafted):
    return 1 + rate * drafted

#: wrong, not-in-a-row: all before it
def tokens_per_step(rate, drafted):
    return rate * drafted

#: wrong, without-its-own: draws one itself
def tokens_per_step(rate, drafted):
    return sum(rate**place for place in range(1, drafted + 1))

#: wrong, one-too-few: one power more
def tokens_per_step(rate, drafted):
    return sum(rate**place for place in range(drafted))

#: wrong, one-too-many: that is all
def tokens_per_step(rate, drafted):
    return sum(rate**place for place in range(drafted + 2))

#: wrong, the-most: every token accepted
def tokens_per_step(rate, drafted):
    return drafted + 1

#: wrong, endless-draft: for ever
def tokens_per_step(rate, drafted):
    return 1 / (1 - rate)

#: wrong, all-or-nothing: only some
def tokens_per_step(rate, drafted):
    return rate**drafted * (drafted + 1)

#: wrong, at-the-ends: every token is accepted
def tokens_per_step(rate, drafted):
    return (1 - rate ** (drafted + 1)) / (1 - rate)
