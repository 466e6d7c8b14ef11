#: right, a loop that remembers
def repeated_share(tokens, n):
    seen, again, total = set(), 0, 0
    for i in range(len(tokens) - n + 1):
        gram = tuple(tokens[i : i + n])
        again += gram in seen
        seen.add(gram)
        total += 1
    return again / total if total else 0.0

#: right, a counter
from collections import Counter

def repeated_share(tokens, n):
    counts = Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
    total = sum(counts.values())
    return sum(count - 1 for count in counts.values()) / total if total else 0

#: right, zipped
def repeated_share(tokens, n):
    grams = list(zip(*[tokens[i:] for i in range(n)]))
    if not grams:
        return 0.0
    return (len(grams) - len(set(grams))) / len(grams)

#: right, as text
def repeated_share(tokens, n):
    grams = [" ".join(map(str, tokens[i : i + n])) for i in range(max(0, len(tokens) - n + 1))]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0

#: right, recursive
def repeated_share(tokens, n):
    def walk(rest, seen):
        if len(rest) < n:
            return 0
        gram = tuple(rest[:n])
        return (gram in seen) + walk(rest[1:], seen | {gram})
    total = len(tokens) - n + 1
    return walk(tokens, frozenset()) / total if total > 0 else 0.0

#: right, a dictionary
def repeated_share(tokens, n):
    if len(tokens) < n:
        return 0.0
    first = {}
    for i in range(len(tokens) - n + 1):
        first.setdefault(tuple(tokens[i : i + n]), i)
    return 1.0 - len(first) / (len(tokens) - n + 1)

#: wrong, share-of-new: that are new
def repeated_share(tokens, n):
    grams = [tuple(tokens[i:i+n]) for i in range(len(tokens) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0

#: wrong, single-tokens: single tokens are counted
def repeated_share(tokens, n):
    return 1 - len(set(tokens)) / len(tokens)

#: wrong, short-text: shorter than one n-gram
def repeated_share(tokens, n):
    grams = [tuple(tokens[i:i+n]) for i in range(len(tokens) - n + 1)]
    return 1 - len(set(grams)) / max(1, len(grams))

#: wrong, a-count: not a count
def repeated_share(tokens, n):
    grams = [tuple(tokens[i:i+n]) for i in range(len(tokens) - n + 1)]
    return len(grams) - len(set(grams))

#: wrong, first-counted: the first of a kind
def repeated_share(tokens, n):
    grams = [tuple(tokens[i:i+n]) for i in range(len(tokens) - n + 1)]
    return sum(grams.count(g) > 1 for g in grams) / len(grams) if grams else 0.0

#: wrong, tokens-below: fewer of them than tokens
def repeated_share(tokens, n):
    grams = [tuple(tokens[i:i+n]) for i in range(len(tokens) - n + 1)]
    return 1 - len(set(grams)) / len(tokens) if tokens else 0.0

#: wrong, error: ZeroDivisionError
def repeated_share(tokens, n):
    grams = [tuple(tokens[i:i+n]) for i in range(len(tokens) - n + 1)]
    return 1 - len(set(grams)) / len(grams)

#: wrong, error: unhashable
def repeated_share(tokens, n):
    grams = [tokens[i:i+n] for i in range(len(tokens) - n + 1)]
    return 1 - len(set(grams)) / len(grams)

#: wrong, not-overlapping: overlap
def repeated_share(tokens, n):
    grams = [tuple(tokens[i:i+n]) for i in range(0, len(tokens) - n + 1, n)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0

#: wrong, too-large
def repeated_share(tokens, n):
    grams = [tuple(tokens[i:i+n]) for i in range(len(tokens) - n + 1)]
    return 1 - len(set(grams)) // len(grams) if grams else 0.0

#: wrong, changes-its-input: Work on a copy
def repeated_share(tokens, n):
    grams = []
    while len(tokens) >= n:
        grams.append(tuple(tokens[:n]))
        tokens.pop(0)
        if not tokens:
            break
    return 1 - len(set(grams)) / len(grams) if grams else 0.0

#: wrong, printed
def repeated_share(tokens, n):
    grams = [tuple(tokens[i:i+n]) for i in range(len(tokens) - n + 1)]
    print(1 - len(set(grams)) / len(grams) if grams else 0.0)

#: wrong, endless
def repeated_share(tokens, n):
    seen = set()
    while True:
        seen.add(tuple(tokens[:n]))
