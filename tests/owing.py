"""What the notebooks and their exercises still owe, in one place. All of it is empty at the end.

The tests hold that a thing listed here is missing, and that nothing else is: whoever adds it
strikes it out.
"""

# Exercises with fewer than five right answers (the solution is one) or eight wrong ones.
ANSWERS = {
    # Notebook 05.
    *("05.mixture_layer", "05.route", "05.effective_experts", "05.mutual_information"),
    "05.touched",
    # Notebook 07.
    *("07.standard_error", "07.pass_at_k", "07.false_alarm", "07.which_test"),
    # Notebook 09.
    *("09.apart", "09.leader", "09.stored", "09.false_if", "09.verdict"),
}

# Notebooks without headings above their exercises, three to five quiz questions, or a closing cell.
FRAME = {
    # Notebook 05.
    "05",
    # Notebook 07.
    "07",
    # Notebook 09.
    "09",
}

# Notebooks with a cell above 25 lines, or with an assert that a playing learner can trip.
CELLS = {
    # Notebook 05.
    "05",
    # Notebook 07.
    "07",
    # Notebook 09.
    "09",
}

# Notebooks with a bold term that does not link to docs/glossary.md.
GLOSSARY = {
    # Notebook 05.
    "05",
    # Notebook 07.
    "07",
    # Notebook 09.
    "09",
}
