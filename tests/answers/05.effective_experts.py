#: wrong, unnamed: exponential
def effective_experts(load):
    b = load[load > 0]
    return -np.sum(b * np.log(b))

#: wrong, unnamed: 0 log 0
def effective_experts(load):
    with np.errstate(all='ignore'):
        return np.exp(-np.sum(load * np.log(load)))

#: wrong, unnamed: nats
def effective_experts(load):
    b = load[load > 0]
    return np.exp(-np.sum(b * np.log2(b)))

#: wrong, unnamed: sign
def effective_experts(load):
    b = load[load > 0]
    return np.exp(np.sum(b * np.log(b)))
