#: right, in one line
def touched(experts, used, tokens):
    return experts - experts * (1 - used / experts) ** tokens

#: right, with a loop
def touched(experts, used, tokens):
    missed = 1.0
    for _ in range(tokens):
        missed *= (experts - used) / experts
    return experts * (1 - missed)

#: right, token by token
def touched(experts, used, tokens):
    reached = 0.0
    for _ in range(tokens):
        reached += used * (experts - reached) / experts
    return reached

#: right, recursive
def touched(experts, used, tokens):
    if tokens == 0:
        return 0
    before = touched(experts, used, tokens - 1)
    return before + used * (1 - before / experts)

#: right, by logarithms
import numpy as np

def touched(experts, used, tokens):
    if used == experts:
        return experts
    return -experts * np.expm1(tokens * np.log1p(-used / experts))

#: wrong, no-overlap: read only once
def touched(experts, used, tokens):
    return min(experts, used * tokens)

#: wrong, no-overlap: share an expert
def touched(experts, used, tokens):
    return used * tokens

#: wrong, share: share of the experts
def touched(experts, used, tokens):
    return 1 - (1 - used / experts) ** tokens

#: wrong, untouched: *not* touched
def touched(experts, used, tokens):
    return experts * (1 - used / experts) ** tokens

#: wrong, one-expert: chooses several
def touched(experts, used, tokens):
    return experts * (1 - (1 - 1 / experts) ** tokens)

#: wrong, too-large
def touched(experts, used, tokens):
    return experts * (1 - (1 - used / experts) ** (tokens + 1))

#: wrong, too-small
def touched(experts, used, tokens):
    return experts * (1 - (1 - used // experts) ** tokens)

#: wrong, nearly
def touched(experts, used, tokens):
    return round(experts * (1 - (1 - used / experts) ** tokens))

#: wrong, printed
def touched(experts, used, tokens):
    print(experts * (1 - (1 - used / experts) ** tokens))

#: wrong, endless
def touched(experts, used, tokens):
    seen = set()
    while len(seen) < experts + 1:
        seen.add(len(seen) % experts)
    return len(seen)

#: wrong, no-number
def touched(experts, used, tokens):
    return list(range(experts))[:used * tokens]
