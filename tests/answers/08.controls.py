#: right, a dictionary
controls = {"A": "prompted base", "B": "noise", "C": "binary search"}

#: right, in another order
controls = {"C": "binary search", "A": "prompted base", "B": "noise"}

#: right, small letters and capitals
controls = dict(a="Prompted Base", b="Noise", c="Binary search")

#: right, a list in the order of the claims
controls = ["prompted base", "noise", "binary search"]

#: right, with underscores and spaces
controls = {"A": "prompted_base", "B": " noise ", "C": "binary-search"}

#: right, built by code
controls = dict(zip("ABC", ("prompted base", "noise", "binary search")))

#: wrong, a-noise: Claim A: Noise says whether it listens
controls = {"A": "noise", "B": "prompted base", "C": "binary search"}

#: wrong, a-more-seeds: Ten seeds may all
controls = {"A": "more seeds", "B": "noise", "C": "binary search"}

#: wrong, a-blind-policy: What did *reward* add?
controls = {"A": "blind policy", "B": "noise", "C": "binary search"}

#: wrong, b-blind-policy: another player
controls = {"A": "prompted base", "B": "blind policy", "C": "binary search"}

#: wrong, b-binary-search: listen all the same
controls = {"A": "prompted base", "B": "binary search", "C": "noise"}

#: wrong, c-prompted-base: not yet the best
controls = {"A": "prompted base", "B": "noise", "C": "prompted base"}

#: wrong, c-more-seeds: stop at the same place
controls = {"A": "prompted base", "B": "noise", "C": "more seeds"}

#: wrong, no-control: is no control
controls = {"A": "the base", "B": "noise", "C": "binary search"}

#: wrong, claims: each once
controls = {"A": "prompted base", "B": "noise"}

#: wrong, no-dictionary: Give a dictionary
controls = "noise"
