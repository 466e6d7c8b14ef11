#: right, from two speeds
def highest_ratio(dense, mixture):
    bandwidth = 40e9
    return (bandwidth / mixture) / (bandwidth / dense)

#: right, from two times
def highest_ratio(dense, mixture):
    seconds_dense, seconds_mixture = dense / 1e9, mixture / 1e9
    return seconds_dense / seconds_mixture

#: right, logarithms
def highest_ratio(dense, mixture):
    return np.exp(np.log(dense) - np.log(mixture))

#: right, a power
def highest_ratio(dense, mixture):
    return dense * mixture**-1

#: right, by halves
def highest_ratio(dense, mixture):
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * mixture < dense else (low, middle)
    return high

#: right, a fraction
from fractions import Fraction

def highest_ratio(dense, mixture):
    return Fraction(int(dense), int(mixture))

#: wrong, upside-down: upside
def highest_ratio(dense, mixture):
    return mixture / dense

#: wrong, percent: percentage
def highest_ratio(dense, mixture):
    return dense / mixture * 100

#: wrong, difference: How many times
def highest_ratio(dense, mixture):
    return dense - mixture

#: wrong, share-saved: saves
def highest_ratio(dense, mixture):
    return 1 - mixture / dense

#: wrong, faster-by: 1 for the same
def highest_ratio(dense, mixture):
    return dense / mixture - 1

#: wrong, root
def highest_ratio(dense, mixture):
    return (dense / mixture) ** 0.5

#: wrong, sum
def highest_ratio(dense, mixture):
    return 1 + dense / mixture

#: wrong, nearly
def highest_ratio(dense, mixture):
    return dense // mixture + 0.5

#: wrong, too-small
def highest_ratio(dense, mixture):
    return dense // mixture

#: wrong, too-large
def highest_ratio(dense, mixture):
    return dense * mixture

#: wrong, too-small
def highest_ratio(dense, mixture):
    return min(dense / mixture, 5)

#: wrong, error
def highest_ratio(dense, mixture):
    return bandwidth / mixture

#: wrong, printed
def highest_ratio(dense, mixture):
    print(dense / mixture)

#: wrong, no-number
def highest_ratio(dense, mixture):
    return f"{dense / mixture} times"
