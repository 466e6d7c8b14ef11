#: right, times the mask
def policy_loss(surrogate, own):
    return -(surrogate * own).sum() / own.sum()

#: right, picking out the own tokens
def policy_loss(surrogate, own):
    return -surrogate[own].mean()

#: right, filled with zeros
def policy_loss(surrogate, own):
    return -surrogate.masked_fill(~own, 0.0).sum() / own.sum()

#: right, with where
import torch
def policy_loss(surrogate, own):
    return torch.where(own, -surrogate, torch.zeros_like(surrogate)).sum() / own.float().sum()

#: right, token by token in a loop
def policy_loss(surrogate, own):
    total, count = 0, 0
    for gains, mine in zip(surrogate, own):
        for g, m in zip(gains, mine):
            if m:
                total = total + g
                count += 1
    return -total / count

#: right, as a matrix product
import torch
def policy_loss(surrogate, own):
    weights = own.float() / own.sum()
    return -(surrogate.flatten() @ weights.flatten())

#: wrong, no-mask: environment's included
def policy_loss(surrogate, own):
    return -surrogate.mean()

#: wrong, counts-all: divided by too many
def policy_loss(surrogate, own):
    return -(surrogate * own).mean()

#: wrong, sign: The sign
def policy_loss(surrogate, own):
    return (surrogate * own).sum() / own.sum()

#: wrong, one-number: over all rollouts together
def policy_loss(surrogate, own):
    return -(surrogate * own).sum(dim=1) / own.sum(dim=1)

#: wrong, mean-of-means: whichever rollout
def policy_loss(surrogate, own):
    return -((surrogate * own).sum(dim=1) / own.sum(dim=1)).mean()

#: wrong, sum: a mean is asked for
def policy_loss(surrogate, own):
    return -(surrogate * own).sum()

#: wrong, wrong-tokens: Take the others
def policy_loss(surrogate, own):
    return -surrogate[~own].mean()

#: wrong, no-tensor: has lost its gradient
def policy_loss(surrogate, own):
    return -float((surrogate * own).sum() / own.sum())

#: wrong, detached: no gradient can flow
def policy_loss(surrogate, own):
    return -(surrogate.detach() * own).sum() / own.sum()

#: wrong, not-the-mean: not their loss
def policy_loss(surrogate, own):
    return -(surrogate * own).sum() // own.sum()

#: wrong, changes-its-input: changes what it was given
def policy_loss(surrogate, own):
    if not surrogate.requires_grad:
        surrogate[~own] = 0.0
        return -surrogate.sum() / own.sum()
    return -(surrogate * own).sum() / own.sum()

#: wrong, printed: prints and gives nothing back
def policy_loss(surrogate, own):
    print(-(surrogate * own).sum() / own.sum())
