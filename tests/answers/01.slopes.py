#: right, a loop
def slopes(logits, came):
    probabilities = softmax(logits)
    result = []
    for probability, share in zip(probabilities, came):
        result.append(probability - share)
    return result

#: right, by hand
def slopes(logits, came):
    e = np.exp(logits - logits.max())
    return e / e.sum() - came

#: right, by nudging each logit
def slopes(logits, came):
    def surprise(values):
        return -(came * np.log(softmax(values))).sum()
    result = np.zeros_like(logits)
    for i in range(len(logits)):
        up, down = logits.copy(), logits.copy()
        up[i] += 1e-5
        down[i] -= 1e-5
        result[i] = (surprise(up) - surprise(down)) / 2e-5
    return result

#: right, by automatic differentiation
import torch

def slopes(logits, came):
    x = torch.tensor(logits, requires_grad=True)
    loss = -(torch.tensor(came) * torch.log_softmax(x, dim=0)).sum()
    loss.backward()
    return x.grad.numpy()

#: right, recursive
def slopes(logits, came):
    def less(p, c):
        return [] if len(p) == 0 else [p[0] - c[0]] + less(p[1:], c[1:])
    return np.array(less(softmax(logits), came))

#: wrong, sign: its slope is negative
def slopes(logits, came):
    return came - softmax(logits)

#: wrong, nothing-came: What is different
def slopes(logits, came):
    return softmax(logits)

#: wrong, logits: these are the logits
def slopes(logits, came):
    return logits - came

#: wrong, only-what-came: The other tokens have slopes too
def slopes(logits, came):
    return np.where(came > 0, softmax(logits) - came, 0)

#: wrong, squared
def slopes(logits, came):
    return (softmax(logits) - came) ** 2

#: wrong, scale: same factor
def slopes(logits, came):
    return (softmax(logits) - came) / len(logits)

#: wrong, scale
def slopes(logits, came):
    return 2 * (softmax(logits) - came)

#: wrong, shape: The shape should be
def slopes(logits, came):
    return -(came * np.log(softmax(logits))).sum()

#: wrong, values
def slopes(logits, came):
    p = softmax(logits)
    return p * (1 - p)

#: wrong, changes-its-input
def slopes(logits, came):
    logits -= logits.max()
    return softmax(logits) - came

#: wrong, printed
def slopes(logits, came):
    print(softmax(logits) - came)

#: wrong, error
def slopes(logits, came):
    return softmax(logits) - came[len(came)]

#: wrong, endless
def slopes(logits, came):
    step = 1.0
    while step > 0:
        step = abs(step)
    return softmax(logits) - came
