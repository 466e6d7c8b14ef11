#: wrong, unnamed: nats
def mutual_information(c):
    j = c / c.sum()
    u = j.sum(1, keepdims=True) * j.sum(0, keepdims=True)
    s = j > 0
    return np.sum(j[s] * np.log(j[s] / u[s]))

#: wrong, unnamed: empty cell
def mutual_information(c):
    j = c / c.sum()
    u = j.sum(1, keepdims=True) * j.sum(0, keepdims=True)
    with np.errstate(all='ignore'):
        return np.sum(j * np.log2(j / u))

#: wrong, unnamed: shares
def mutual_information(c):
    j = c / c.sum()
    u = j.sum(1, keepdims=True) * j.sum(0, keepdims=True)
    s = j > 0
    return np.sum(c[s] * np.log2(j[s] / u[s]))
