#: right, in capitals
limits = {
    "QwQ-32B writes, 32 cores, memory at 90 GB/s": "Memory",
    "QwQ-32B reads a prompt of 4,000 tokens, 2 cores": "Arithmetic",
    "QwQ-32B writes for 64 people in each step, 2 cores": "Arithmetic ",
}

#: right, a list
limits = ["memory", "arithmetic", "arithmetic"]

#: right, a tuple
limits = ("memory",) + ("arithmetic",) * 2

#: right, another order
limits = {
    "QwQ-32B writes for 64 people in each step, 2 cores": "arithmetic",
    "QwQ-32B reads a prompt of 4,000 tokens, 2 cores": "arithmetic",
    "QwQ-32B writes, 32 cores, memory at 90 GB/s": "memory",
}

#: right, filled in one by one
runs = (
    "QwQ-32B writes, 32 cores, memory at 90 GB/s",
    "QwQ-32B reads a prompt of 4,000 tokens, 2 cores",
    "QwQ-32B writes for 64 people in each step, 2 cores",
)
limits = dict.fromkeys(runs, "arithmetic")
limits[runs[0]] = "memory"

#: wrong, reading: serve many tokens
limits = ["memory", "memory", "arithmetic"]

#: wrong, many-people: serve 64 people
limits = ["memory", "arithmetic", "memory"]

#: wrong, reading
limits = ["memory", "memory", "memory"]

#: wrong, writing: What do the cores wait for
limits = ["arithmetic", "arithmetic", "arithmetic"]

#: wrong, writing
limits = ["arithmetic", "memory", "arithmetic"]

#: wrong, writing
limits = ("arithmetic", "arithmetic", "memory")

#: wrong, swapped: the other way round
limits = ["arithmetic", "memory", "memory"]

#: wrong, no-option: choose from
limits = ["bandwidth", "arithmetic", "arithmetic"]

#: wrong, no-option
limits = [0, 1, 1]

#: wrong, three-answers: Keep the three runs
limits = "memory"

#: wrong, three-answers
limits = ["memory", "arithmetic"]

#: wrong, three-answers
limits = {"QwQ-32B writes": "memory", "QwQ-32B reads": "arithmetic", "QwQ-32B, many": "arithmetic"}
