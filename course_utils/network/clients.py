"""HTTP clients that take the environment's proxies and certificates, each only where it counts.

httpx reads both when a client is made, for every address there may ever be, and what it cannot
read fails there and then.  Here the proxy is chosen for each request, and the certificates are
read at the first https:// request, so that a setting can only disturb the requests it is about.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import re
import ssl
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import httpx

from course_utils.errors import OptionError
from course_utils.network.addresses import checked_address, is_loopback, masked
from course_utils.secret import Secret

CONNECT_SECONDS = 10.0
PROXY_FORMS = "http://host:port"


class SettingFault(Exception):
    """A variable of the environment cannot be used: what is wrong with it, and what to do."""

    def __init__(self, problem: str, remedy: str):
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True)
class Proxy:
    """The proxy that a request goes through, and the variable that names it."""

    url: Secret  # it may hold a password
    variable: str

    def __str__(self) -> str:
        place = masked(self.url.reveal()).removeprefix("http://").rpartition("@")[2].rstrip("/")
        return f"the proxy{' ' * bool(place)}{place} (from {self.variable})"


def open_client(
    *,
    timeout: float,
    headers: dict[str, str] | None = None,
    max_redirects: int = 0,
    keep_alive: bool = True,
) -> httpx.Client:
    """A client for any address.

    timeout: seconds of silence after which a request is given up; ten at most to connect.
    max_redirects: how often an answer may send a request elsewhere; httpx drops the
        Authorization header on the way to another host.
    keep_alive: whether connections are used again.  Without, hanging up on one request disturbs
        no other.

    Opening never fails; a variable of the environment that cannot be used is met by the request
    that needs it, which ``network.explain`` explains like every other fault.
    """
    logging.getLogger("httpx").addFilter(_mask_addresses)
    return httpx.Client(
        headers=headers,
        timeout=httpx.Timeout(timeout, connect=min(CONNECT_SECONDS, timeout)),
        follow_redirects=max_redirects > 0,
        max_redirects=max_redirects,
        transport=_ByEnvironment(keep_alive),
        trust_env=False,
    )


def _mask_addresses(record: logging.LogRecord) -> bool:
    """httpx logs the address of every request, and some hold a key or a signature."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            masked(str(value)) if isinstance(value, httpx.URL) else value for value in record.args
        )
    return True


