#: right, from the other end
from math import comb

def split_p_value(only_a, only_b):
    n, more = only_a + only_b, max(only_a, only_b)
    return min(1, 2 * sum(comb(n, i) for i in range(more, n + 1)) / 2**n)

#: right, every split that is no likelier
from math import comb

def split_p_value(only_a, only_b):
    n = only_a + only_b
    seen = comb(n, only_a)
    return sum(comb(n, i) for i in range(n + 1) if comb(n, i) <= seen) / 2**n

#: right, by recursion
def split_p_value(only_a, only_b):
    n, fewer = only_a + only_b, min(only_a, only_b)

    def at_most(tosses, heads):
        if heads < 0:
            return 0.0
        if heads >= tosses:
            return 1.0
        row = [1.0]
        for _ in range(tosses):
            row = [a / 2 + b / 2 for a, b in zip([*row, 0], [0, *row], strict=True)]
        return sum(row[: heads + 1])

    return min(1.0, 2 * at_most(n, fewer))

#: right, by the gap
from math import comb

def split_p_value(only_a, only_b):
    n, gap = only_a + only_b, abs(only_a - only_b)
    uneven = (comb(n, heads) for heads in range(n + 1) if abs(n - 2 * heads) >= gap)
    return sum(uneven) / 2**n

#: right, with numpy
import numpy as np
from math import comb

def split_p_value(only_a, only_b):
    n = only_a + only_b
    chances = np.array([comb(n, i) for i in range(n + 1)], dtype=float) / 2.0**n
    return float(min(1.0, 2 * chances[: min(only_a, only_b) + 1].sum()))

#: wrong, one-sided: one direction only
from math import comb

def split_p_value(only_a, only_b):
    n, fewer = only_a + only_b, min(only_a, only_b)
    return sum(comb(n, i) for i in range(fewer + 1)) / 2**n

#: wrong, above-one: above 1
from math import comb

def split_p_value(only_a, only_b):
    n, fewer = only_a + only_b, min(only_a, only_b)
    return 2 * sum(comb(n, i) for i in range(fewer + 1)) / 2**n

#: wrong, one-split: More uneven ones
from math import comb

def split_p_value(only_a, only_b):
    n = only_a + only_b
    return comb(n, only_a) / 2**n

#: wrong, two-splits: exactly this size
from math import comb

def split_p_value(only_a, only_b):
    n = only_a + only_b
    return min(1, 2 * comb(n, only_a) / 2**n)

#: wrong, more-uneven-only: at least as uneven
from math import comb

def split_p_value(only_a, only_b):
    n, fewer = only_a + only_b, min(only_a, only_b)
    return min(1, 2 * sum(comb(n, i) for i in range(fewer)) / 2**n)

#: wrong, wrong-tail: less uneven
from math import comb

def split_p_value(only_a, only_b):
    n, fewer = only_a + only_b, min(only_a, only_b)
    return 1 - sum(comb(n, i) for i in range(fewer + 1)) / 2**n

#: wrong, too-large
from math import comb

def split_p_value(only_a, only_b):
    n = only_a + only_b
    return min(1, 2 * sum(comb(n, i) for i in range(only_a + 1)) / 2**n)

#: wrong, too-large
def split_p_value(only_a, only_b):
    return min(only_a, only_b) / (only_a + only_b)

#: wrong, endless
def split_p_value(only_a, only_b):
    while True:
        only_a = max(only_a, only_b)

#: wrong, printed
def split_p_value(only_a, only_b):
    print(only_a / (only_a + only_b))
