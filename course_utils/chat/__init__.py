"""How does one talk to a model in a terminal? ``python -m course_utils.chat qwq-32b``.

It plans for this machine, takes a file that fits (one that is here already, or one to download),
and holds a conversation: thought, answer, speed, and a budget for thinking.
"""
