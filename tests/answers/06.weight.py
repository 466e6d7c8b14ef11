#: right, step by step
def weight(d, dmin, scale, minimum, quant):
    step = d * scale
    lowest = -(dmin * minimum)
    return lowest + step * quant

#: right, a loop
def weight(d, dmin, scale, minimum, quant):
    value = -dmin * minimum
    for _ in range(quant):
        value += d * scale
    return value

#: right, recursive
def weight(d, dmin, scale, minimum, quant):
    if quant == 0:
        return -dmin * minimum
    return weight(d, dmin, scale, minimum, quant - 1) + d * scale

#: right, a product of vectors
def weight(d, dmin, scale, minimum, quant):
    return np.dot([d * scale, dmin], [quant, -minimum])

#: right, in 32 bits
def weight(d, dmin, scale, minimum, quant):
    d, dmin = np.float32(d), np.float32(dmin)
    return d * np.float32(scale) * np.float32(quant) - dmin * np.float32(minimum)

#: right, between the two ends
def weight(d, dmin, scale, minimum, quant):
    return np.interp(quant, [0, 15], [-dmin * minimum, 15 * d * scale - dmin * minimum])

#: wrong, minimum-added: subtracted
def weight(d, dmin, scale, minimum, quant):
    return d * scale * quant + dmin * minimum

#: wrong, no-minimum: negative
def weight(d, dmin, scale, minimum, quant):
    return d * scale * quant

#: wrong, one-step-for-both: step of their own
def weight(d, dmin, scale, minimum, quant):
    return d * (scale * quant - minimum)

#: wrong, one-step-for-both: `d`
def weight(d, dmin, scale, minimum, quant):
    return dmin * (scale * quant - minimum)

#: wrong, steps-swapped
def weight(d, dmin, scale, minimum, quant):
    return dmin * scale * quant - d * minimum

#: wrong, minimum-in-quants
def weight(d, dmin, scale, minimum, quant):
    return d * scale * (quant - minimum)

#: wrong, minimum-without-step
def weight(d, dmin, scale, minimum, quant):
    return d * scale * quant - minimum

#: wrong, scale-without-step
def weight(d, dmin, scale, minimum, quant):
    return scale * quant - dmin * minimum

#: wrong, moved-twice: begin at 0
def weight(d, dmin, scale, minimum, quant):
    return d * scale * (quant - 8) - dmin * minimum

#: wrong, sign
def weight(d, dmin, scale, minimum, quant):
    return dmin * minimum - d * scale * quant

#: wrong, never-negative
def weight(d, dmin, scale, minimum, quant):
    return max(0, d * scale * quant - dmin * minimum)

#: wrong, too-large
def weight(d, dmin, scale, minimum, quant):
    return d * scale * (quant + 1) - dmin * minimum

#: wrong, error
def weight(d, dmin, scale, minimum, quant):
    return d[scale] * quant - dmin * minimum

#: wrong, no-return
def weight(d, dmin, scale, minimum, quant):
    value = d * scale * quant - dmin * minimum
