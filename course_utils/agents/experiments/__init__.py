"""How was the policy of the guessing world trained and measured? One module for each part.

``python -m course_utils.agents.experiments.NAME`` runs one again; ``models/nano/runs`` holds the
results that notebook 08 draws.
"""
