#: right, odds
def still_going(chance, temperature, checks):
    if not temperature:
        return float(chance > 0.5)
    odds = (chance / (1 - chance)) ** (1 / temperature)
    return (odds / (1 + odds)) ** checks

#: right, softmax of logarithms
import numpy as np

def still_going(chance, temperature, checks):
    if temperature == 0:
        return 1.0 if chance > 0.5 else 0.0
    logits = np.log([chance, 1 - chance]) / temperature
    p = np.exp(logits) / np.exp(logits).sum()
    return p[0] ** checks

#: right, a loop
def still_going(chance, temperature, checks):
    if temperature == 0:
        on = 1.0 if chance > 0.5 else 0.0
    else:
        a, b = chance ** (1 / temperature), (1 - chance) ** (1 / temperature)
        on = a / (a + b)
    result = 1.0
    for _ in range(checks):
        result *= on
    return result

#: right, a sigmoid
from math import exp, log

def still_going(chance, temperature, checks):
    if temperature == 0:
        return int(chance > 1 - chance)
    gap = (log(chance) - log(1 - chance)) / temperature
    return (1 + exp(-gap)) ** -checks

#: right, recursive
def still_going(chance, temperature, checks):
    if checks == 0:
        return 1.0
    if temperature == 0:
        return still_going(chance, temperature, checks - 1) if chance > 0.5 else 0.0
    on, end = chance ** (1 / temperature), (1 - chance) ** (1 / temperature)
    return on / (on + end) * still_going(chance, temperature, checks - 1)

#: wrong, no-temperature: sharpened
def still_going(chance, temperature, checks):
    return chance ** checks

#: wrong, greedy: ending is likelier
def still_going(chance, temperature, checks):
    if temperature == 0:
        return 1.0
    on, end = chance ** (1 / temperature), (1 - chance) ** (1 / temperature)
    return (on / (on + end)) ** checks

#: wrong, sum-not-one: sharpened
def still_going(chance, temperature, checks):
    if temperature == 0:
        return float(chance > 0.5)
    return chance ** (checks / temperature)

#: wrong, error: ZeroDivisionError
def still_going(chance, temperature, checks):
    on, end = chance ** (1 / temperature), (1 - chance) ** (1 / temperature)
    return (on / (on + end)) ** checks

#: wrong, one-check: not once
def still_going(chance, temperature, checks):
    if temperature == 0:
        return float(chance > 0.5)
    on, end = chance ** (1 / temperature), (1 - chance) ** (1 / temperature)
    return on / (on + end)

#: wrong, added-up: multiplied
def still_going(chance, temperature, checks):
    return chance * checks

#: wrong, ended: that it has ended
def still_going(chance, temperature, checks):
    if temperature == 0:
        return float(chance <= 0.5)
    on, end = chance ** (1 / temperature), (1 - chance) ** (1 / temperature)
    return 1 - (on / (on + end)) ** checks

#: wrong, ended-then: is not asked
def still_going(chance, temperature, checks):
    if temperature == 0:
        return float(chance > 0.5)
    on, end = chance ** (1 / temperature), (1 - chance) ** (1 / temperature)
    p = on / (on + end)
    return p ** checks * (1 - p)

#: wrong, upside-down: the reverse
def still_going(chance, temperature, checks):
    if temperature == 0:
        return float(chance > 0.5)
    on, end = chance ** temperature, (1 - chance) ** temperature
    return (on / (on + end)) ** checks

#: wrong, greedy: taken each time
def still_going(chance, temperature, checks):
    if temperature == 0:
        return chance ** checks
    on, end = chance ** (1 / temperature), (1 - chance) ** (1 / temperature)
    return (on / (on + end)) ** checks

#: wrong, too-small
def still_going(chance, temperature, checks):
    if temperature == 0:
        return float(chance > 0.5)
    on, end = chance ** (1 / temperature), (1 - chance) ** (1 / temperature)
    return (on / (on + end)) ** (checks + 1)

#: wrong, printed
def still_going(chance, temperature, checks):
    print(chance ** checks)

#: wrong, endless
def still_going(chance, temperature, checks):
    while chance > 0:
        temperature = temperature + 1
    return chance
