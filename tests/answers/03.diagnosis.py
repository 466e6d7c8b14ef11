#: right, pairs
diagnosis = dict([("D", "problems too hard"), ("C", "entropy collapse"), ("B", "reward hacking"), ("A", "healthy")])

#: right, zipped
diagnosis = dict(zip("ABCD", ["healthy", "reward hacking", "entropy collapse", "problems too hard"]))

#: right, capitals and spaces
diagnosis = {"A": "Healthy", "B": " Reward hacking", "C": "Entropy collapse ", "D": "PROBLEMS TOO HARD"}

#: right, one after the other
diagnosis = {}
diagnosis["A"] = "healthy"
diagnosis["B"] = "reward hacking"
diagnosis["C"] = "entropy collapse"
diagnosis["D"] = "problems too hard"

#: right, small letters for the runs
diagnosis = {"a": "healthy", "b": "reward hacking", "c": "entropy collapse", "d": "problems too hard"}

#: wrong, healthy-run: Run A learns
diagnosis = {"A": "entropy collapse", "B": "reward hacking", "C": "healthy", "D": "problems too hard"}

#: wrong, healthy-run
diagnosis = dict.fromkeys("ABCD", "problems too hard")

#: wrong, hacking-unseen: two stories
diagnosis = dict.fromkeys("ABCD", "healthy")

#: wrong, hacking-unseen
diagnosis = {"A": "healthy", "B": "entropy collapse", "C": "reward hacking", "D": "problems too hard"}

#: wrong, collapse-unseen: tosses no coins
diagnosis = {"A": "healthy", "B": "reward hacking", "C": "problems too hard", "D": "entropy collapse"}

#: wrong, too-hard-unseen: still undecided
diagnosis = {"A": "healthy", "B": "reward hacking", "C": "entropy collapse", "D": "entropy collapse"}

#: wrong, not-all-runs: each of the runs
diagnosis = {"A": "healthy", "B": "reward hacking"}

#: wrong, unknown-diagnosis: is none of
diagnosis = {"A": "fine", "B": "reward hacking", "C": "entropy collapse", "D": "problems too hard"}

#: wrong, no-dictionary: Give a dictionary
diagnosis = ["healthy", "reward hacking", "entropy collapse", "problems too hard"]

#: wrong, no-dictionary
diagnosis = "healthy"
