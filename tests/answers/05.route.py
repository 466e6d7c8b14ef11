#: right, softmax of the chosen only
def route(scores, used):
    experts = np.argsort(-scores, axis=-1)[:, :used]
    return experts, softmax(np.take_along_axis(scores, experts, axis=-1))

#: right, with a loop
def route(scores, used):
    numbers, weights = [], []
    for row in scores:
        best = sorted(range(len(row)), key=lambda n: -row[n])[:used]
        shares = np.exp([row[n] for n in best])
        numbers.append(best)
        weights.append(shares / shares.sum())
    return numbers, weights

#: right, from the end
def route(scores, used):
    experts = np.argsort(scores)[:, ::-1][:, :used]
    rows = np.arange(len(scores))[:, None]
    chosen = softmax(scores)[rows, experts]
    return experts, chosen / chosen.sum(1)[:, None]

#: right, with PyTorch
import torch

def route(scores, used):
    best = torch.topk(torch.tensor(scores), used)
    return best.indices, torch.softmax(best.values, dim=-1)

#: wrong, not-scaled: sum to 1
def route(scores, used):
    e = np.argsort(-scores)[:, :used]
    return e, np.take_along_axis(softmax(scores), e, axis=-1)

#: wrong, reversed: likeliest should come first
def route(scores, used):
    e = np.argsort(scores)[:, -used:]
    w = np.take_along_axis(softmax(scores), e, axis=-1)
    return e, w / w.sum(-1, keepdims=True)

#: wrong, other-experts: Other experts
def route(scores, used):
    e = np.argsort(scores)[:, :used]
    w = np.take_along_axis(softmax(scores), e, axis=-1)
    return e, w / w.sum(-1, keepdims=True)

#: wrong, two-parts: two things
def route(scores, used):
    return np.argsort(-scores)[:, :used]

#: wrong, no-softmax: softmax
def route(scores, used):
    e = np.argsort(-scores)[:, :used]
    return e, np.take_along_axis(scores, e, axis=-1)

#: wrong, shape
def route(scores, used):
    e = np.argsort(-scores)
    return e, softmax(scores)

#: wrong, shape
def route(scores, used):
    e = np.argsort(-scores, axis=0)[:used]
    w = np.take_along_axis(softmax(scores), e, axis=0)
    return e, w / w.sum(0)

#: wrong, no-array
def route(scores, used):
    return "experts", "weights"

#: wrong, values: The weights
def route(scores, used):
    e = np.argsort(-scores)[:, :used]
    w = np.take_along_axis(softmax(scores), e, axis=-1)
    return e, w / w.sum()

#: wrong, changes-its-input
def route(scores, used):
    scores -= scores.max(axis=-1, keepdims=True)
    e = np.argsort(-scores)[:, :used]
    return e, softmax(np.take_along_axis(scores, e, axis=-1))

#: wrong, no-return: gives nothing back
def route(scores, used):
    e = np.argsort(-scores)[:, :used]
    w = np.take_along_axis(softmax(scores), e, axis=-1)
