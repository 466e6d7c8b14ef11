"""How does the course ask and check? Exercises declared once, and predictions before results.

``declaration``: what an exercise is.  ``checking``: the verdict on an answer.  ``compare``: what
is off, in words.  ``folded``: hints and solutions for the notebooks.  ``predictions``: guess
first, then run.  ``notebook_00`` and so on: the exercises of each notebook.
"""
