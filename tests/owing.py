"""What the notebooks and their exercises still owe, in one place. All of it is empty at the end.

The tests hold that a thing listed here is missing, and that nothing else is: whoever adds it
strikes it out.
"""

# Exercises with fewer than five right answers (the solution is one) or eight wrong ones.
ANSWERS = {
    # Notebook 03.
    *("03.verifier", "03.advantages", "03.pass_at_k"),
    # Notebook 04.
    *("04.mixes", "04.repeats", "04.short", "04.going"),
    # Notebook 06.
    *("06.longest_context", "06.weight", "06.mixture", "06.kernels"),
    # Notebook 08.
    *("08.read", "08.halve", "08.worth", "08.mask"),
}

# Notebooks without headings above their exercises, three to five quiz questions, or a closing cell.
FRAME = {
    # Notebook 02.
    "02",
    # Notebook 03.
    "03",
    # Notebook 04.
    "04",
    # Notebook 06.
    "06",
    # Notebook 08.
    "08",
}

# Notebooks with a cell above 25 lines, or with an assert that a playing learner can trip.
CELLS = {
    # Notebook 02.
    "02",
    # Notebook 04.
    "04",
    # Notebook 06.
    "06",
}

# Notebooks with a bold term that does not link to docs/glossary.md.
GLOSSARY = {
    # Notebook 02.
    "02",
    # Notebook 03.
    "03",
    # Notebook 04.
    "04",
    # Notebook 06.
    "06",
    # Notebook 08.
    "08",
}
