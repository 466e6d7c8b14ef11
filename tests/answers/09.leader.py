#: right, with loops
def leaders(pairs):
    p_values, signs = [], []
    for a, b, problems in pairs:
        better = probability_better(a / 100, problems, b / 100)
        p_values.append(2 * better if better < 0.5 else 2 * (1 - better))
        signs.append(better > 0.5)
    words = []
    for adjusted, ahead in zip(holm(p_values), signs, strict=True):
        if adjusted < 0.05:
            words.append("A" if ahead else "B")
        else:
            words.append("cannot tell")
    return words

#: right, as a tuple
def leaders(pairs):
    better = [probability_better(a / 100, n, b / 100) for a, b, n in pairs]
    adjusted = holm([2 * min(p, 1 - p) for p in better])
    return tuple(
        ("A" if p > 0.5 else "B") if q < 0.05 else "cannot tell"
        for p, q in zip(better, adjusted, strict=True)
    )

#: right, Holm's rule by hand
def leaders(pairs):
    better = [probability_better(a / 100, n, b / 100) for a, b, n in pairs]
    p_values = [2 * min(p, 1 - p) for p in better]
    words = ["cannot tell"] * len(pairs)
    order = sorted(range(len(pairs)), key=lambda i: p_values[i])
    for rank, i in enumerate(order):
        if (len(pairs) - rank) * p_values[i] >= 0.05:
            break
        words[i] = "A" if better[i] > 0.5 else "B"
    return words

#: right, the higher score where it is settled
def leaders(pairs):
    better = [probability_better(a / 100, n, b / 100) for a, b, n in pairs]
    adjusted = holm([1 - abs(2 * p - 1) for p in better])
    return [
        "cannot tell" if q >= 0.05 else "A" if a > b else "B"
        for (a, b, _), q in zip(pairs, adjusted, strict=True)
    ]

#: right, with a comparison both ways
def leaders(pairs):
    for_a = [probability_better(a / 100, n, b / 100) for a, b, n in pairs]
    for_b = [probability_better(b / 100, n, a / 100) for a, b, n in pairs]
    adjusted = holm([2 * min(a, b) for a, b in zip(for_a, for_b, strict=True)])
    return [
        "cannot tell" if q >= 0.05 else "AB"[b > a]
        for a, b, q in zip(for_a, for_b, adjusted, strict=True)
    ]

#: wrong, error
def leaders(pairs):
    better = [probability_better(a, n, b) for a, b, n in pairs]
    adjusted = holm([2 * min(p, 1 - p) for p in better])
    return ["cannot tell" if q >= 0.05 else "A" for q in adjusted]

#: wrong, each-alone: all p values of the list together
def leaders(pairs):
    words = []
    for a, b, n in pairs:
        p = probability_better(a / 100, n, b / 100)
        words.append("cannot tell" if 2 * min(p, 1 - p) >= 0.05 else "A" if p > 0.5 else "B")
    return words

#: wrong, one-sided: twice the smaller tail
def leaders(pairs):
    words = []
    for a, b, n in pairs:
        p = probability_better(a / 100, n, b / 100)
        words.append("A" if p > 0.95 else "B" if p < 0.05 else "cannot tell")
    return words

#: wrong, one-sided: twice the smaller tail
def leaders(pairs):
    better = [probability_better(a / 100, n, b / 100) for a, b, n in pairs]
    adjusted = holm([min(p, 1 - p) for p in better])
    return [
        "cannot tell" if q >= 0.05 else "A" if p > 0.5 else "B"
        for p, q in zip(better, adjusted, strict=True)
    ]

#: wrong, times-the-number: less strict
def leaders(pairs):
    words = []
    for a, b, n in pairs:
        p = probability_better(a / 100, n, b / 100)
        q = len(pairs) * 2 * min(p, 1 - p)
        words.append("cannot tell" if q >= 0.05 else "A" if p > 0.5 else "B")
    return words

#: wrong, highest-score: What if luck
def leaders(pairs):
    return ["A" if a > b else "B" for a, b, n in pairs]

#: wrong, never-b: B can lead
def leaders(pairs):
    better = [probability_better(a / 100, n, b / 100) for a, b, n in pairs]
    adjusted = holm([2 * min(p, 1 - p) for p in better])
    return [
        "A" if q < 0.05 and p > 0.5 else "cannot tell"
        for p, q in zip(better, adjusted, strict=True)
    ]

#: wrong, swapped: wrong way round
def leaders(pairs):
    better = [probability_better(a / 100, n, b / 100) for a, b, n in pairs]
    adjusted = holm([2 * min(p, 1 - p) for p in better])
    return [
        "cannot tell" if q >= 0.05 else "B" if p > 0.5 else "A"
        for p, q in zip(better, adjusted, strict=True)
    ]

#: wrong, never: are settled
def leaders(pairs):
    return ["cannot tell" for _ in pairs]

#: wrong, no-word: Each word is one of
def leaders(pairs):
    return [probability_better(a / 100, n, b / 100) for a, b, n in pairs]

#: wrong, no-word
def leaders(pairs):
    return ["undecided" for _ in pairs]

#: wrong, one-word-each: one word for each pair
def leaders(pairs):
    return "A"

#: wrong, other-rule: you say
def leaders(pairs):
    return ["A" for _ in pairs]

#: wrong, printed
def leaders(pairs):
    print("cannot tell")
