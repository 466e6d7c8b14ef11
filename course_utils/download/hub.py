"""What does the hub say about a file, and in which words does it refuse?

The environment decides which hub is asked and how: ``HF_ENDPOINT`` (a mirror), ``HF_TOKEN``,
``HF_HUB_OFFLINE``, and the usual proxy variables.  They are read at every call, so that setting
one in a notebook works at once.  The answer to one HEAD request holds all there is to know: size,
checksum and commit stand in headers (https://huggingface.co/docs/huggingface_hub, `hf_hub_url`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from ..errors import DownloadError, OptionError
from .checksum import Checksum
from .patience import Interrupted, Patience, interruptions, retry_after_seconds

DEFAULT_ENDPOINT = "https://huggingface.co"
MOST_REDIRECTS = 10
# Answers after which the same question may well succeed.
TRANSIENT_STATUSES = {408, 425, 429, 500, 502, 503, 504, 520, 522, 524}


@dataclass(frozen=True)
class RemoteFile:
    """One file as a hub describes it: ``size`` in bytes, ``checksum`` as published.

    ``url`` names the commit, so that a branch that moves during a download does no harm.
    """

    repository: str
    filename: str
    revision: str
    url: str
    size: int
    etag: str
    checksum: Checksum
    commit: str | None


def is_offline() -> bool:
    """Whether the environment forbids the network (``HF_HUB_OFFLINE=1``)."""
    words = (os.environ.get("HF_HUB_OFFLINE"), os.environ.get("TRANSFORMERS_OFFLINE"))
    return any((word or "").strip().upper() in {"1", "ON", "YES", "TRUE"} for word in words)


def endpoint() -> str:
    """The address of the hub: ``HF_ENDPOINT`` or the public one. Raises OptionError if unusable."""
    address = (os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).strip().rstrip("/")
    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname:
        raise OptionError(
            "The environment variable HF_ENDPOINT is not the address of a hub.",
            f"Write it with its scheme, for example {DEFAULT_ENDPOINT}, or unset it.",
        )
    return address


def open_client(timeout_seconds: float) -> httpx.Client:
    """An HTTP client for the hub, with the token and the proxies that the environment names.

    httpx drops the token when a redirect leads to another host.
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": "qwq-course"}
    if token := _token():
        headers["Authorization"] = f"Bearer {token}"
    try:
        return httpx.Client(headers=headers, timeout=timeout_seconds, max_redirects=MOST_REDIRECTS)
    except ImportError:
        raise DownloadError(
            "The environment names a SOCKS proxy, which needs one more package.",
            "Run `pip install 'httpx[socks]'`, or set HTTPS_PROXY to an http:// proxy.",
        ) from None
    except (ValueError, OSError, httpx.InvalidURL):
        raise DownloadError(
            "A proxy or certificate variable in the environment cannot be used.",
            "Check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY (as http://host:port) and SSL_CERT_FILE.",
        ) from None


def describe(
    client: httpx.Client, repository: str, filename: str, revision: str, patience: Patience
) -> RemoteFile:
    """Ask the hub for a file's size, checksum and commit.

    Raises DownloadError if the hub refuses, cannot be reached, or states no checksum.
    """
    from huggingface_hub import hf_hub_url

    def address(of_revision: str) -> str:
        return hf_hub_url(repository, filename, revision=of_revision, endpoint=endpoint())

    while True:
        try:
            hops = _ask_for_headers(client, address(revision))
            check_status(hops[-1], repository, filename, revision)
            break
        except Interrupted as interruption:
            patience.after(interruption)
    etag = hub_etag(hops)
    checksum = Checksum.from_etag(etag)
    size = _first_header(hops, "X-Linked-Size") or hops[-1].headers.get("Content-Length", "")
    if etag is None or checksum is None or not size.isascii() or not size.isdigit():
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


def hub_etag(hops: list[httpx.Response]) -> str | None:
    """The file's ETag among the answers of a chain of redirects, or None if none states it.

    A storage host at the end of the chain has an ETag of its own, which means something else.
    """
    linked = _first_header(hops, "X-Linked-Etag")
    own = hops[-1].headers.get("ETag") if _on_hub(hops[-1]) else None
    return (linked or own or "").removeprefix("W/").strip('"') or None


def check_status(response: httpx.Response, repository: str, filename: str, revision: str) -> None:
    """Return if the answer is a success (or a redirect); otherwise say what it means.

    Raises Interrupted where another attempt may succeed, DownloadError where none will.
    """
    status = response.status_code
    if status < 400:
        return
    if status in TRANSIENT_STATUSES:
        reason = {429: "the hub limits how often you may ask", 503: "the hub is overloaded"}
        raise Interrupted(
            f"{reason.get(status, 'the server has a problem')} (HTTP {status})",
            retry_after_seconds(response.headers.get("Retry-After")),
        )
    if not _on_hub(response):
        # Links to storage hosts are signed for a limited time; the next attempt gets a new one.
        raise Interrupted(f"the storage host {response.url.host} refused the link (HTTP {status})")
    page = f"{endpoint()}/{repository}" if not urlsplit(endpoint()).username else repository
    code = response.headers.get("X-Error-Code", "")
    if status == 401 and "authorization" in response.request.headers:
        raise DownloadError(
            "The hub does not accept your access token, or this token may not see "
            f"{repository} (HTTP 401).",
            "Set HF_TOKEN to a valid token with read access, or unset it for a public model.",
        )
    if status == 401:
        raise DownloadError(
            f"There is no public repository {repository} on {_host(endpoint())} (HTTP 401).",
            "Check the spelling; for a private or gated one set HF_TOKEN to a token that may "
            "read it.",
        )
    if status == 403:
        raise DownloadError(
            f"The hub refuses access to {repository} (HTTP 403).",
            f"Open {page} in a browser, accept its conditions if it has any, and set HF_TOKEN "
            "to a token of that account.",
        )
    if status == 404:
        missing = {
            "RepoNotFound": f"There is no repository {repository}",
            "RevisionNotFound": f"{repository} has no revision {revision!r}",
        }.get(code, f"{repository} has no file {filename} at revision {revision!r}")
        raise DownloadError(
            f"{missing} (HTTP 404).",
            f"Check the spelling against {page}; names are case-sensitive.",
        )
    raise DownloadError(
        f"The hub refuses {filename} of {repository} (HTTP {status}).",
        f"See whether {page} opens in a browser, and try again later.",
    )


def _ask_for_headers(client: httpx.Client, url: str) -> list[httpx.Response]:
    """Send HEAD and follow redirects until one answer describes the file; returns all answers.

    The hub describes the file in the same answer that redirects to a storage host, and the link
    to that host is signed for GET alone: following it with HEAD would be refused.
    """
    with interruptions():
        hops = [client.head(url)]
        while hops[-1].next_request is not None and "X-Linked-Etag" not in hops[-1].headers:
            if len(hops) > MOST_REDIRECTS:
                raise httpx.TooManyRedirects("too many redirects", request=hops[-1].request)
            hops.append(client.send(hops[-1].next_request))
    return hops


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


def _on_hub(response: httpx.Response) -> bool:
    hub = httpx.URL(endpoint())
    return (response.url.host, response.url.port) == (hub.host, hub.port)


def _host(address: str) -> str:
    return urlsplit(address).hostname or address