class _ByEnvironment(httpx.BaseTransport):
    """Sends each request directly or through the proxy that the environment names for it."""

    def __init__(self, keep_alive: bool):
        self._limits = httpx.Limits(max_keepalive_connections=20 if keep_alive else 0)
        self._transports: dict[tuple[Proxy | None, bool], httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        proxy = proxy_for(str(request.url))
        request.extensions["proxy"] = proxy  # whoever explains a fault will want to know
        secure = request.url.scheme == "https"
        if (proxy, secure) not in self._transports:
            self._transports[proxy, secure] = self._connected(proxy, secure)
        try:
            response = self._transports[proxy, secure].handle_request(request)
        except UnicodeError as error:  # from the socket, for a name that DNS cannot hold
            raise httpx.ConnectError(str(error), request=request) from error
        request.extensions["answered"] = True
        return response

    def close(self) -> None:
        for transport in self._transports.values():
            transport.close()

    def _connected(self, proxy: Proxy | None, secure: bool) -> httpx.HTTPTransport:
        # Reading the certificates takes a moment, which plain http has no use for.
        trusted = certificates() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        through = None
        if proxy is not None:
            through = _usable(proxy)
            if through.url.scheme == "https":
                through.ssl_context = trusted if secure else certificates()
        return httpx.HTTPTransport(verify=trusted, limits=self._limits, proxy=through)


def has_begun(request: httpx.Request | None) -> bool:
    """Whether the answer to a request had begun to come."""
    return request is not None and "answered" in request.extensions


def proxy_of(request: httpx.Request | None) -> Proxy | None:
    """The proxy that a request has gone through, if any."""
    return None if request is None else request.extensions.get("proxy")


def proxy_for(address: str) -> Proxy | None:
    """The proxy that the environment (or the system's settings) names for this address.

    No proxy can reach a server on this machine, so those are always asked directly.
    """
    if is_loopback(address):
        return None
    settings = urllib.request.getproxies()
    url = httpx.URL(address)
    named = settings.get(url.scheme) or settings.get("all") or ""
    if not named.strip() or _is_exempt(url, settings):
        return None
    variable = next(
        (
            name
            for scheme in (url.scheme, "all")
            for name in (f"{scheme}_proxy".upper(), f"{scheme}_proxy")
            if os.environ.get(name) == named
        ),
        "the system's settings",
    )
    named = named.strip()
    return Proxy(Secret(named if "://" in named else f"http://{named}"), variable)


def _is_exempt(url: httpx.URL, settings: dict[str, str]) -> bool:
    """Does NO_PROXY name this host (curl's rules, and networks such as 10.0.0.0/8)?"""
    if "no" not in settings:
        # Windows and macOS keep their own list beside their own proxies.
        from_variables = urllib.request.getproxies_environment()
        return not from_variables and bool(urllib.request.proxy_bypass(url.host))
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    return any(
        _rule_names(rule.lower(), url.host.lower().rstrip("."), port)
        for rule in re.split(r"[,\s]+", settings["no"])
        if rule
    )


def _rule_names(rule: str, host: str, port: int) -> bool:
    if rule == "*":
        return True
    rule = rule.rpartition("://")[2].rstrip("/")
    with contextlib.suppress(ValueError):
        # A network or an address, with or without the brackets that IPv6 needs in an address.
        return ipaddress.ip_address(host) in ipaddress.ip_network(rule.strip("[]"), strict=False)
    name, colon, of_port = rule.rpartition(":")
    if colon and of_port.isdigit():
        if int(of_port) != port:
            return False
        rule = name.strip("[]")
    domain = rule.lstrip("*").lstrip(".").rstrip(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _usable(proxy: Proxy) -> httpx.Proxy:
    """The proxy as httpx wants it. Raises SettingFault for one that cannot be used."""
    url = proxy.url.reveal()
    if url.lower().startswith("socks"):
        try:
            import socksio  # noqa: F401
        except ImportError:
            raise SettingFault(
                f"{proxy} is a SOCKS proxy, which needs one more package",
                "Run `pip install 'httpx[socks]'` and restart the kernel, set "
                f"{proxy.variable} to an {PROXY_FORMS} proxy, or add the server to NO_PROXY.",
            ) from None
    try:
        usable = httpx.Proxy(url)
        checked_address(f"http://{url.partition('://')[2]}", login=True)
        return usable
    except (ValueError, httpx.InvalidURL, OptionError):
        raise SettingFault(
            f"{proxy} is not the address of a proxy",
            f"Write {proxy.variable} as {PROXY_FORMS}, or unset it.",
        ) from None


# ---- certificates ------------------------------------------------------------------------------


def certificates() -> ssl.SSLContext:
    """The certificates that https:// trusts: those the environment names, or else httpx's own.

    SSL_CERT_FILE and SSL_CERT_DIR replace httpx's list (certifi), as they do OpenSSL's for curl.
    Raises SettingFault where one of them leads nowhere.
    """
    file, folders = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file and not Path(file).is_file():
        raise _stale("SSL_CERT_FILE", file, "file")
    if folders and not any(Path(folder).is_dir() for folder in folders.split(os.pathsep)):
        raise _stale("SSL_CERT_DIR", folders, "folder")
    try:
        if not file and not folders:
            return httpx.create_ssl_context(trust_env=False)
        return ssl.create_default_context(cafile=file or None, capath=folders or None)
    except OSError as error:  # ssl.SSLError is one of them
        raise _unreadable(error, file) from None


def certificate_setting() -> str | None:
    """The variable that replaces the usual certificates, with what it names; None if there is none.

    For messages about a certificate that is not trusted.
    """
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        if os.environ.get(variable):
            return f"{variable}={os.environ[variable]}"
    return None


def _stale(variable: str, path: str, kind: str) -> SettingFault:
    return SettingFault(
        f"the environment variable {variable} leads to no {kind}: {path}",
        f"Unset {variable}, or set it to the {kind} with your network's certificates.",
    )


def _unreadable(error: OSError, file: str | None) -> SettingFault:
    """Which setting stopped ssl from reading the certificates?"""
    log = os.environ.get("SSLKEYLOGFILE")
    if log and error.filename == log:
        return SettingFault(
            f"the file {log} cannot be written, which the environment variable SSLKEYLOGFILE asks "
            "for",
            "Unset SSLKEYLOGFILE, or name a file in a folder of yours.",
        )
    if file:
        why = "may not be read" if isinstance(error, PermissionError) else "holds no certificates"
        return SettingFault(
            f"the file that the environment variable SSL_CERT_FILE names {why}: {file}",
            "Unset SSL_CERT_FILE, or set it to a file with certificates in PEM form.",
        )
    return SettingFault(
        f"the certificates of this Python cannot be read ({error.strerror or error})",
        "Install certifi again: pip install --force-reinstall certifi.",
    )
