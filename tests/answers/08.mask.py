#: wrong, unnamed: Three of eight
def policy_loss(gain, own):
    return -gain.mean()

#: wrong, unnamed: Three of eight
def policy_loss(gain, own):
    return -(gain * own).mean()

#: wrong, unnamed: sign
def policy_loss(gain, own):
    return (gain * own).sum() / own.sum()

#: wrong, unnamed: one number
def policy_loss(gain, own):
    return -(gain * own).sum(dim=1)
