"""The engine computes small models and large ones differently; a test runs both with tiny files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

SIZES = ("a small model", "a large one")


@contextmanager
def computed_as(size: str) -> Iterator[str]:
    """Compute every model opened meanwhile as one of this size.

    A large one is computed with more threads, and can be interrupted in the middle.
    """
    from course_utils.engines.local import engine, options

    with pytest.MonkeyPatch.context() as patch:
        if size == SIZES[1]:
            patch.setattr(engine, "SMALL_MODEL_BYTES", 0)
            # Two test processes share two cores.
            patch.setattr(options, "usable_cores", lambda: 1)
        yield size
