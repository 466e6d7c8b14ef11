#: right, with math
import math

def standard_error(score, problems):
    return math.sqrt(score * (1 - score) / problems)

#: right, with NumPy
import numpy as np

def standard_error(score, problems):
    return np.sqrt(score - score**2) / np.sqrt(problems)

#: right, from the single problems
import statistics

def standard_error(score, problems):
    right = score * problems
    squares = right * (1 - score) ** 2 + (problems - right) * score**2
    return (squares / problems) ** 0.5 / problems**0.5

#: right, in steps
def standard_error(score, problems):
    variance_of_one = score * (1 - score)
    variance_of_mean = variance_of_one / problems
    return variance_of_mean ** (1 / 2)

#: wrong, variance: variance
def standard_error(score, problems):
    return score * (1 - score) / problems

#: wrong, one-problem: single problem
def standard_error(score, problems):
    return (score * (1 - score)) ** 0.5

#: wrong, outside-the-root: under the root
def standard_error(score, problems):
    return (score * (1 - score)) ** 0.5 / problems

#: wrong, interval: half of a 95% interval
def standard_error(score, problems):
    return 1.96 * (score * (1 - score) / problems) ** 0.5

#: wrong, interval
def standard_error(score, problems):
    return 2 * (score * (1 - score) / problems) ** 0.5

#: wrong, percent
def standard_error(score, problems):
    return 100 * (score * (1 - score) / problems) ** 0.5

#: wrong, nearly
def standard_error(score, problems):
    return (score * (1 - score) / (problems - 1)) ** 0.5

#: wrong, too-large
def standard_error(score, problems):
    return (score / problems) ** 0.5

#: wrong, error: ZeroDivisionError
def standard_error(score, problems):
    return (score * (1 - score) / (problems // 1000)) ** 0.5

#: wrong, printed
def standard_error(score, problems):
    print((score * (1 - score) / problems) ** 0.5)

#: wrong, no-number
def standard_error(score, problems):
    return f"{(score * (1 - score) / problems) ** 0.5:.3f}"
