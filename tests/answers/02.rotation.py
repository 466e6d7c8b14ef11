#: right, a list
import math

def rotate_pair(pair, position, frequency):
    a = position * frequency
    return [
        pair[0] * math.cos(a) - pair[1] * math.sin(a),
        pair[0] * math.sin(a) + pair[1] * math.cos(a),
    ]

#: right, a matrix
def rotate_pair(pair, position, frequency):
    c, s = np.cos(position * frequency), np.sin(position * frequency)
    return np.array([[c, -s], [s, c]]) @ pair

#: right, a complex number
def rotate_pair(pair, position, frequency):
    z = complex(*pair) * np.exp(1j * position * frequency)
    return z.real, z.imag

#: right, by length and direction
def rotate_pair(pair, position, frequency):
    length = np.hypot(*pair)
    direction = np.arctan2(pair[1], pair[0]) + position * frequency
    return length * np.array([np.cos(direction), np.sin(direction)])

#: right, one step at a time
def rotate_pair(pair, position, frequency):
    x, y = pair
    for _ in range(position):
        x, y = (
            x * np.cos(frequency) - y * np.sin(frequency),
            x * np.sin(frequency) + y * np.cos(frequency),
        )
    return np.array([x, y])

#: right, recursive
def rotate_pair(pair, position, frequency):
    if position == 0:
        return pair
    c, s = np.cos(frequency), np.sin(frequency)
    turned = np.array([pair[0] * c - pair[1] * s, pair[0] * s + pair[1] * c])
    return rotate_pair(turned, position - 1, frequency)

#: wrong, other-way: signs of the two sines
def rotate_pair(pair, position, f):
    a = -position * f
    x, y = pair
    return np.array([x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)])

#: wrong, overwrites: change x before
def rotate_pair(pair, position, f):
    x, y = pair
    x = x * np.cos(position * f) - y * np.sin(position * f)
    y = x * np.sin(position * f) + y * np.cos(position * f)
    return np.array([x, y])

#: wrong, overwrites: change y before
def rotate_pair(pair, position, f):
    x, y = pair
    y = x * np.sin(position * f) + y * np.cos(position * f)
    x = x * np.cos(position * f) - y * np.sin(position * f)
    return np.array([x, y])

#: wrong, not-turned
def rotate_pair(pair, position, f):
    return pair

#: wrong, shape: The shape should be (2,)
def rotate_pair(pair, position, f):
    return pair[0] * np.cos(position * f)

#: wrong, degrees: in radians already
def rotate_pair(pair, position, f):
    a = np.radians(position * f)
    x, y = pair
    return np.array([x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)])

#: wrong, reversed: in reverse order
def rotate_pair(pair, position, f):
    a = position * f
    x, y = pair
    return np.array([x * np.sin(a) + y * np.cos(a), x * np.cos(a) - y * np.sin(a)])

#: wrong, values
def rotate_pair(pair, position, f):
    a = position / f
    x, y = pair
    return np.array([x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)])

#: wrong, values
def rotate_pair(pair, position, f):
    a = (position + 1) * f
    x, y = pair
    return np.array([x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)])

#: wrong, changes-its-input
def rotate_pair(pair, position, f):
    x, y = pair
    pair[0] = x * np.cos(position * f) - y * np.sin(position * f)
    pair[1] = x * np.sin(position * f) + y * np.cos(position * f)
    return pair

#: wrong, printed
def rotate_pair(pair, position, f):
    a = position * f
    x, y = pair
    print(x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a))
