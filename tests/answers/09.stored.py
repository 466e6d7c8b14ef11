#: wrong, unnamed: Bits or bytes?
def stored_and_read(total, active, bits):
    return total * bits / 1e9, active * bits / 1e9

#: wrong, unnamed: Gigabytes read
def stored_and_read(total, active, bits):
    return total * bits / 8 / 1e9, total * bits / 8 / 1e9

#: wrong, unnamed: two numbers
def stored_and_read(total, active, bits):
    return total * bits / 8 / 1e9
