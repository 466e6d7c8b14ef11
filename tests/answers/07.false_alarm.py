#: right, rounded
chance_of_false_alarm = 0.642

#: right, with a loop
silent = 1.0
for _ in range(20):
    silent *= 0.95
chance_of_false_alarm = 1 - silent

#: right, with NumPy
import numpy as np

chance_of_false_alarm = 1 - np.prod(np.full(20, 0.95))

#: right, as a sum
from math import comb

chance_of_false_alarm = sum(comb(20, k) * 0.05**k * 0.95 ** (20 - k) for k in range(1, 21))

#: wrong, no-alarm: no false alarm at all
chance_of_false_alarm = 0.95**20

#: wrong, added-up: Twenty times 5%
chance_of_false_alarm = 20 * 0.05

#: wrong, all-ring: all twenty
chance_of_false_alarm = 0.05**20

#: wrong, exactly-one: Two or more
chance_of_false_alarm = 20 * 0.05 * 0.95**19

#: wrong, one-comparison: one comparison alone
chance_of_false_alarm = 0.05

#: wrong, percent
chance_of_false_alarm = 64.2

#: wrong, too-small
chance_of_false_alarm = 1 - 0.95**19 - 0.05

#: wrong, no-number
chance_of_false_alarm = "64 %"

#: wrong, too-large
chance_of_false_alarm = 1 - 0.05**20 + 0.5

#: wrong, nearly
chance_of_false_alarm = 1 - 0.95**21
