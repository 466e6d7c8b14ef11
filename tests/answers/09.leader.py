#: wrong, unnamed: is 0.49 there
def leader(a, b, problems):
    return "A" if a > b else "B"

#: wrong, unnamed: speaks for B
def leader(a, b, problems):
    chance = probability_better(a / 100, problems, b / 100)
    return "A" if chance >= 0.95 else "undecided"

#: wrong, error: stopped with an error
def leader(a, b, problems):
    return probability_better(a, problems, b)

#: wrong, unnamed: one of
def leader(a, b, problems):
    return "nobody"
