#: wrong, unnamed: standard deviation
def group_advantages(r):
    return r - r.mean(axis=1, keepdims=True)

#: wrong, unnamed: sum to 0
def group_advantages(r):
    return (r - r.mean()) / r.std()

#: wrong, unnamed: deviation of 0
def group_advantages(r):
    return (r - r.mean(axis=1, keepdims=True)) / r.std(axis=1, keepdims=True)

#: wrong, unnamed: whole population
def group_advantages(r):
    centred = r - r.mean(axis=1, keepdims=True)
    return centred / (r.std(axis=1, keepdims=True) + 1e-4)
