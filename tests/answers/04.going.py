#: wrong, unnamed: sharpened
def still_going(chance, temperature, checks):
    return chance ** checks

#: wrong, unnamed: ending is likelier
def still_going(chance, temperature, checks):
    if temperature == 0:
        return 1.0
    on, end = chance ** (1 / temperature), (1 - chance) ** (1 / temperature)
    return (on / (on + end)) ** checks

#: wrong, unnamed: sharpened
def still_going(chance, temperature, checks):
    if temperature == 0:
        return float(chance > 0.5)
    return chance ** (checks / temperature)
