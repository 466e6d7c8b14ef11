#: right, the larger first
def problems_apart(score_a, score_b, problems):
    return (max(score_a, score_b) - min(score_a, score_b)) * problems / 100

#: right, problems solved
def problems_apart(score_a, score_b, problems):
    solved_a, solved_b = score_a / 100 * problems, score_b / 100 * problems
    return abs(solved_a - solved_b)

#: right, by squares
def problems_apart(score_a, score_b, problems):
    return ((score_a - score_b) ** 2) ** 0.5 * 0.01 * problems

#: right, with a condition
def problems_apart(score_a, score_b, problems):
    gap = score_a - score_b
    if gap < 0:
        gap = -gap
    return gap / (100 / problems)

#: wrong, sign: sign is wrong
def problems_apart(score_a, score_b, problems):
    return (score_a - score_b) / 100 * problems

#: wrong, percent: 100 times
def problems_apart(score_a, score_b, problems):
    return abs(score_a - score_b) * problems

#: wrong, points: in points
def problems_apart(score_a, score_b, problems):
    return abs(score_a - score_b)

#: wrong, rounded: whole number
def problems_apart(score_a, score_b, problems):
    return round(abs(score_a - score_b) / 100 * problems)

#: wrong, rounded
import math

def problems_apart(score_a, score_b, problems):
    return math.ceil(abs(score_a - score_b) / 100 * problems)

#: wrong, too-large
def problems_apart(score_a, score_b, problems):
    return abs(score_a - score_b) / 100 * problems + 1

#: wrong, percent
def problems_apart(score_a, score_b, problems):
    return abs(score_a - score_b) / 100 / 100 * problems

#: wrong, printed
def problems_apart(score_a, score_b, problems):
    print(abs(score_a - score_b) / 100 * problems)

#: wrong, no-number
def problems_apart(score_a, score_b, problems):
    return f"{abs(score_a - score_b) / 100 * problems:.2f} problems"

#: wrong, error: NameError
def problems_apart(score_a, score_b, problems):
    return abs(a - b) / 100 * problems
