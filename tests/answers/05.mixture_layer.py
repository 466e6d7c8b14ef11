#: right, in one line
def mixture_layer(hidden, width, experts, used):
    return experts * (hidden + 3 * hidden * width), hidden * (experts + 3 * used * width)

#: right, with a loop
def mixture_layer(hidden, width, experts, used):
    stored = read = hidden * experts
    for number in range(experts):
        stored += 3 * hidden * width
        if number < used:
            read += 3 * hidden * width
    return stored, read

#: right, a list
def mixture_layer(hidden, width, experts, used):
    expert = 2 * hidden * width + width * hidden
    return [experts * hidden + n * expert for n in (experts, used)]

#: right, with NumPy
import numpy as np

def mixture_layer(hidden, width, experts, used):
    expert = 3 * np.prod([hidden, width])
    return hidden * experts + experts * expert, hidden * experts + used * expert

#: right, gate, up and down one by one
def mixture_layer(hidden, width, experts, used):
    gate, up, down = (hidden, width), (hidden, width), (width, hidden)
    expert = sum(a * b for a, b in (gate, up, down))
    resting = (experts - used) * expert
    everything = experts * hidden + experts * expert
    return everything, everything - resting

#: wrong, no-router: router's matrix is missing
def mixture_layer(hidden, width, experts, used):
    return experts * 3 * hidden * width, used * 3 * hidden * width

#: wrong, part-of-router: whole router
def mixture_layer(hidden, width, experts, used):
    return experts * (3 * hidden * width + hidden), used * (3 * hidden * width + hidden)

#: wrong, two-matrices: three matrices
def mixture_layer(hidden, width, experts, used):
    return experts * 2 * hidden * width + experts * hidden, used * 2 * hidden * width

#: wrong, one-matrix: three matrices
def mixture_layer(hidden, width, experts, used):
    return experts * (hidden * width + hidden), used * hidden * width + experts * hidden

#: wrong, two-numbers: Two numbers
def mixture_layer(hidden, width, experts, used):
    return experts * 3 * hidden * width + experts * hidden

#: wrong, two-numbers
def mixture_layer(hidden, width, experts, used):
    router, expert = experts * hidden, 3 * hidden * width
    return {"all": router + experts * expert, "used": router + used * expert}

#: wrong, too-large: used by a token
def mixture_layer(hidden, width, experts, used):
    everything = experts * (hidden + 3 * hidden * width)
    return everything, everything

#: wrong, too-small
def mixture_layer(hidden, width, experts, used):
    router, expert = experts * hidden, 3 * hidden * width
    return router + used * expert, router + experts * expert

#: wrong, unit
def mixture_layer(hidden, width, experts, used):
    router, expert = experts * hidden, 3 * hidden * width
    return (router + experts * expert) / 1e9, (router + used * expert) / 1e9

#: wrong, no-number: a text
def mixture_layer(hidden, width, experts, used):
    router, expert = experts * hidden, 3 * hidden * width
    return f"{router + experts * expert:,}", f"{router + used * expert:,}"

#: wrong, printed: prints and gives nothing back
def mixture_layer(hidden, width, experts, used):
    print(experts * (hidden + 3 * hidden * width))

#: wrong, error: NameError
def mixture_layer(hidden, width, experts, used):
    return heads * hidden, used * hidden
