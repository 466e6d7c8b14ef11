"""Whose turn is it? A waiting line that shares the slots of one model fairly among learners.

Whoever has the fewest requests running or ahead in line comes first, and among those whoever came
first.  So a learner who sends a hundred requests delays nobody else's first, and nobody waits for
ever: nothing that comes later overtakes the only request of a learner.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count


class LineFull(Exception):
    """There is no room in line; ``own`` where it is the learner's own requests that fill it."""

    def __init__(self, waiting: int, own: bool):
        super().__init__(f"{waiting} requests are waiting")
        self.waiting = waiting
        self.own = own


@dataclass(eq=False)
class Ticket:
    """One request: whose it is, and which slot it has, None while it waits.

    ``warm``: the slot still holds the cache of this owner's last request, and of nobody else's.
    ``called``: done when it is this request's turn.
    """

    owner: str
    number: int
    arrived: float
    slot: int | None = None
    warm: bool = False
    called: asyncio.Event = field(default_factory=asyncio.Event)


class Line:
    """The requests that run and those that wait, for a model that answers ``slots`` at a time.

    per_learner: how many of one learner's requests may run at the same time.
    longest: how many requests may wait; longest_per_learner: how many of one learner.
    servers: how many model servers the slots are dealt out to, by turns.
    All of it happens in one event loop.
    """

    def __init__(
        self,
        slots: int,
        *,
        per_learner: int,
        longest: int,
        longest_per_learner: int,
        servers: int = 1,
    ):
        self.slots = slots
        self.servers = servers
        self.per_learner = per_learner
        self.longest = longest
        self.longest_per_learner = longest_per_learner
        self.running: list[Ticket] = []
        self._waiting: list[Ticket] = []
        self._numbers = count()
        # Who used each slot last: its cache is theirs.
        self._last_owner: dict[int, str | None] = dict.fromkeys(range(slots))
        self._used_at = dict.fromkeys(range(slots), -1)
        self._held: set[str] = set()

    def join(self, owner: str) -> Ticket:
        """Take a place in line. Raises LineFull."""
        own = sum(ticket.owner == owner for ticket in self._waiting)
        if own >= self.longest_per_learner:
            raise LineFull(own, own=True)
        if len(self._waiting) >= self.longest:
            raise LineFull(len(self._waiting), own=False)
        ticket = Ticket(owner, next(self._numbers), asyncio.get_running_loop().time())
        self._waiting.append(ticket)
        self._call()
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Be done, or give up waiting; the next in line is called."""
        if ticket in self.running:
            self.running.remove(ticket)
        elif ticket in self._waiting:
            self._waiting.remove(ticket)
        self._call()

    @contextmanager
    def place(self, owner: str) -> Iterator[Ticket]:
        """A place in line for as long as the block lasts. Raises LineFull."""
        ticket = self.join(owner)
        try:
            yield ticket
        finally:
            self.leave(ticket)

    def waiting(self) -> list[Ticket]:
        """Who waits, in the order in which they will be called as things stand."""
        ahead = Counter(ticket.owner for ticket in self.running)
        order = []
        for ticket in self._waiting:  # in the order of their arrival
            order.append((ahead[ticket.owner], ticket.number, ticket))
            ahead[ticket.owner] += 1
        return [ticket for *_, ticket in sorted(order, key=lambda entry: entry[:2])]

    def place_of(self, ticket: Ticket) -> int:
        """1 for whoever is called next; 0 for a request that runs, or has left."""
        order = self.waiting()
        return order.index(ticket) + 1 if ticket in order else 0

    def hold(self, reason: str) -> None:
        """Call nobody until ``release`` of the same reason; what runs goes on."""
        self._held.add(reason)

    def release(self, reason: str) -> None:
        self._held.discard(reason)
        self._call()

    def is_held(self, reason: str) -> bool:
        return reason in self._held

    def forget_caches(self) -> None:
        """The model was started again: no slot holds anything."""
        self._last_owner = dict.fromkeys(self._last_owner)

    def forget_all_but(self, owners: set[str]) -> None:
        """Use no cache again of anybody else: whoever gets their name next is somebody else."""
        for slot, last in self._last_owner.items():
            if last not in owners:
                self._last_owner[slot] = None

    def _call(self) -> None:
        """Give the free slots to whoever comes first and may have one."""
        while not self._held and len(self.running) < self.slots:
            running = Counter(ticket.owner for ticket in self.running)
            free = (t for t in self.waiting() if running[t.owner] < self.per_learner)
            ticket = next(free, None)
            if ticket is None:
                return
            self._waiting.remove(ticket)
            self._seat(ticket)
            self.running.append(ticket)
            ticket.called.set()

    def _seat(self, ticket: Ticket) -> None:
        """Choose a slot: the owner's last one, or else, of the server that has the fewest replies
        to write, the one that was left longest ago."""
        taken = {other.slot for other in self.running}
        free = [slot for slot in range(self.slots) if slot not in taken]
        own = [slot for slot in free if self._last_owner[slot] == ticket.owner]
        ticket.warm = bool(own)
        if own:
            ticket.slot = max(own, key=self._used_at.get)
        else:
            busy = Counter(slot % self.servers for slot in taken)
            ticket.slot = min(
                free, key=lambda slot: (busy[slot % self.servers], self._used_at[slot])
            )
        self._last_owner[ticket.slot] = ticket.owner
        self._used_at[ticket.slot] = ticket.number


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st ..."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number}{ending or 'th'}"
