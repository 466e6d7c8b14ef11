#: right, rounded to one place
minutes = 23.8

#: right, rounded to whole minutes
minutes = 24

#: right, one division
minutes = 2000 / (1.4 * 60)

#: right, an exact fraction
from fractions import Fraction

minutes = Fraction(2000 * 10, 14 * 60)

#: right, a number of NumPy's
import numpy as np

minutes = np.float32(2000 / 1.4 / 60)

#: right, counted in a loop
seconds = 0.0
for token in range(2000):
    seconds += 1 / 1.4
minutes = seconds / 60

#: wrong, seconds: seconds
minutes = 2000 / 1.4

#: wrong, hours: hours
minutes = 2000 / 1.4 / 3600

#: wrong, times: Multiplied, or divided?
minutes = 2000 * 1.4 / 60

#: wrong, no-number: number
minutes = "24 minutes"

#: wrong, too-small
minutes = 2000 // 1.4 // 60

#: wrong, too-large
minutes = 2000 / 60

#: wrong, sign
minutes = -2000 / 1.4 / 60

#: wrong, twice
minutes = 2 * 2000 / 1.4 / 60

#: wrong, no-number
minutes = True

#: wrong, no-number
minutes = (2000 / 1.4, 60)

#: wrong, zeros: Count the zeros
minutes = 20000 / 1.4 / 60
