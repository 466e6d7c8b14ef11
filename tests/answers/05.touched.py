#: wrong, unnamed: read only once
def touched(experts, used, tokens):
    return min(experts, used * tokens)

#: wrong, unnamed: share of the experts
def touched(experts, used, tokens):
    return 1 - (1 - used / experts) ** tokens

#: wrong, unnamed: *not* touched
def touched(experts, used, tokens):
    return experts * (1 - used / experts) ** tokens
