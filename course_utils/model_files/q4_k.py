"""What is in a Q4_K block? 144 bytes that hold 256 weights of one row, sorted out bit by bit.

Source: llama.cpp, ``ggml-common.h`` (``block_q4_K``) and ``ggml-quants.c`` (``get_scale_min_k4``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from course_utils.errors import OptionError

BLOCK_BYTES, WEIGHTS, GROUPS = 144, 256, 8


class Q4KBlock(NamedTuple):
    """The numbers of one block, unpacked.

    ``d``, ``dmin``: the steps of the scales and of the minima.  ``scales``, ``minima``: (8,), whole
    numbers from 0 to 63, one of each for a group of 32 weights.  ``quants``: (8, 32), from 0 to 15.
    """

    d: np.float32
    dmin: np.float32
    scales: np.ndarray
    minima: np.ndarray
    quants: np.ndarray


def read_block(data: bytes) -> Q4KBlock:
    """Take one block apart. Raises OptionError unless it is 144 bytes long."""
    if len(data) != BLOCK_BYTES:
        raise OptionError(
            f"A Q4_K block has {BLOCK_BYTES} bytes, and these are {len(data)}.",
            "Read 144 bytes from the place where the tensor begins, or a multiple further on.",
        )
    d, dmin = np.frombuffer(data[:4], "<f2").astype(np.float32)
    # The first four scales and minima lie in the low 6 bits of bytes 0 to 7.  Of the other four,
    # the low 4 bits lie in bytes 8 to 11, the high 2 bits in what was left of bytes 0 to 7.
    low, high, rest = np.frombuffer(data[4:16], np.uint8).reshape(3, 4)
    scales = np.concatenate([low & 63, (rest & 15) | (low >> 6) << 4])
    minima = np.concatenate([high & 63, (rest >> 4) | (high >> 6) << 4])
    # Each byte holds two quants: 32 bytes make two groups, the low halves before the high ones.
    halves = np.frombuffer(data[16:], np.uint8).reshape(4, 32)
    quants = np.stack([halves & 15, halves >> 4], axis=1).reshape(GROUPS, 32)
    return Q4KBlock(d, dmin, scales, minima, quants)
