#: wrong, unnamed: sum to 1
def route(scores, used):
    e = np.argsort(-scores)[:, :used]
    return e, np.take_along_axis(softmax(scores), e, axis=-1)

#: wrong, unnamed: likeliest
def route(scores, used):
    e = np.argsort(scores)[:, -used:]
    w = np.take_along_axis(softmax(scores), e, axis=-1)
    return e, w / w.sum(-1, keepdims=True)

#: wrong, unnamed: Other experts
def route(scores, used):
    e = np.argsort(scores)[:, :used]
    w = np.take_along_axis(softmax(scores), e, axis=-1)
    return e, w / w.sum(-1, keepdims=True)

#: wrong, unnamed: Two things
def route(scores, used):
    return np.argsort(-scores)[:, :used]
