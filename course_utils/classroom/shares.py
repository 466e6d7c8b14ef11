"""How much of the gateway may one learner take? Bounds that no number of requests gets round.

The line shares out the model's replies.  This shares out the rest: requests that are still being
read, and the small pages, which the model server answers beside its replies.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from course_utils.classroom.asked import Refusal

MOST_IN_HAND = 16
"""Requests of one learner that are being read or answered outside the line."""

SMALL_AT_ONCE = 2
"""Small pages at a time: so many threads llama-server has beside those of its slots."""


class Shares:
    """What each learner has in hand. All of it happens in one event loop."""

    def __init__(self):
        self._in_hand: Counter[str] = Counter()
        self._own_turn: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._at_once = asyncio.Semaphore(SMALL_AT_ONCE)

    @contextmanager
    def in_hand(self, owner: str) -> Iterator[None]:
        """Count a request as long as the block lasts. Raises Refusal where there are too many."""
        if self._in_hand[owner] >= MOST_IN_HAND:
            words = f"{MOST_IN_HAND} of your requests are being read already: wait for one of them."
            raise Refusal(429, words, retry_after=1)
        self._in_hand[owner] += 1
        try:
            yield
        finally:
            self._in_hand[owner] -= 1

    @asynccontextmanager
    async def turn(self, owner: str) -> AsyncIterator[None]:
        """Wait for a turn with the model server's small pages: one request of each learner."""
        async with self._own_turn[owner], self._at_once:
            yield
