#: right, a loop over the groups
def group_advantages(rewards):
    rows = []
    for group in rewards:
        n = len(group)
        middle = sum(group) / n
        spread = (sum((r - middle) ** 2 for r in group) / (n - 1)) ** 0.5
        rows.append([(r - middle) / (spread + 1e-4) for r in group])
    return np.array(rows)

#: right, the statistics module
def group_advantages(rewards):
    from statistics import mean, stdev
    return [
        [(r - mean(group)) / (stdev(group) + 1e-4) for r in group]
        for group in rewards.tolist()
    ]

#: right, along an axis
def group_advantages(rewards):
    def one(group):
        return (group - group.mean()) / (group.std(ddof=1) + 1e-4)
    return np.apply_along_axis(one, 1, rewards)

#: right, in PyTorch
def group_advantages(rewards):
    import torch
    r = torch.tensor(rewards)
    return (r - r.mean(1, keepdim=True)) / (r.std(1, keepdim=True) + 1e-4)

#: right, transposed and back
def group_advantages(rewards):
    turned = rewards.T
    return ((turned - turned.mean(0)) / (turned.std(0, ddof=1) + 1e-4)).T

#: right, recursive
def group_advantages(rewards):
    if len(rewards) == 0:
        return np.zeros((0, rewards.shape[1]))
    first = (rewards[0] - rewards[0].mean()) / (rewards[0].std(ddof=1) + 1e-4)
    return np.vstack([first, group_advantages(rewards[1:])])

#: right, equal groups apart
def group_advantages(rewards):
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    spread = rewards.std(axis=1, ddof=1, keepdims=True)
    return np.where(spread > 0, centred / np.where(spread > 0, spread, 1), 0)

#: wrong, no-division: standard deviation
def group_advantages(r):
    return r - r.mean(axis=1, keepdims=True)

#: wrong, sum-not-zero: sum to 0
def group_advantages(r):
    return (r - r.mean()) / r.std()

#: wrong, division-by-zero: deviation of 0
def group_advantages(r):
    return (r - r.mean(axis=1, keepdims=True)) / r.std(axis=1, keepdims=True)

#: wrong, population-deviation: whole population
def group_advantages(r):
    centred = r - r.mean(axis=1, keepdims=True)
    return centred / (r.std(axis=1, keepdims=True) + 1e-4)

#: wrong, sum-not-zero: along axis 1
def group_advantages(r):
    return (r - r.mean(axis=0)) / (r.std(axis=0, ddof=1) + 1e-4)

#: wrong, sign: check a sign
def group_advantages(r):
    return (r.mean(axis=1, keepdims=True) - r) / (r.std(axis=1, ddof=1, keepdims=True) + 1e-4)

#: wrong, sum-not-zero
def group_advantages(r):
    return r / (r.std(axis=1, ddof=1, keepdims=True) + 1e-4)

#: wrong, size: Divide by the group's deviation
def group_advantages(r):
    centred = r - r.mean(axis=1, keepdims=True)
    return centred / (r.var(axis=1, ddof=1, keepdims=True) + 1e-4)

#: wrong, shape: One advantage for each completion
def group_advantages(r):
    return ((r - r.mean(axis=1, keepdims=True)) / (r.std(axis=1, ddof=1, keepdims=True) + 1e-4))[0]

#: wrong, changes-its-input: Work on a copy
def group_advantages(r):
    r -= r.mean(axis=1, keepdims=True)
    return r / (r.std(axis=1, ddof=1, keepdims=True) + 1e-4)

#: wrong, sum-not-zero
def group_advantages(r):
    return (r - r.mean(axis=1, keepdims=True)) // (r.std(axis=1, ddof=1, keepdims=True) + 1e-4)

#: wrong, no-difference: all advantages are the same
def group_advantages(r):
    return np.zeros(r.shape)

#: wrong, printed
def group_advantages(r):
    print((r - r.mean(axis=1, keepdims=True)) / (r.std(axis=1, ddof=1, keepdims=True) + 1e-4))

#: wrong, endless
def group_advantages(r):
    while np.abs(r.mean()) < 2:
        r = r - r.mean(axis=1, keepdims=True)
    return r
