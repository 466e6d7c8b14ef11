#: wrong, unnamed: weights take memory
def longest_context(f, w, c):
    return f // c

#: wrong, unnamed: half a token cannot
def longest_context(f, w, c):
    return (f - w) / c

#: wrong, unnamed: no token does
def longest_context(f, w, c):
    return (f - w) // c

#: wrong, unnamed: half of what
def longest_context(f, w, c):
    return (f - w) // c // 2
