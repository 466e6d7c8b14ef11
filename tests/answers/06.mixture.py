#: wrong, unnamed: upside
def highest_ratio(dense, mixture):
    return mixture / dense

#: wrong, unnamed: percentage
def highest_ratio(dense, mixture):
    return dense / mixture * 100
