#: right, with a loop
import math

def effective_experts(load):
    entropy = 0.0
    for share in load:
        if share > 0:
            entropy -= share * math.log(share)
    return math.exp(entropy)

#: right, a product
def effective_experts(load):
    return float(np.prod([share ** -share for share in load if share > 0]))

#: right, in bits
def effective_experts(load):
    busy = load[load > 0]
    return 2 ** -np.sum(busy * np.log2(busy))

#: right, with where
def effective_experts(load):
    return np.exp(-np.sum(load * np.log(np.where(load > 0, load, 1))))

#: wrong, entropy: exponential
def effective_experts(load):
    b = load[load > 0]
    return -np.sum(b * np.log(b))

#: wrong, zero-load: 0 log 0
def effective_experts(load):
    with np.errstate(all='ignore'):
        return np.exp(-np.sum(load * np.log(load)))

#: wrong, bits: nats
def effective_experts(load):
    b = load[load > 0]
    return np.exp(-np.sum(b * np.log2(b)))

#: wrong, sign: sign
def effective_experts(load):
    b = load[load > 0]
    return np.exp(np.sum(b * np.log(b)))

#: wrong, counted: work at all
def effective_experts(load):
    return int((load > 0).sum())

#: wrong, other-measure: another measure
def effective_experts(load):
    return 1 / np.sum(load**2)

#: wrong, counted
def effective_experts(load):
    return len(load)

#: wrong, no-number
def effective_experts(load):
    return np.exp(-load * np.log(np.where(load > 0, load, 1)))

#: wrong, printed
def effective_experts(load):
    b = load[load > 0]
    print(np.exp(-np.sum(b * np.log(b))))

#: wrong, changes-its-input
def effective_experts(load):
    load[load == 0] = 1
    return np.exp(-np.sum(load * np.log(load)))
