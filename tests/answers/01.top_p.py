#: right, a loop that stops when the sum is reached
def top_p(probabilities, p):
    kept, total = [], 0.0
    for token in np.argsort(-probabilities):
        if total >= p:
            break
        kept.append(token)
        total += probabilities[token]
    result = np.zeros(len(probabilities))
    for token in kept:
        result[token] = probabilities[token] / total
    return result

#: right, with a search in the running sum
def top_p(probabilities, p):
    order = np.argsort(probabilities)[::-1]
    count = np.searchsorted(np.cumsum(probabilities[order]), p) + 1
    keep = np.isin(np.arange(len(probabilities)), order[:count])
    return np.where(keep, probabilities, 0) / probabilities[keep].sum()

#: right, by the sum before each token
def top_p(q, p):
    order = np.argsort(-q)
    before = np.cumsum(q[order]) - q[order]
    r = np.zeros_like(q)
    r[order[before < p]] = q[order[before < p]]
    return r / r.sum()

#: right, in plain Python
def top_p(probabilities, p):
    pairs = sorted(enumerate(probabilities), key=lambda pair: -pair[1])
    kept = {}
    while pairs and sum(kept.values()) < p:
        token, probability = pairs.pop(0)
        kept[token] = probability
    total = sum(kept.values())
    return [kept.get(token, 0.0) / total for token in range(len(probabilities))]

#: right, recursive
def top_p(probabilities, p):
    def likeliest(left, wanted):
        if not left or wanted <= 0:
            return []
        best = max(left, key=lambda token: probabilities[token])
        return [best] + likeliest([t for t in left if t != best], wanted - probabilities[best])
    kept = likeliest(list(range(len(probabilities))), p)
    mask = np.array([token in kept for token in range(len(probabilities))])
    return probabilities * mask / probabilities[mask].sum()

#: right, by a threshold
def top_p(probabilities, p):
    falling = np.sort(probabilities)[::-1]
    least = falling[np.argmax(np.cumsum(falling) >= p)]
    kept = probabilities * (probabilities >= least)
    return kept / kept.sum()

#: wrong, too-few: too few tokens are left
def top_p(q, p):
    order = np.argsort(-q)
    kept = order[: max(1, int((np.cumsum(q[order]) < p).sum()))]
    r = np.zeros_like(q)
    r[kept] = q[kept]
    return r / max(r.sum(), 1e-9)

#: wrong, nothing-left: no token is left
def top_p(q, p):
    order = np.argsort(-q)
    kept = order[np.cumsum(q[order]) <= p]
    r = np.zeros_like(q)
    r[kept] = q[kept]
    return r / max(r.sum(), 1e-9)

#: wrong, one-too-many: exactly p
def top_p(q, p):
    order = np.argsort(-q)
    kept = order[: int((np.cumsum(q[order]) <= p).sum()) + 1]
    r = np.zeros_like(q)
    r[kept] = q[kept]
    return r / r.sum()

#: wrong, one-too-many
def top_p(q, p):
    order = np.argsort(-q)
    count = np.searchsorted(np.cumsum(q[order]), p, side="right") + 1
    r = np.zeros_like(q)
    r[order[:count]] = q[order[:count]]
    return r / r.sum()

#: wrong, sum-not-one: sum to 0.5
def top_p(q, p):
    order = np.argsort(-q)
    kept = order[: int((np.cumsum(q[order]) < p).sum()) + 1]
    r = np.zeros_like(q)
    r[kept] = q[kept]
    return r

#: wrong, too-many: more tokens are left
def top_p(q, p):
    return q

#: wrong, too-many: Do you sort first
def top_p(q, p):
    r = q.copy()
    r[int((np.cumsum(q) < p).sum()) + 1 :] = 0
    return r / r.sum()

#: wrong, wrong-places: Put each probability back
def top_p(q, p):
    r = np.sort(q)[::-1]
    r[int((np.cumsum(r) < p).sum()) + 1 :] = 0
    return r / r.sum()

#: wrong, nothing-left
def top_p(q, p):
    r = np.where(q >= p, q, 0)
    return r / max(r.sum(), 1e-9)

#: wrong, shape: The shape should be (5,)
def top_p(q, p):
    order = np.argsort(-q)
    kept = q[order[: int((np.cumsum(q[order]) < p).sum()) + 1]]
    return kept / kept.sum()

#: wrong, changes-its-input: Work on a copy
def top_p(q, p):
    order = np.argsort(-q)
    q[order[int((np.cumsum(q[order]) < p).sum()) + 1 :]] = 0
    return q / q.sum()

#: wrong, nothing-left
def top_p(q, p):
    order = np.argsort(-q)
    kept = order[: int((np.cumsum(q[order]) < p).sum()) + 1]
    r = np.zeros_like(q)
    r[kept] = q[kept]
    return r // r.sum()

#: wrong, printed
def top_p(q, p):
    order = np.argsort(-q)
    kept = order[: int((np.cumsum(q[order]) < p).sum()) + 1]
    print(q[kept] / q[kept].sum())

#: wrong, endless: Does a loop never stop?
def top_p(q, p):
    kept = np.zeros_like(q)
    while kept.sum() < p:
        kept[0] = q[0]
    return kept / kept.sum()
