"""Memory bandwidth: what all cores together read per second, measured in a second."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from course_utils.errors import MachineError
from course_utils.machine.cores import usable_cores
from course_utils.machine.load import OtherLoad
from course_utils.machine.memory import available_memory_bytes
from course_utils.units import MIB

# A virtual machine is told the size of its own share of the cache, while the processor below it
# may have hundreds of MiB: a smaller buffer would partly be read from there.
LEAST_BUFFER_BYTES = 1024 * MIB


def memory_bandwidth_bytes_per_second(seconds: float = 1.0) -> float:
    """How many bytes of memory this process can read per second with all its cores.

    Takes about ``seconds`` the first time and nothing after; how it is measured is told at
    ``measure_memory_bandwidth``.
    """
    return _bandwidth_of_this_process(seconds)[0]


def was_measured_on_a_busy_machine(seconds: float = 1.0) -> bool:
    """Whether other programs kept the cores busy while that bandwidth was measured."""
    return _bandwidth_of_this_process(seconds)[1]


@functools.cache
def _bandwidth_of_this_process(seconds: float) -> tuple[float, bool]:
    others = OtherLoad()
    return measure_memory_bandwidth(seconds), others.disturbs()


def measure_memory_bandwidth(seconds: float = 1.0, threads: int | None = None) -> float:
    """Measure the read bandwidth of main memory, in bytes per second.

    ``threads`` threads (one per usable core by default) each read their share of a buffer much
    larger than any processor's cache, folding it with a bitwise "or", which is far faster than
    memory.  Returns the median over passes, so that a short disturbance does not count, while a
    machine that is busy all the time shows the bandwidth that is left.

    Raises MachineError where there is not even memory for the buffer.
    """
    import numpy as np

    threads = threads or usable_cores()
    try:
        # Ones, not zeros: untouched zero pages all stand for one page, which stays in the cache.
        buffer = np.ones(_buffer_bytes(available_memory_bytes()) // 8, dtype=np.uint64)
    except MemoryError as error:
        raise MachineError(
            "There is too little free memory to measure how fast it is.",
            "Close other programs or notebooks and try again.",
        ) from error
    rates = []
    with _reader(buffer, threads) as read:
        read()
        deadline = time.perf_counter() + seconds
        while not rates or time.perf_counter() < deadline:
            rates.append(read())
    return median(rates)


@contextmanager
def file_reader(path: Path) -> Iterator[Callable[[], float] | None]:
    """Reads the start of a file that lies in memory already, to see how fast that is now.

    Gives a function that reads as much as ``measure_memory_bandwidth`` does, once, with all cores,
    and returns bytes per second; None where the file is smaller than that.  A file that a model is
    mapped from takes no memory a second time, so this also works beside one that leaves none.
    What is not in memory is read from the disk, which the caller has to look out for.  After the
    ``with`` the file is unmapped, and the function of no use.
    """
    import numpy as np

    size = _buffer_bytes(available=None)
    if path.stat().st_size < size:
        yield None
        return
    weights = np.memmap(path, dtype=np.uint64, mode="r", shape=(size // 8,))
    with _reader(weights, usable_cores()) as read:
        del weights
        read()  # The first pass only maps the pages.
        yield read


@contextmanager
def _reader(numbers, threads: int) -> Iterator[Callable[[], float]]:
    """A function that reads all ``numbers`` once, and returns bytes per second."""
    import numpy as np

    shares, size = np.array_split(numbers, threads), numbers.nbytes
    del numbers
    # numpy lets go of Python's global lock while it folds, so the threads really run together.
    with ThreadPoolExecutor(threads) as pool:

        def read() -> float:
            start = time.perf_counter()
            list(pool.map(np.bitwise_or.reduce, shares))
            return size / (time.perf_counter() - start)

        try:
            yield read
        finally:
            shares.clear()  # Whoever still holds the function does not keep a file mapped.


def _buffer_bytes(available: int | None) -> int:
    """1 GiB, or four times a larger cache; at most a quarter of what memory is ``available``."""
    wanted = max(LEAST_BUFFER_BYTES, 4 * _last_level_cache_bytes())
    return wanted if available is None else max(8 * MIB, min(wanted, available // 4))


def _last_level_cache_bytes() -> int:
    units = {"K": 1024, "M": MIB}
    sizes = []
    for file in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        try:
            text = file.read_text().strip()
            sizes.append(int(text[:-1]) * units[text[-1]])
        except (OSError, ValueError, KeyError, IndexError):
            continue
    return max(sizes, default=0)
