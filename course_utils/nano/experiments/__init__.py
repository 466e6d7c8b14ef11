"""What do the course's long experiments measure? One module each, and its results as CSV.

``python -m course_utils.nano.experiments.NAME`` runs one again; ``models/nano/runs`` holds the
results that the notebooks draw.
"""
