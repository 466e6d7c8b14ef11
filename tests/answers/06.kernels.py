#: wrong, unnamed: in memory once
def memory_of(kernels, weights, own, copy):
    return kernels * (weights + own + copy)

#: wrong, unnamed: each kernel has one
def memory_of(kernels, weights, own, copy):
    return weights + copy + kernels * own

#: wrong, unnamed: too small
def memory_of(kernels, weights, own, copy):
    return weights
