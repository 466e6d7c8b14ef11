#: wrong, unnamed: For
def repeated_share(tokens, n):
    grams = [tuple(tokens[i:i+n]) for i in range(len(tokens) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0

#: wrong, unnamed: too large
def repeated_share(tokens, n):
    return 1 - len(set(tokens)) / len(tokens)

#: wrong, unnamed: shorter than one n-gram
def repeated_share(tokens, n):
    grams = [tuple(tokens[i:i+n]) for i in range(len(tokens) - n + 1)]
    return 1 - len(set(grams)) / max(1, len(grams))
