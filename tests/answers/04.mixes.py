#: right, sets of kinds
def mixes(thought):
    kinds = set()
    for c in thought:
        if "\u4e00" <= c <= "\u9fff":
            kinds.add("zh")
        elif c.isascii() and c.isalpha():
            kinds.add("en")
    return len(kinds) == 2

#: right, regular expressions
import re

def mixes(thought):
    return bool(re.search("[A-Za-z]", thought)) and bool(re.search("[\u4e00-\u9fff]", thought))

#: right, a loop with flags
def mixes(thought):
    latin = chinese = False
    for c in thought:
        latin = latin or "a" <= c.lower() <= "z"
        chinese = chinese or 0x4E00 <= ord(c) <= 0x9FFF
    return latin and chinese

#: right, recursive
def mixes(thought, latin=False, chinese=False):
    if not thought:
        return latin and chinese
    c = thought[0]
    return mixes(
        thought[1:], latin or (c.isascii() and c.isalpha()), chinese or "\u4e00" <= c <= "\u9fff"
    )

#: right, with numpy
import numpy as np

def mixes(thought):
    codes = np.array([ord(c) for c in thought.lower()], dtype=int)
    latin = ((codes >= ord("a")) & (codes <= ord("z"))).any()
    return latin & ((codes >= 0x4E00) & (codes <= 0x9FFF)).any()

#: right, as 1 or 0
import string

def mixes(thought):
    letters = set(thought) & set(string.ascii_letters)
    chinese = [c for c in thought if "\u4e00" <= c <= "\u9fff"]
    return 1 if letters and chinese else 0

#: wrong, chinese-only: `：` is a colon
def mixes(thought):
    ascii = any(c.isascii() for c in thought)
    return ascii and not thought.isascii()

#: wrong, signs: `，` is a sign
def mixes(thought):
    latin = any(c.isascii() and c.isalpha() for c in thought)
    return latin and not thought.isascii()

#: wrong, one-character: One Chinese character
def mixes(thought):
    latin = any(c.isascii() and c.isalpha() for c in thought)
    chinese = any("\u4e00" <= c <= "\u9fff" for c in thought)
    return latin and chinese and len(thought) > 8

#: wrong, chinese-only: Only Chinese
def mixes(thought):
    return any('\u4e00' <= c <= '\u9fff' for c in thought)

#: wrong, no-boolean: True or False
def mixes(thought):
    return 0.5

#: wrong, english-only
def mixes(thought):
    return any(c.isalpha() and c.isascii() for c in thought)

#: wrong, both-missed
def mixes(thought):
    return all(c.isascii() for c in thought) and any(c > "\u4e00" for c in thought)

#: wrong, lines-apart: in the next
def mixes(thought):
    def one(line):
        latin = any(c.isascii() and c.isalpha() for c in line)
        return latin and any("\u4e00" <= c <= "\u9fff" for c in line)
    return any(one(line) for line in thought.splitlines())

#: wrong, error: IndexError
def mixes(thought):
    first = thought[0]
    latin = any(c.isascii() and c.isalpha() for c in thought)
    return latin and any("\u4e00" <= c <= "\u9fff" for c in thought)

#: wrong, printed
def mixes(thought):
    latin = any(c.isascii() and c.isalpha() for c in thought)
    print(latin and any("\u4e00" <= c <= "\u9fff" for c in thought))

#: wrong, no-boolean
def mixes(thought):
    return "yes" if any("\u4e00" <= c <= "\u9fff" for c in thought) else "no"

#: wrong, endless
def mixes(thought):
    while not thought.startswith("!"):
        thought = thought[1:] + thought[:1]
    return True
