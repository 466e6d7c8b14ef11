#: wrong, unnamed: router's matrix is missing
def mixture_layer(h, w, e, u):
    return e * 3 * h * w, u * 3 * h * w

#: wrong, unnamed: whole router
def mixture_layer(h, w, e, u):
    return e * (3 * h * w + h), u * (3 * h * w + h)

#: wrong, unnamed: three matrices
def mixture_layer(h, w, e, u):
    return e * 2 * h * w + e * h, u * 2 * h * w + e * h

#: wrong, unnamed: Two numbers
def mixture_layer(h, w, e, u):
    return e * 3 * h * w + e * h
