"""A bar for a long loop, in the notebook or the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def progress(items: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:
    """Go through ``items`` with a progress bar; use it for whatever takes more than two seconds.

    The bar is there from the start, however fast the machine, so that outputs can be compared.
    total: how many items there are, where ``items`` cannot tell.
    """
    from tqdm.auto import tqdm

    yield from tqdm(items, desc=label, total=total)
