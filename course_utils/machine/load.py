"""Do other programs keep this machine's cores busy while something is measured?"""

from __future__ import annotations

import os
import time

import psutil

from course_utils.machine.cores import usable_cores

FREE_SHARE = 0.75
"""A measurement of speed counts if at least this share of our cores was free for it."""


class OtherLoad:
    """What other programs do to the processor from now on; ``disturbs`` says if it is much."""

    def __init__(self) -> None:
        self._since = self._now()

    def disturbs(self) -> bool:
        """Whether other programs have left too few cores for a measurement to count."""
        wall, busy, own = (now - then for now, then in zip(self._now(), self._since, strict=True))
        if wall <= 0:
            return False
        free = (os.cpu_count() or 1) - max(0.0, busy - own) / wall
        return free < FREE_SHARE * usable_cores()

    @staticmethod
    def _now() -> tuple[float, float, float]:
        """Seconds on the clock, that all cores were busy, and that this process used."""
        times = psutil.cpu_times()._asdict()
        # Guests are counted as users already; a core that waits for a disk is free.
        idle = ("idle", "iowait", "guest", "guest_nice")
        busy = sum(seconds for kind, seconds in times.items() if kind not in idle)
        return time.perf_counter(), busy, time.process_time()
