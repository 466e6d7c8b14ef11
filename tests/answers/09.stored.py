#: right, a list
def stored_and_read(parameters, active_parameters, bits):
    return [count * bits / 8e9 for count in (parameters, active_parameters)]

#: right, with NumPy
import numpy as np

def stored_and_read(parameters, active_parameters, bits):
    stored, read = np.array([parameters, active_parameters]) * bits / 8 / 10**9
    return stored, read

#: right, with a helper
def gigabytes(count, bits):
    return count * (bits / 8) * 1e-9


def stored_and_read(parameters, active_parameters, bits):
    return gigabytes(parameters, bits), gigabytes(active_parameters, bits)

#: right, in two lines
def stored_and_read(parameters, active_parameters, bits):
    stored = parameters / 1e9 * bits / 8
    return stored, stored * active_parameters / parameters

#: wrong, bits-or-bytes: Bits or bytes
def stored_and_read(parameters, active_parameters, bits):
    return parameters * bits / 1e9, active_parameters * bits / 1e9

#: wrong, swapped: wrong way round
def stored_and_read(parameters, active_parameters, bits):
    return active_parameters * bits / 8e9, parameters * bits / 8e9

#: wrong, reads-all: active parameters only
def stored_and_read(parameters, active_parameters, bits):
    return parameters * bits / 8e9, parameters * bits / 8e9

#: wrong, stores-active: All parameters are stored
def stored_and_read(parameters, active_parameters, bits):
    return active_parameters * bits / 8e9, active_parameters * bits / 8e9

#: wrong, gib: GiB
def stored_and_read(parameters, active_parameters, bits):
    return parameters * bits / 8 / 2**30, active_parameters * bits / 8 / 2**30

#: wrong, unit
def stored_and_read(parameters, active_parameters, bits):
    return parameters * bits / 8, active_parameters * bits / 8

#: wrong, two-numbers: Return two numbers
def stored_and_read(parameters, active_parameters, bits):
    return parameters * bits / 8e9

#: wrong, nearly
def stored_and_read(parameters, active_parameters, bits):
    return parameters * bits // 8e9, active_parameters * bits // 8e9

#: wrong, no-number
def stored_and_read(parameters, active_parameters, bits):
    return f"{parameters * bits / 8e9} GB", f"{active_parameters * bits / 8e9} GB"

#: wrong, printed
def stored_and_read(parameters, active_parameters, bits):
    print(parameters * bits / 8e9, active_parameters * bits / 8e9)
