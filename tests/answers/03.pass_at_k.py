#: right, a product
def pass_at_k(n, c, k):
    wrong = 1.0
    for i in range(k):
        wrong *= max(0, n - c - i) / (n - i)
    return 1 - wrong

#: right, as Chen et al. write it
import numpy as np

def pass_at_k(n, c, k):
    if n - c < k:
        return 1.0
    return 1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1))

#: right, recursive
def pass_at_k(n, c, k):
    if k == 0:
        return 0.0
    return c / n + (n - c) / n * pass_at_k(n - 1, c, k - 1) if n > c else 1.0

#: right, fractions
from fractions import Fraction
from math import comb

def pass_at_k(n, c, k):
    return 1 - Fraction(comb(n - c, k), comb(n, k))

#: right, logarithms of factorials
from math import exp, lgamma

def pass_at_k(n, c, k):
    if n - c < k:
        return 1.0
    def ways(a, b):
        return lgamma(a + 1) - lgamma(b + 1) - lgamma(a - b + 1)
    return 1 - exp(ways(n - c, k) - ways(n, k))

#: right, one right reply after the other
from math import comb

def pass_at_k(n, c, k):
    return sum(comb(c, r) * comb(n - c, k - r) for r in range(1, min(c, k) + 1)) / comb(n, k)

#: wrong, with-replacement: replacement
def pass_at_k(n, c, k):
    return 1 - (1 - c / n) ** k

#: wrong, all-wrong: all k are wrong
import math

def pass_at_k(n, c, k):
    return math.comb(n - c, k) / math.comb(n, k)

#: wrong, all-right: all k are right
import math

def pass_at_k(n, c, k):
    return math.comb(c, k) / math.comb(n, k)

#: wrong, one-reply: for one reply
def pass_at_k(n, c, k):
    return c / n

#: wrong, added-up: cannot be added up
def pass_at_k(n, c, k):
    return k * c / n

#: wrong, too-large
import math

def pass_at_k(n, c, k):
    return 1 - math.comb(n - c, k) // math.comb(n, k)

#: wrong, too-large
import math

def pass_at_k(n, c, k):
    return 1 - math.comb(n - c - 1, k) / math.comb(n, k)

#: wrong, too-small
import math

def pass_at_k(n, c, k):
    return 1 - math.comb(n - c, k - 1) / math.comb(n, k - 1)

#: wrong, error: ZeroDivisionError
def pass_at_k(n, c, k):
    wrong = 1.0
    for i in range(n - c + 1):
        wrong *= (n - c - i) / (n - c - i)
    return 1 - wrong

#: wrong, printed
import math

def pass_at_k(n, c, k):
    print(1 - math.comb(n - c, k) / math.comb(n, k))

#: wrong, no-number: a text
import math

def pass_at_k(n, c, k):
    return f"{1 - math.comb(n - c, k) / math.comb(n, k):.1%}"

#: wrong, recursion
def pass_at_k(n, c, k):
    return c / n + (1 - c / n) * pass_at_k(n, c, k - 1)

#: wrong, endless
def pass_at_k(n, c, k):
    tried = 0
    while tried < k or c:
        tried += 1
    return 1.0
