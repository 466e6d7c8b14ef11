"""The Hugging Face hub: what it says about a file, and the words in which it refuses.

The environment decides which hub is asked and how: ``HF_ENDPOINT`` (a mirror), ``HF_TOKEN``,
``HF_HUB_OFFLINE``, and the usual proxy variables.  They are read at every call, so that setting
one in a notebook works at once.  The answer to one HEAD request holds all there is to know: size,
checksum and commit stand in headers (https://huggingface.co/docs/huggingface_hub, `hf_hub_url`).
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from course_utils import network
from course_utils.errors import DownloadError, OptionError
from course_utils.hashing import GIT_SHA1, SHA256

DEFAULT_ENDPOINT = "https://huggingface.co"
MOST_REDIRECTS = 10
# No more of a refusal is read for its reasons.
MOST_WORDS_BYTES = 64 * 1024
# Answers after which the same question may well succeed.
TRANSIENT_STATUSES = {408, 425, 429, 500, 502, 503, 504, 520, 522, 524}


class Checksum(NamedTuple):
    """A published checksum: ``hashing.SHA256`` or ``GIT_SHA1``, and lower-case digits."""

    algorithm: str
    hexadecimal: str


@dataclass(frozen=True)
class RemoteFile:
    """One file as a hub describes it: ``size`` in bytes, ``checksum`` as published.

    ``url`` names the commit, so that a branch that moves during a download does no harm.
    """

    repository: str
    filename: str
    revision: str
    url: str = field(repr=False)  # HF_ENDPOINT may hold a password
    size: int
    etag: str
    checksum: Checksum
    commit: str | None


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


@dataclass(eq=False)
class Interrupted(Exception):
    """One attempt failed in a way that another may not.

    ``wait`` is what the server asked for, in seconds; ``remedy`` is for the case that no further
    attempt is made.
    """

    reason: str
    wait: float = 0.0
    remedy: str = "Check the network connection."

    def __str__(self) -> str:
        """The reason as a sentence."""
        return f"{self.reason[:1].upper()}{self.reason[1:]}."


@dataclass
class Patience:
    """Counts failed attempts and sleeps between them; ``note`` is told about each pause."""

    policy: RetryPolicy
    note: Callable[[str], None]
    failures: int = 0

    def renew(self) -> None:
        """An attempt brought something: count from zero again."""
        self.failures = 0

    def after(self, interruption: Interrupted) -> None:
        """Sleep before the next attempt, or raise DownloadError if there should be none."""
        self.failures += 1
        wait = interruption.wait
        if wait > self.policy.longest_wait_seconds:
            raise DownloadError(
                f"The download has to wait: {interruption.reason}.",
                f"The server asks for {wait / 60:.0f} minutes of patience; "
                "run the same again after that.",
            ) from None
        if self.failures >= self.policy.attempts:
            attempts = "1 attempt" if self.failures == 1 else f"{self.failures} attempts"
            raise DownloadError(
                f"The download stops after {attempts} without success: {interruption.reason}.",
                f"{interruption.remedy} Then run the same again.",
            ) from None
        doubled = self.policy.pause_seconds * 2 ** (self.failures - 1)
        pause = min(doubled, self.policy.longest_pause_seconds) * random.uniform(0.75, 1.0)
        pause = max(pause, wait)
        self.note(f"{interruption} Next attempt in {pause:.0f} s.")
        time.sleep(pause)


def is_offline() -> bool:
    """Whether the environment forbids the network (``HF_HUB_OFFLINE=1``)."""
    words = (os.environ.get("HF_HUB_OFFLINE"), os.environ.get("TRANSFORMERS_OFFLINE"))
    return any((word or "").strip().upper() in {"1", "ON", "YES", "TRUE"} for word in words)


def endpoint() -> str:
    """The address of the hub: ``HF_ENDPOINT`` or the public one. Raises OptionError if unusable."""
    try:
        return network.checked_address(
            os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT, example=DEFAULT_ENDPOINT, login=True
        )
    except OptionError as error:
        raise OptionError(
            f"The environment variable HF_ENDPOINT is wrong: {error.problem}",
            f"{error.remedy} Or unset it to use {DEFAULT_ENDPOINT}.",
        ) from None


def find(
    repository: str, filename: str, revision: str, patience: Patience
) -> tuple[httpx.Client, RemoteFile]:
    """Ask the hub for a file's size, checksum and commit; returns them, and a client to fetch it.

    The client holds the token that the environment or a login provides; httpx drops it when a
    redirect leads to another host.  The caller closes it.  Raises DownloadError if the hub
    refuses, cannot be reached, or states no checksum.
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": "qwq-course"}
    if token := _token():
        headers["Authorization"] = f"Bearer {token}"
    client = network.open_client(
        timeout=patience.policy.timeout_seconds, headers=headers, max_redirects=MOST_REDIRECTS
    )
    try:
        while True:
            try:
                return client, _describe(client, repository, filename, revision)
            except Interrupted as interruption:
                patience.after(interruption)
    except BaseException:
        client.close()
        raise


