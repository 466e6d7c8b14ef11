"""What the notebooks and their exercises still owe, in one place. All of it is empty at the end.

The tests hold that a thing listed here is missing, and that nothing else is: whoever adds it
strikes it out.
"""

# Exercises with fewer than five right answers (the solution is one) or eight wrong ones.
ANSWERS: set[str] = set()

# Notebooks without headings above their exercises, three to five quiz questions, or a closing cell.
FRAME: set[str] = set()

# Notebooks with a cell above 25 lines, or with an assert that a playing learner can trip.
CELLS: set[str] = set()

# Notebooks with a bold term that does not link to docs/glossary.md.
GLOSSARY: set[str] = set()
