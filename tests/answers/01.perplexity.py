#: right, a loop
import math

def perplexity(log_probabilities):
    total = 0.0
    for log_probability in log_probabilities:
        total -= log_probability
    return math.exp(total / len(log_probabilities))

#: right, with NumPy
def perplexity(log_probabilities):
    return np.exp(-np.mean(log_probabilities))

#: right, one over the geometric mean
def perplexity(log_probabilities):
    return 1 / np.prod(np.exp(log_probabilities)) ** (1 / len(log_probabilities))

#: right, through bits
def perplexity(log_probabilities):
    bits = -np.asarray(log_probabilities) / np.log(2)
    return 2 ** bits.mean()

#: right, recursive
def perplexity(logs):
    def total(values):
        return 0.0 if len(values) == 0 else values[0] + total(values[1:])
    return np.e ** (-total(list(logs)) / len(logs))

#: wrong, sign: Check the sign
def perplexity(logs):
    return np.exp(sum(logs) / len(logs))

#: wrong, mean-surprise: mean surprise
def perplexity(logs):
    return -sum(logs) / len(logs)

#: wrong, no-mean: not divided
def perplexity(logs):
    return np.exp(-sum(logs))

#: wrong, sum: Two steps are missing
def perplexity(logs):
    return -sum(logs)

#: wrong, base: power of 2
def perplexity(logs):
    return 2 ** (-sum(logs) / len(logs))

#: wrong, mean-of-inverses: average the surprises first
def perplexity(logs):
    return np.mean([np.exp(-x) for x in logs])

#: wrong, mean-of-probabilities: Average their logarithms
def perplexity(logs):
    return 1 / np.mean(np.exp(logs))

#: wrong, too-large
def perplexity(logs):
    return np.exp(-sum(logs) / (len(logs) - 1))

#: wrong, too-large
def perplexity(logs):
    return np.exp(-sum(logs) // len(logs) + 1)

#: wrong, too-small
def perplexity(logs):
    return np.exp(-sum(logs[1:]) / len(logs))

#: wrong, no-number: A number is asked for
def perplexity(logs):
    return np.exp(-logs)

#: wrong, changes-its-input
def perplexity(logs):
    logs *= -1
    return np.exp(logs.mean())

#: wrong, printed
def perplexity(logs):
    print(np.exp(-np.mean(logs)))

#: wrong, endless
def perplexity(logs):
    total, n = 0.0, 0
    while n < len(logs):
        total -= logs[n]
    return np.exp(total / len(logs))
