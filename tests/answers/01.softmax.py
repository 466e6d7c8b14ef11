#: right, a loop with math
import math

def softmax(logits):
    largest = max(logits)
    exponentials = []
    for logit in logits:
        exponentials.append(math.exp(logit - largest))
    total = 0.0
    for exponential in exponentials:
        total += exponential
    return [exponential / total for exponential in exponentials]

#: right, comprehensions
def softmax(logits):
    top = np.max(logits)
    return np.array([np.exp(l - top) / sum(np.exp(m - top) for m in logits) for l in logits])

#: right, through the logarithm of the sum
def softmax(logits):
    return np.exp(logits - np.logaddexp.reduce(logits))

#: right, each against all others
def softmax(logits):
    differences = logits[None, :] - logits[:, None]
    return 1 / np.exp(differences).sum(axis=1)

#: right, recursive
def softmax(logits):
    def total(values):
        return values[0] if len(values) == 1 else values[0] + total(values[1:])
    e = np.exp(logits - max(logits))
    return e / total(list(e))

#: right, a working copy changed in place
def softmax(logits):
    work = logits.copy()
    work -= work.max()
    np.exp(work, out=work)
    work /= work.sum()
    return work

#: wrong, sum-not-one: Probabilities must sum to 1
def softmax(logits):
    return np.exp(logits)

#: wrong, overflow: an exponential overflows
def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum()

#: wrong, overflow: whatever their order
def softmax(logits):
    e = np.exp(logits - logits[0])
    return e / e.sum()

#: wrong, overflow
def softmax(logits):
    e = np.exp(logits - logits.mean())
    return e / e.sum()

#: wrong, overflow
def softmax(logits):
    e = np.exp(np.clip(logits, -700, 700))
    return e / e.sum()

#: wrong, no-exponential: What turns every number into a positive one?
def softmax(logits):
    return logits / logits.sum()

#: wrong, sum-not-one
def softmax(logits):
    e = np.exp(logits - logits.max())
    return e // e.sum()

#: wrong, sum-not-one
def softmax(logits):
    e = np.exp(logits - logits.max())
    return e / (len(e) - 1)

#: wrong, sign: check a sign
def softmax(logits):
    e = np.exp(logits.min() - logits)
    return e / e.sum()

#: wrong, base: powers of 2
def softmax(logits):
    e = 2 ** (logits - logits.max())
    return e / e.sum()

#: wrong, logarithms
def softmax(logits):
    return logits - np.logaddexp.reduce(logits)

#: wrong, values: They sum to 1, but 4 of 4 are off
def softmax(logits):
    e = np.exp(np.roll(logits, 1) - logits.max())
    return e / e.sum()

#: wrong, changes-its-input: Work on a copy
def softmax(logits):
    logits -= logits.max()
    e = np.exp(logits)
    return e / e.sum()

#: wrong, printed: end it with `return`
def softmax(logits):
    e = np.exp(logits - logits.max())
    print(e / e.sum())

#: wrong, no-return: Does it end with `return`?
def softmax(logits):
    e = np.exp(logits - logits.max())
    e = e / e.sum()

#: wrong, endless: Does a loop never stop?
def softmax(logits):
    e = np.exp(logits - logits.max())
    while e.sum() > 0:
        e = e / e.sum()
    return e

#: wrong, recursion: calls itself without end
def softmax(logits):
    return softmax(logits - logits.max())

#: wrong, error: `softmax` stopped with an error in its line 2: ZeroDivisionError
def softmax(logits):
    return 1 / 0

#: wrong, shape: The shape should be (4,)
def softmax(logits):
    e = np.exp(logits - logits.max())
    return e.max() / e.sum()

#: wrong, no-array: A list or array of numbers is asked for, and this is a dict
def softmax(logits):
    e = np.exp(logits - logits.max())
    return dict(enumerate(e / e.sum()))
