#: wrong, unnamed: same answer
def pass_at_k_of_one(n, c, k):
    return 1 - (1 - c / n) ** k

#: wrong, unnamed: all of them are wrong
from math import comb
def pass_at_k_of_one(n, c, k):
    return comb(n - c, k) / comb(n, k)

#: wrong, unnamed: number
def pass_at_k_of_one(n, c, k):
    return 'high'
