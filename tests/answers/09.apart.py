#: wrong, unnamed: sign
def problems_apart(a, b, problems):
    return (a - b) / 100 * problems

#: wrong, unnamed: A share or a percentage?
def problems_apart(a, b, problems):
    return abs(a - b) * problems

#: wrong, unnamed: too small
def problems_apart(a, b, problems):
    return abs(a - b) / problems
