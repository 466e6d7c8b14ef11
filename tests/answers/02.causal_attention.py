#: right, a loop over rows
def causal_attention(scores):
    shares = np.zeros_like(scores)
    for i in range(len(scores)):
        shares[i, : i + 1] = softmax(scores[i, : i + 1])
    return shares

#: right, two loops with math
import math

def causal_attention(scores):
    rows = []
    for i, row in enumerate(scores):
        largest = max(row[: i + 1])
        seen = [math.exp(s - largest) for s in row[: i + 1]]
        rows.append([s / sum(seen) for s in seen] + [0.0] * (len(row) - i - 1))
    return rows

#: right, a very low score
def causal_attention(scores):
    return softmax(np.where(np.triu(np.ones_like(scores), k=1) == 1, -1e30, scores))

#: right, an index on each side
def causal_attention(scores):
    i, j = np.indices(scores.shape)
    hidden = scores.copy()
    hidden[j > i] = -np.inf
    return softmax(hidden)

#: right, exponentials masked and divided again
def causal_attention(scores):
    past = np.tril(np.ones_like(scores))
    top = np.where(past == 1, scores, -np.inf).max(axis=1, keepdims=True)
    e = np.exp(np.minimum(scores - top, 0)) * past
    return e / e.sum(axis=1, keepdims=True)

#: right, recursive
def causal_attention(scores):
    if len(scores) == 1:
        return np.ones((1, 1))
    shares = np.zeros_like(scores)
    shares[:-1, :-1] = causal_attention(scores[:-1, :-1])
    shares[-1] = softmax(scores[-1])
    return shares

#: wrong, sees-the-future: tokens after it
def causal_attention(scores):
    return softmax(scores)

#: wrong, hidden-too-late: Hide it before
def causal_attention(scores):
    return np.tril(softmax(scores))

#: wrong, sees-the-future
def causal_attention(scores):
    return np.triu(softmax(scores))

#: wrong, not-finite
def causal_attention(scores):
    return softmax(np.where(np.tril(np.ones_like(scores)) == 1, -np.inf, scores))

#: wrong, sees-the-future
def causal_attention(scores):
    return softmax(np.tril(scores))

#: wrong, sees-the-future
def causal_attention(scores):
    return softmax(np.where(np.tril(np.ones_like(scores), k=1) == 1, scores, -np.inf))

#: wrong, not-itself: look at itself
def causal_attention(scores):
    hidden = np.where(np.tril(np.ones_like(scores), k=-1) == 1, scores, -1e30)
    return np.tril(softmax(hidden), k=-1)

#: wrong, even: What do the scores say?
def causal_attention(scores):
    past = np.tril(np.ones_like(scores))
    return past / past.sum(axis=1, keepdims=True)

#: wrong, wrong-axis: the rows should
def causal_attention(scores):
    hidden = np.where(np.tril(np.ones_like(scores)) == 1, scores, -np.inf)
    return softmax(hidden.T).T

#: wrong, sum-not-one: sum to 1
def causal_attention(scores):
    return np.tril(np.exp(scores))

#: wrong, changes-its-input: Work on a copy
def causal_attention(scores):
    scores[np.triu_indices(len(scores), k=1)] = -np.inf
    return softmax(scores)

#: wrong, not-finite: finite
def causal_attention(scores):
    e = np.tril(np.exp(scores))
    return e / e.sum(axis=1, keepdims=True)

#: wrong, shape
def causal_attention(scores):
    return softmax(np.where(np.tril(np.ones_like(scores)) == 1, scores, -np.inf))[-1]

#: wrong, printed
def causal_attention(scores):
    print(softmax(np.where(np.tril(np.ones_like(scores)) == 1, scores, -np.inf)))

#: wrong, endless
def causal_attention(scores):
    i = 0
    while i < len(scores):
        scores = np.where(np.tril(np.ones_like(scores)) == 1, scores, -np.inf)
    return softmax(scores)
