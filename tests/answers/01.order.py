#: right, typed in
kept = (4, 2)

#: right, as a list
kept = [4, 2]

#: right, as an array of numbers with a point
kept = np.array([4.0, 2.0])

#: right, counted in a loop
def count(q):
    total = 0.0
    for n, x in enumerate(sorted(q, reverse=True), 1):
        total += x
        if total >= 0.95:
            return n
    return len(q)

kept = count(five), count(np.exp(np.log(five) / 0.6) / np.exp(np.log(five) / 0.6).sum())

#: right, powers instead of logits
sharp = five ** (1 / 0.6)
kept = [int(np.searchsorted(np.cumsum(q / q.sum()), 0.95)) + 1 for q in (five, sharp)]

#: wrong, swapped: other way round
kept = (2, 4)

#: wrong, temperature-first: With the temperature first
kept = (4, 4)

#: wrong, temperature-last: With the temperature last
kept = (3, 2)

#: wrong, temperature-first: 1 is too small
kept = (4, 1)

#: wrong, temperature-first: 3 is too large
kept = (4, (np.cumsum(five) < 0.95 * 0.6).sum() + 3)

#: wrong, temperature-last: 5 is too large
kept = (5, 2)

#: wrong, two-numbers: Give two numbers
kept = 4

#: wrong, two-numbers
kept = (4, 2, 2)

#: wrong, wrong-type: could not be checked
kept = ("four", "two")

#: wrong, temperature-last
kept = (np.cumsum(five)[3], np.cumsum(five)[1])