def _describe(client: httpx.Client, repository: str, filename: str, revision: str) -> RemoteFile:
    from huggingface_hub import hf_hub_url

    def address(of_revision: str) -> str:
        return hf_hub_url(repository, filename, revision=of_revision, endpoint=endpoint())

    hops = _ask_for_headers(client, address(revision))
    words = ""
    if _is_lasting(hops[-1].status_code) and not _says_why(hops[-1]):
        # The public hub gives its reasons in headers; a proxy or a mirror is asked for its words,
        # which an answer to HEAD cannot hold.
        words = _ask_for_words(client, hops[-1])
    check_status(hops[-1], repository, filename, revision, words)
    # A storage host at the end of the chain has an ETag of its own, which means something else.
    etag = _first_header(hops, "X-Linked-Etag") or (
        hops[-1].headers.get("ETag") if _on_hub(hops[-1]) else None
    )
    etag = etag and etag.removeprefix("W/").strip('"')
    checksum = _checksum(etag)
    size = _first_header(hops, "X-Linked-Size") or hops[-1].headers.get("Content-Length", "")
    if not etag or checksum is None or not size.isascii() or not size.isdigit():
        raise DownloadError(
            f"{_host(endpoint())} answers, but states no size and checksum for {filename}, "
            "so a download could not be verified.",
            "If this network has a login page, open it in a browser first; "
            "otherwise check HF_ENDPOINT.",
        )
    commit = _first_header(hops, "X-Repo-Commit")
    return RemoteFile(
        repository=repository,
        filename=filename,
        revision=revision,
        url=address(commit or revision),
        size=int(size),
        etag=etag,
        checksum=checksum,
        commit=commit,
    )


def explained(error: Exception) -> Interrupted | DownloadError:
    """What to raise for one of ``network.NETWORK_ERRORS``.

    The words of the original exception are left out: they may hold a signed link or a token.
    """
    fault = network.explain(error, f"the hub {_host(endpoint())}")
    if fault.transient:
        return Interrupted(fault.problem.rstrip("."), remedy=fault.remedy)
    return DownloadError(fault.problem[:1].upper() + fault.problem[1:], fault.remedy)


def check_status(
    response: httpx.Response, repository: str, filename: str, revision: str, words: str = ""
) -> None:
    """Return if the answer is a success (or a redirect); otherwise say what it means.

    ``words`` are the server's own reasons, where they are not in the answer itself.

    Raises Interrupted where another attempt may succeed, DownloadError where none will.
    """
    status = response.status_code
    if status < 400:
        return
    if status in TRANSIENT_STATUSES:
        reason = {429: "the hub limits how often you may ask", 503: "the hub is overloaded"}
        raise Interrupted(
            f"{reason.get(status, 'the server has a problem')} (HTTP {status})",
            _retry_after_seconds(response.headers.get("Retry-After", "")),
        )
    if not _on_hub(response):
        # Links to storage hosts are signed for a limited time; the next attempt gets a new one.
        raise Interrupted(f"the storage host {response.url.host} refused the link (HTTP {status})")
    page = f"{endpoint()}/{repository}" if not urlsplit(endpoint()).username else repository
    problem, remedy = _refusal(response, page, repository, filename, revision)
    said = words or _words_of(response)
    raise DownloadError(f"{problem} It says: {said}." if said else problem, remedy)


