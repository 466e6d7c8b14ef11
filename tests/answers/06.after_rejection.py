#: right, in a loop
def after_rejection(p, q):
    lacking = [max(a - b, 0.0) for a, b in zip(p, q)]
    return [each / sum(lacking) for each in lacking]

#: right, by where
def after_rejection(p, q):
    lacking = np.where(p > q, p - q, 0)
    return lacking / lacking.sum()

#: right, by clipping
def after_rejection(p, q):
    lacking = (p - q).clip(0)
    return np.divide(lacking, np.sum(lacking))

#: right, what is not common over what is rejected
def after_rejection(p, q):
    return (p - np.minimum(p, q)) / (1 - np.minimum(p, q).sum())

#: right, in PyTorch
def after_rejection(p, q):
    import torch

    lacking = torch.relu(torch.tensor(p) - torch.tensor(q))
    return lacking / lacking.sum()

#: right, step by step in a copy
def after_rejection(p, q):
    p = p - q
    p[p < 0] = 0
    p /= p.sum()
    return p

#: wrong, target-again: had their chance
def after_rejection(p, q):
    return p

#: wrong, draft-again: just rejected
def after_rejection(p, q):
    return q

#: wrong, no-division: do not sum to 1
def after_rejection(p, q):
    return (p - q).clip(0)

#: wrong, negative: not less
def after_rejection(p, q):
    return p - q

#: wrong, negative: not less
def after_rejection(p, q):
    return (p - q) / abs(p - q).sum()

#: wrong, wrong-way-round: where p is larger
def after_rejection(p, q):
    r = (q - p).clip(0)
    return r / r.sum()

#: wrong, both-sides: leave it out
def after_rejection(p, q):
    r = abs(p - q)
    return r / r.sum()

#: wrong, what-is-kept: still missing
def after_rejection(p, q):
    r = np.minimum(p, q)
    return r / r.sum()

#: wrong, shape: For p =
def after_rejection(p, q):
    return (p - q).max()
