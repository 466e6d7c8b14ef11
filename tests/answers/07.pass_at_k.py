#: right, draw by draw
def pass_at_k_of_one(n, c, k):
    all_wrong = 1.0
    for drawn in range(k):
        all_wrong *= max(n - c - drawn, 0) / (n - drawn)
    return 1 - all_wrong

#: right, the product of the paper
import numpy as np

def pass_at_k_of_one(n, c, k):
    if n - c < k:
        return 1.0
    return 1 - np.prod(1 - k / np.arange(n - c + 1, n + 1))

#: right, counted
from itertools import combinations

def pass_at_k_of_one(n, c, k):
    answers = [1] * c + [0] * (n - c)
    draws = list(combinations(answers, k)) if n <= 10 else None
    if draws is None:
        from math import comb

        return 1 - comb(n - c, k) / comb(n, k)
    return sum(any(draw) for draw in draws) / len(draws)

#: right, recursive
def pass_at_k_of_one(n, c, k):
    if k == 0:
        return 0.0
    if c == 0:
        return 0.0
    return c / n + (n - c) / n * (pass_at_k_of_one(n - 1, c, k - 1) if n > c else 0)

#: right, as a sum over the right ones
from math import comb

def pass_at_k_of_one(n, c, k):
    return sum(comb(c, i) * comb(n - c, k - i) for i in range(1, min(c, k) + 1)) / comb(n, k)

#: wrong, all-wrong: all of them are wrong
from math import comb

def pass_at_k_of_one(n, c, k):
    return comb(n - c, k) / comb(n, k)

#: wrong, put-back: without putting any back
def pass_at_k_of_one(n, c, k):
    return 1 - (1 - c / n) ** k

#: wrong, added-up: twice
def pass_at_k_of_one(n, c, k):
    return min(1, k * c / n)

#: wrong, all-right: One is enough
from math import comb

def pass_at_k_of_one(n, c, k):
    return comb(c, k) / comb(n, k)

#: wrong, pass-at-1: pass@1
def pass_at_k_of_one(n, c, k):
    return c / n

#: wrong, too-small
from math import comb

def pass_at_k_of_one(n, c, k):
    return 1 - comb(n - c, k) / comb(n - 1, k)

#: wrong, too-large
def pass_at_k_of_one(n, c, k):
    return 1 if c else 0

#: wrong, endless
def pass_at_k_of_one(n, c, k):
    while True:
        k = max(k, 1)

#: wrong, negative
from math import comb

def pass_at_k_of_one(n, c, k):
    return 1 - comb(n, k) / comb(n - c, k)

#: wrong, printed
def pass_at_k_of_one(n, c, k):
    print(1 - (1 - c / n) ** k)
