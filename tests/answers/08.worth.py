#: wrong, unnamed: found at once
def worth(success, turns, discount):
    return float(success) * discount ** turns

#: wrong, unnamed: not found
def worth(success, turns, discount):
    return discount ** (turns - 1)

#: wrong, unnamed: fourth guess
def worth(success, turns, discount):
    return float(success) - (1 - discount) * (turns - 1)
