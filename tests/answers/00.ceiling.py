#: right, in one line
def most_tokens_per_second(parameters, bits, bandwidth):
    return 8 * bandwidth * 1e9 / bits / parameters

#: right, in gigabytes
def most_tokens_per_second(parameters, bits, bandwidth):
    gigabytes = parameters / 1e9 * bits / 8
    return bandwidth / gigabytes

#: right, through the time for one token
def most_tokens_per_second(parameters, bits, bandwidth):
    seconds = parameters * bits / 8 / (bandwidth * 10**9)
    return 1 / seconds

#: right, in bits
def most_tokens_per_second(parameters, bits, bandwidth):
    bits_per_second = bandwidth * 8e9
    return bits_per_second / (parameters * bits)

#: right, with NumPy
import numpy as np

def most_tokens_per_second(parameters, bits, bandwidth):
    return np.divide(bandwidth * 1e9, np.multiply(parameters, bits / 8))

#: right, a fraction
from fractions import Fraction

def most_tokens_per_second(parameters, bits, bandwidth):
    return Fraction(bandwidth) * 8 * 10**9 / (Fraction(parameters) * Fraction(bits))

#: wrong, upside-down: tokens in one second
def most_tokens_per_second(parameters, bits, bandwidth):
    return parameters * bits / 8 / (bandwidth * 1e9)

#: wrong, bits-or-bytes: Bits or bytes?
def most_tokens_per_second(parameters, bits, bandwidth):
    return bandwidth * 1e9 / (parameters * bits)

#: wrong, unit: Check the unit
def most_tokens_per_second(parameters, bits, bandwidth):
    return bandwidth / (parameters * bits / 8)

#: wrong, unit
def most_tokens_per_second(parameters, bits, bandwidth):
    return bandwidth * 1e6 / (parameters * bits / 8)

#: wrong, too-small
def most_tokens_per_second(parameters, bits, bandwidth):
    return bandwidth * 1e9 / parameters * bits / 8

#: wrong, too-small
def most_tokens_per_second(parameters, bits, bandwidth):
    return bandwidth * 1e9 // (parameters * bits / 8)

#: wrong, nearly
def most_tokens_per_second(parameters, bits, bandwidth):
    return round(bandwidth * 1e9 / (parameters * bits / 8), 1)

#: wrong, one-weight: every weight
def most_tokens_per_second(parameters, bits, bandwidth):
    return bandwidth * 1e9 / (bits / 8)

#: wrong, too-large
def most_tokens_per_second(parameters, bits, bandwidth):
    return bandwidth * 2**30 / (parameters * bits / 8)

#: wrong, printed: end it with `return`
def most_tokens_per_second(parameters, bits, bandwidth):
    print(bandwidth * 1e9 / (parameters * bits / 8), "tokens per second")

#: wrong, no-number: A number is asked for, and this is a text
def most_tokens_per_second(parameters, bits, bandwidth):
    return f"{bandwidth * 1e9 / (parameters * bits / 8)} tokens per second"

#: wrong, error: NameError
def most_tokens_per_second(parameters, bits, bandwidth):
    return bandwidth * 1e9 / bytes_per_token

#: wrong, endless
def most_tokens_per_second(parameters, bits, bandwidth):
    left, tokens = bandwidth * 1e9, 0
    while left > 0:
        tokens += 1
    return tokens
