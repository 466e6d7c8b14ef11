#: wrong, unnamed: subtracted
def weight(d, dmin, scale, minimum, quant):
    return d * scale * quant + dmin * minimum

#: wrong, unnamed: negative
def weight(d, dmin, scale, minimum, quant):
    return d * scale * quant

#: wrong, unnamed: step of their own
def weight(d, dmin, scale, minimum, quant):
    return d * (scale * quant - minimum)
