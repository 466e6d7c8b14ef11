#: right, both ways round
def leader(score_a, score_b, problems):
    a = probability_better(score_a / 100, problems, score_b / 100)
    b = probability_better(score_b / 100, problems, score_a / 100)
    return "A" if a >= 0.95 else "B" if b >= 0.95 else "undecided"

#: right, undecided first
def leader(score_a, score_b, problems):
    chance = probability_better(score_a / 100, problems, score_b / 100)
    if 0.05 < chance < 0.95:
        return "undecided"
    return "AB"[chance < 0.5]

#: right, with a dictionary
def leader(score_a, score_b, problems):
    chance = probability_better(score_a / 100, problems, score_b / 100)
    sure = {"A": chance, "B": 1 - chance}
    best = max(sure, key=sure.get)
    return best if sure[best] >= 0.95 else "undecided"

#: right, with match
def leader(score_a, score_b, problems):
    chance = probability_better(score_a / 100, problems, score_b / 100)
    match (chance >= 0.95, chance <= 0.05):
        case (True, _):
            return "A"
        case (_, True):
            return "B"
        case _:
            return "undecided"

#: wrong, error
def leader(score_a, score_b, problems):
    chance = probability_better(score_a, problems, score_b)
    return "A" if chance >= 0.95 else "B" if chance <= 0.05 else "undecided"

#: wrong, too-sure: is 0.49 there
def leader(score_a, score_b, problems):
    return "A" if score_a > score_b else "B"

#: wrong, misses-b: speaks for B
def leader(score_a, score_b, problems):
    chance = probability_better(score_a / 100, problems, score_b / 100)
    return "A" if chance >= 0.95 else "undecided"

#: wrong, misses-a
def leader(score_a, score_b, problems):
    chance = probability_better(score_a / 100, problems, score_b / 100)
    return "B" if chance <= 0.05 else "undecided"

#: wrong, misses-a: 0.95 or more
def leader(score_a, score_b, problems):
    return "undecided"

#: wrong, swapped: wrong way round
def leader(score_a, score_b, problems):
    chance = probability_better(score_a / 100, problems, score_b / 100)
    return "B" if chance >= 0.95 else "A" if chance <= 0.05 else "undecided"

#: wrong, no-word: The answer is one of
def leader(score_a, score_b, problems):
    return probability_better(score_a / 100, problems, score_b / 100)

#: wrong, no-word
def leader(score_a, score_b, problems):
    chance = probability_better(score_a / 100, problems, score_b / 100)
    return "a" if chance >= 0.95 else "b" if chance <= 0.05 else "undecided"

#: wrong, too-sure
def leader(score_a, score_b, problems):
    chance = probability_better(score_a / 100, problems, score_b / 100)
    return "A" if chance >= 0.9 else "B" if chance <= 0.1 else "undecided"

#: wrong, printed
def leader(score_a, score_b, problems):
    print("undecided")
