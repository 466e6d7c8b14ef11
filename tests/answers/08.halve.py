#: wrong, unnamed: after a first answer
def halve(low, high, turns):
    return (low + high) // 2

#: wrong, unnamed: nothing new
def halve(low, high, turns):
    for guess, told in turns:
        if told.startswith('higher'):
            low = guess + 1
        else:
            high = guess - 1
    return (low + high) // 2

#: wrong, unnamed: not in the middle
def halve(low, high, turns):
    for guess, told in turns:
        if told.startswith('higher'):
            high = min(high, guess - 1)
        else:
            low = max(low, guess + 1)
    return (low + high) // 2

#: wrong, unnamed: whole number
def halve(low, high, turns):
    return (low + high) / 2 + 0.25
