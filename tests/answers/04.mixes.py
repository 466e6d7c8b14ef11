#: wrong, unnamed: `：` is a colon
def mixes(thought):
    ascii = any(c.isascii() for c in thought)
    return ascii and not thought.isascii()

#: wrong, unnamed: One Chinese character
def mixes(thought):
    latin = any(c.isascii() and c.isalpha() for c in thought)
    return latin and not thought.isascii() and len(thought) > 12

#: wrong, unnamed: Only Chinese
def mixes(thought):
    return any('\u4e00' <= c <= '\u9fff' for c in thought)

#: wrong, unnamed: True or False
def mixes(thought):
    return 0.5
