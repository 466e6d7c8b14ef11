#: right, zipped
missing = dict(zip([1, 2, 3, 4], ["reward for right answers alone", "the cold start alone", "the base", "other sampling settings"]))

#: right, in another order
missing = {4: "other sampling settings", 3: "the base", 2: "the cold start alone", 1: "reward for right answers alone"}

#: right, numbers as text
missing = {"1": "reward for right answers alone", "2": "the cold start alone", "3": "the base", "4": "other sampling settings"}

#: right, capitals
missing = {1: "Reward for right answers alone", 2: "The cold start alone", 3: "The base", 4: "Other sampling settings "}

#: right, one after the other
missing = {}
missing[1] = "reward for right answers alone"
missing[2] = "the cold start alone"
missing[3] = "the base"
missing[4] = "other sampling settings"

#: wrong, loops-control: two things at once
missing = {1: "the base", 2: "the cold start alone", 3: "reward for right answers alone", 4: "other sampling settings"}

#: wrong, loops-control
missing = {1: "other sampling settings", 2: "the cold start alone", 3: "the base", 4: "reward for right answers alone"}

#: wrong, cold-start-control: in between
missing = dict.fromkeys([1, 2, 3, 4], "reward for right answers alone")

#: wrong, cold-start-control
missing = {1: "reward for right answers alone", 2: "the base", 3: "the cold start alone", 4: "other sampling settings"}

#: wrong, checks-control: not there before
missing = {1: "reward for right answers alone", 2: "the cold start alone", 3: "other sampling settings", 4: "the base"}

#: wrong, sampling-control: more than one way
missing = {1: "reward for right answers alone", 2: "the cold start alone", 3: "the base", 4: "the base"}

#: wrong, not-all-claims: each of the claims
missing = {1: "reward for right answers alone"}

#: wrong, unknown-control: is none of
missing = {1: "more seeds", 2: "the cold start alone", 3: "the base", 4: "other sampling settings"}

#: wrong, no-dictionary
missing = ["reward for right answers alone", "the cold start alone", "the base", "other sampling settings"]

#: wrong, no-dictionary
missing = "the base"
