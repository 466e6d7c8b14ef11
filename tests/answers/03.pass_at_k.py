#: wrong, unnamed: replacement
def pass_at_k(n, c, k):
    return 1 - (1 - c / n) ** k

#: wrong, unnamed: all k are wrong
import math

def pass_at_k(n, c, k):
    return math.comb(n - c, k) / math.comb(n, k)
