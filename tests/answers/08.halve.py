#: right, a loop with max and min
def halve(low, high, turns):
    for guess, told in turns:
        if told.startswith("higher"):
            low = max(low, guess + 1)
        else:
            high = min(high, guess - 1)
    return (low + high) // 2

#: right, by listing what is left
def halve(low, high, turns):
    left = [
        n for n in range(low, high + 1)
        if all((n > g) == told.startswith("higher") and n != g for g, told in turns)
    ]
    return left[len(left) // 2]

#: right, with NumPy
import numpy as np
def halve(low, high, turns):
    n = np.arange(low, high + 1)
    for guess, told in turns:
        n = n[n > guess] if "higher" in told else n[n < guess]
    return np.median(n).astype(int)

#: right, by recursion
def halve(low, high, turns):
    if not turns:
        return (low + high) // 2
    (guess, told), *rest = turns
    if told[0] == "h":
        return halve(max(low, guess + 1), high, rest)
    return halve(low, min(high, guess - 1), rest)

#: right, with comprehensions and rounding up
import math
def halve(low, high, turns):
    low = max([low] + [g + 1 for g, told in turns if told.startswith("higher")])
    high = min([high] + [g - 1 for g, told in turns if told.startswith("lower")])
    return math.ceil((low + high) / 2)

#: right, a middle that is a float without a rest
def halve(low, high, turns):
    for guess, told in turns:
        low = max(low, guess + 1) if told.startswith("higher") else low
        high = min(high, guess - 1) if told.startswith("lower") else high
    return float((low + high) // 2)

#: wrong, ignores-answers: as if nothing had been said
def halve(low, high, turns):
    return (low + high) // 2

#: wrong, stale-answer: tells nothing new
def halve(low, high, turns):
    for guess, told in turns:
        if told.startswith("higher"):
            low = guess + 1
        else:
            high = guess - 1
    return (low + high) // 2

#: wrong, ruled-out: has been ruled out
def halve(low, high, turns):
    for guess, told in turns:
        if told.startswith("higher"):
            high = min(high, guess - 1)
        else:
            low = max(low, guess + 1)
    return (low + high) // 2

#: wrong, no-whole-number: whole number
def halve(low, high, turns):
    return (low + high) / 2 + 0.25

#: wrong, next-to-the-middle: just beside the middle
def halve(low, high, turns):
    for guess, told in turns:
        if told.startswith("higher"):
            low = max(low, guess)
        else:
            high = min(high, guess - 1)
    return (low + high) // 2

#: wrong, first-guess: not in the middle
def halve(low, high, turns):
    for guess, told in turns:
        if told.startswith("higher"):
            low = max(low, guess + 1)
        else:
            high = min(high, guess - 1)
    return (high - low) // 2

#: wrong, ruled-out: has been ruled out
def halve(low, high, turns):
    for guess, told in turns:
        if told == "higher":
            low = max(low, guess + 1)
        else:
            high = min(high, guess - 1)
    return (low + high) // 2

#: wrong, only-the-last: the earlier answers count
def halve(low, high, turns):
    if turns:
        guess, told = turns[-1]
        if told.startswith("higher"):
            low = guess + 1
        else:
            high = guess - 1
    return (low + high) // 2

#: wrong, first-guess: Between 20 and 61
def halve(low, high, turns):
    low, high = 1, 99
    for guess, told in turns:
        if told.startswith("higher"):
            low = max(low, guess + 1)
        else:
            high = min(high, guess - 1)
    return (low + high) // 2

#: wrong, changes-its-input: changes what it was given
def halve(low, high, turns):
    while turns:
        guess, told = turns.pop()
        if told.startswith("higher"):
            low = max(low, guess + 1)
        else:
            high = min(high, guess - 1)
    return (low + high) // 2

#: wrong, endless: did not come to an end
def halve(low, high, turns):
    while low < high:
        middle = (low + high) // 2
    return low

#: wrong, printed: prints and gives nothing back
def halve(low, high, turns):
    print((low + high) // 2)
