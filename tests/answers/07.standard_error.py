#: wrong, unnamed: variance
def standard_error(p, n):
    return p * (1 - p) / n

#: wrong, unnamed: small
def standard_error(p, n):
    return (p * (1 - p)) ** 0.5 / n

#: wrong, error: NameError
def standard_error(p, n):
    return math.sqrt(p)
