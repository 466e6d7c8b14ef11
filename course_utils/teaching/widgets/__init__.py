"""What can a learner move? Widgets, each beside a plain-code equivalent.

Each has a description, works by keyboard, draws into ``HTML`` values (never into captured
output, which would not be stable under nbval), and shows an error as one line in itself.
"""