def _refusal(
    response: httpx.Response, page: str, repository: str, filename: str, revision: str
) -> tuple[str, str]:
    """What a lasting refusal means, and what to do."""
    status = response.status_code
    if status == 401 and "authorization" in response.request.headers:
        return (
            "The hub does not accept your access token, or this token may not see "
            f"{repository} (HTTP 401).",
            "Set HF_TOKEN to a valid token with read access, or unset it for a public model.",
        )
    if status == 401:
        return (
            f"There is no public repository {repository} on {_host(endpoint())} (HTTP 401).",
            "Check the spelling; for a private or gated one set HF_TOKEN to a token that may "
            "read it.",
        )
    if status == 403:
        return (
            f"The hub, or a proxy before it, refuses access to {repository} (HTTP 403).",
            f"Open {page} in a browser, accept its conditions if it has any, and set HF_TOKEN "
            "to a token of that account.",
        )
    if status == 404:
        missing = {
            "RepoNotFound": f"There is no repository {repository}",
            "RevisionNotFound": f"{repository} has no revision {revision!r}",
        }.get(
            response.headers.get("X-Error-Code", ""),
            f"{repository} has no file {filename} at revision {revision!r}",
        )
        return (
            f"{missing} (HTTP 404).",
            f"Check the spelling against {page}; names are case-sensitive.",
        )
    return (
        f"The hub refuses {filename} of {repository} (HTTP {status}).",
        f"See whether {page} opens in a browser, and try again later.",
    )


def _ask_for_headers(client: httpx.Client, url: str) -> list[httpx.Response]:
    """Send HEAD and follow redirects until one answer describes the file; returns all answers.

    The hub describes the file in the same answer that redirects to a storage host, and the link
    to that host is signed for GET alone: following it with HEAD would be refused.
    """
    try:
        hops = [client.head(url, follow_redirects=False)]
        while hops[-1].next_request is not None and "X-Linked-Etag" not in hops[-1].headers:
            if len(hops) > MOST_REDIRECTS:
                raise httpx.TooManyRedirects("too many redirects", request=hops[-1].request)
            hops.append(client.send(hops[-1].next_request, follow_redirects=False))
    except network.NETWORK_ERRORS as error:
        raise explained(error) from None
    return hops


def _ask_for_words(client: httpx.Client, refused: httpx.Response) -> str:
    """Why a HEAD request was refused, if asking for one byte is refused as well."""
    ask = {"headers": {"Range": "bytes=0-0"}, "follow_redirects": False}
    try:
        with client.stream("GET", refused.request.url, **ask) as answer:
            return _words_of(answer) if answer.status_code == refused.status_code else ""
    except network.NETWORK_ERRORS:
        return ""


def _is_lasting(status: int) -> bool:
    return status >= 400 and status not in TRANSIENT_STATUSES


def _says_why(response: httpx.Response) -> bool:
    return "X-Error-Code" in response.headers or "X-Error-Message" in response.headers


def _words_of(response: httpx.Response) -> str:
    """The server's own reasons, short and harmless; "" if it gives none."""
    if message := response.headers.get("X-Error-Message"):
        return network.harmless(message).rstrip(".")
    body = bytearray()
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MOST_WORDS_BYTES:
                break
    except network.NETWORK_ERRORS:
        return ""
    kind = {"Content-Type": response.headers.get("Content-Type", "text/plain")}
    start = httpx.Response(response.status_code, headers=kind, content=bytes(body))
    return network.words_of(start).rstrip(".")


def _on_hub(response: httpx.Response) -> bool:
    return response.url.netloc == httpx.URL(endpoint()).netloc


def _retry_after_seconds(header: str) -> float:
    """The seconds that a Retry-After header asks for (a number or a date); 0 without one."""
    try:
        if header.strip().isdigit():
            return float(header)
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return 0.0


def _checksum(etag: str | None) -> Checksum | None:
    """The checksum that a hub's ETag is, or None where the ETag is something else."""
    if etag and re.fullmatch(r"[0-9a-f]{64}", etag):
        return Checksum(SHA256, etag)
    if etag and re.fullmatch(r"[0-9a-f]{40}", etag):
        return Checksum(GIT_SHA1, etag)
    return None


def _token() -> str | None:
    from huggingface_hub.utils import get_token_to_send

    token = get_token_to_send(None)
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise OptionError(
            "The access token for the hub holds characters that no token has.",
            "Copy it again from the hub's settings page into HF_TOKEN, without quotes or blanks.",
        )
    return token


def _first_header(hops: list[httpx.Response], name: str) -> str | None:
    return next((hop.headers[name] for hop in hops if name in hop.headers), None)


def _host(address: str) -> str:
    return urlsplit(address).hostname or address
