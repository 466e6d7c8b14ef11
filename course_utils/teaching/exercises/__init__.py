"""How does the course ask and check? Exercises declared once, and predictions before results.

``declaration``: what an exercise and a question are.  ``checking``: the verdict on an answer, for
which ``attempt`` calls a learner's function and ``guarded`` sees that it ends.  ``compare``: what
is off, in words.  ``results``: who passed what.  ``folded``: headings, hints and solutions for the
notebooks.  ``own_work``: what a learner wrote runs in later cells.  ``predictions``: guess first,
then run.  ``quiz``: questions on concepts.  ``closing``: what is done and what is open.
``notebook_00`` and so on: the exercises and questions of each notebook.
"""
