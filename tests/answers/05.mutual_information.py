#: right, with loops
import math

def mutual_information(counts):
    total = counts.sum()
    bits = 0.0
    for row in range(counts.shape[0]):
        for column in range(counts.shape[1]):
            p = counts[row, column] / total
            if p > 0:
                apart = counts[row].sum() * counts[:, column].sum() / total**2
                bits += p * math.log2(p / apart)
    return bits

#: right, by entropies
def mutual_information(counts):
    def entropy(shares):
        shares = shares[shares > 0]
        return -np.sum(shares * np.log2(shares))

    p = counts / counts.sum()
    return entropy(p.sum(0)) + entropy(p.sum(1)) - entropy(p.ravel())

#: right, with an outer product
def mutual_information(counts):
    p = counts / counts.sum()
    apart = np.outer(p.sum(axis=1), p.sum(axis=0))
    return (p * np.log2(np.where(p > 0, p / apart, 1))).sum()

#: right, from nats
def mutual_information(counts):
    p = counts / counts.sum()
    apart = p.sum(1)[:, None] * p.sum(0)[None, :]
    filled = p > 0
    return np.sum(p[filled] * np.log(p[filled] / apart[filled])) / np.log(2)

#: wrong, nats: nats
def mutual_information(counts):
    j = counts / counts.sum()
    u = j.sum(1, keepdims=True) * j.sum(0, keepdims=True)
    s = j > 0
    return np.sum(j[s] * np.log(j[s] / u[s]))

#: wrong, empty-cell: empty cell
def mutual_information(counts):
    j = counts / counts.sum()
    u = j.sum(1, keepdims=True) * j.sum(0, keepdims=True)
    with np.errstate(all='ignore'):
        return np.sum(j * np.log2(j / u))

#: wrong, counts: shares
def mutual_information(counts):
    j = counts / counts.sum()
    u = j.sum(1, keepdims=True) * j.sum(0, keepdims=True)
    s = j > 0
    return np.sum(counts[s] * np.log2(j[s] / u[s]))

#: wrong, entropy: entropy of the cells
def mutual_information(counts):
    j = counts / counts.sum()
    s = j > 0
    return -np.sum(j[s] * np.log2(j[s]))

#: wrong, sign
def mutual_information(counts):
    j = counts / counts.sum()
    u = j.sum(1, keepdims=True) * j.sum(0, keepdims=True)
    s = j > 0
    return -np.sum(j[s] * np.log2(j[s] / u[s]))

#: wrong, half: half
def mutual_information(counts):
    j = counts / counts.sum()
    u = j.sum(1, keepdims=True) * j.sum(0, keepdims=True)
    s = j > 0
    return np.mean(j[s] * np.log2(j[s] / u[s]))

#: wrong, twice
def mutual_information(counts):
    j = counts / counts.sum()
    u = np.full_like(j, 1 / j.size)
    s = j > 0
    return np.sum(np.log2(j[s] / u[s]))

#: wrong, no-number
def mutual_information(counts):
    j = counts / counts.sum()
    u = j.sum(1, keepdims=True) * j.sum(0, keepdims=True)
    return j - u

#: wrong, changes-its-input
def mutual_information(counts):
    counts /= counts.sum()
    u = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True)
    s = counts > 0
    return np.sum(counts[s] * np.log2(counts[s] / u[s]))

#: wrong, error: ValueError
def mutual_information(counts):
    j = counts / counts.sum()
    u = np.dot(j.sum(1), j.sum(0))
    return np.sum(j * np.log2(j / u.reshape(j.shape)))
