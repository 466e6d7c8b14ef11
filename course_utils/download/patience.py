"""When is it worth asking again, after how long, and when not?

A line that drops is normal during a 20 GB download; a hub that has been silent for ten attempts
is not.  Every attempt that brings some of the file starts the count again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from ..errors import DownloadError


@dataclass(frozen=True)
class RetryPolicy:
    """How persistent a download is; times in seconds.

    ``attempts`` in a row may fail without bringing anything.  A server silent for
    ``timeout_seconds`` counts as failed.  The first pause is ``pause_seconds``; it doubles up to
    ``longest_pause_seconds``.  A server that asks for more than ``longest_wait_seconds`` of
    patience (Retry-After) gets none.
    """

    attempts: int = 10
    timeout_seconds: float = 30.0
    pause_seconds: float = 1.0
    longest_pause_seconds: float = 30.0
    longest_wait_seconds: float = 300.0


class Interrupted(Exception):
    """One attempt failed in a way that another may not; ``wait`` is what the server asked for."""

    def __init__(self, reason: str, wait: float | None = None):
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


class Patience:
    """Counts failed attempts and sleeps between them; ``note`` is told about each pause."""

    def __init__(self, policy: RetryPolicy, note: Callable[[str], None]):
        self.policy = policy
        self._note = note
        self._failures = 0

    def renew(self) -> None:
        """An attempt brought something: count from zero again."""
        self._failures = 0

    def after(self, interruption: Interrupted) -> None:
        """Sleep before the next attempt, or raise DownloadError if there should be none."""
        self._failures += 1
        if interruption.wait is not None and interruption.wait > self.policy.longest_wait_seconds:
            raise DownloadError(
                f"The download has to wait: {interruption.reason}.",
                f"The server asks for {interruption.wait / 60:.0f} minutes of patience; "
                "run the same again after that.",
            ) from None
        if self._failures >= self.policy.attempts:
            raise DownloadError(
                f"The download stops after {self._failures} attempts without success: "
                f"{interruption.reason}.",
                "Check the network connection, then run the same again.",
            ) from None
        doubled = self.policy.pause_seconds * 2 ** (self._failures - 1)
        pause = min(doubled, self.policy.longest_pause_seconds) * random.uniform(0.75, 1.0)
        pause = max(pause, interruption.wait or 0.0)
        self._note(f"{interruption.reason.capitalize()}; next attempt in {pause:.0f} s.")
        time.sleep(pause)


def retry_after_seconds(header: str | None) -> float | None:
    """The seconds that a Retry-After header asks for (a number or a date), or None."""
    if header is None:
        return None
    try:
        if header.strip().isdigit():
            return float(header)
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


@contextmanager
def interruptions() -> Iterator[None]:
    """Turn what can go wrong on the line into Interrupted, or DownloadError if it would recur.

    The words of the original exception are left out: they may hold a signed link or a token.
    """
    try:
        yield
    except httpx.TooManyRedirects:
        raise DownloadError(
            "The hub sends the request round in circles (too many redirects).",
            "Check HF_ENDPOINT and the proxy variables, or try again later.",
        ) from None
    except (httpx.UnsupportedProtocol, httpx.InvalidURL):
        raise DownloadError(
            "The hub redirects to an address that cannot be used.",
            "Check HF_ENDPOINT and the proxy variables, or try again later.",
        ) from None
    except httpx.ConnectTimeout:
        raise Interrupted("no connection within the time limit") from None
    except httpx.TimeoutException:
        raise Interrupted("the server fell silent") from None
    except httpx.ProxyError:
        raise Interrupted("the proxy refuses the connection") from None
    except httpx.ConnectError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise DownloadError(
                "The server's certificate is not one that this machine trusts.",
                "Behind a proxy that inspects traffic, set SSL_CERT_FILE to its certificate.",
            ) from None
        raise Interrupted("there is no connection to the server") from None
    except httpx.TransportError:
        raise Interrupted("the connection was cut") from None
