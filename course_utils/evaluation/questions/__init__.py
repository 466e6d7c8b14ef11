"""Which questions does our own suite ask? One module for each family of questions.

Each offers ``LEVELS`` (how many levels of difficulty), ``make(random, level)``, which draws a
question as its prompt and its answer key, and ``grade(key, reply, sandbox)``.  A key is plain
data, so that it can be written to a log and read back.
"""
