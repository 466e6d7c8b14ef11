"""The network as people have it: the true culprit is named, and no secret is shown."""

import re
import socket
import ssl

import pytest

from course_utils import network
from course_utils.errors import OptionError, ServerError
from course_utils.network.clients import proxy_for
from tests.fake_server import FakeServer
from tests.loopback_https import raw_server, server_context

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in (*VARIABLES, "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def get(address: str) -> int:
    try:
        with network.open_client(timeout=2) as client:
            return client.get(address).status_code
    except network.NETWORK_ERRORS as error:
        found = network.explain(error, address, timeout=2)
        raise ServerError(found.problem, found.remedy) from None


def fault(address: str) -> str:
    with pytest.raises(ServerError) as error:
        get(address)
    assert error.value.problem and error.value.remedy
    assert "Traceback" not in str(error.value) and error.value.__cause__ is None
    return str(error.value)


# ---- addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed, named",
    [
        ("http://fe80::1:8080/v1", r"square brackets.*http://\[fe80::1\]:8080/v1"),
        ("http://[::1", "brackets do not match"),
        ("http://[zz]/v1", "not an IPv6 address"),
        ("http://localhost:port/v1", "'port' is not the number of a port"),
        ("http://localhost:99999/v1", "'99999' is not the number"),
        ("localhost:8080/v1", "Write http://localhost:8080/v1"),
        ("ws://localhost:8080", "ws:// is not the web's"),
        ("http:/localhost:8080", "two slashes"),
        ("http//localhost:8080/v1", "two slashes"),
        ("http;//localhost:8080/v1", "two slashes"),
        ("http:\\\\localhost", "holds"),
        ("http://local host:8080/v1", "space"),
        ("http://localhost\u200b:8080/v1", r"invisible character \(U\+200B\)"),
        ("http://<host>:8080/v1", "'<'"),
        ("http://", "names no machine"),
        ("", "empty"),
        ("http://a..b/v1", "no machine can be called"),
        (f"http://{'a' * 70}.example/v1", "no machine can be called"),
        ("http://xn--a/v1", "no machine can be called"),
        ("http://host:80:80/v1", "more than one colon"),
        ("http://host/v1?key=abc", r"after a '\?'"),
        (8080, "not int"),
    ],
)
def test_a_broken_address_is_refused_by_what_is_wrong_with_it(typed, named):
    with pytest.raises(OptionError, match=f"(?s){named}"):
        network.checked_address(typed)


@pytest.mark.parametrize(
    "typed, meant",
    [
        (" http://localhost:8080/v1/ ", "http://localhost:8080/v1"),
        ("HTTP://localhost:/v1", "http://localhost/v1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://[fe80::1%eth0]:8080/v1", "http://[fe80::1%eth0]:8080/v1"),
        ("https://bücher.example/v1", "https://bücher.example/v1"),
        ("https://api.example/v1/@cf/model", "https://api.example/v1/@cf/model"),
    ],
)
def test_a_sound_address_is_taken_in_one_form(typed, meant):
    assert network.checked_address(typed) == meant


@pytest.mark.parametrize(
    "address",
    [
        "http://user:hunter2@host/v1",
        "http://user:hun/ter2@host:x/v1",
        "user:hunter2@host",
        "http://host/v1?key=hunter2",
        "http://user:hunter2@[::1",
        "http://:hunter2@host\n",
    ],
)
def test_a_secret_in_an_address_is_never_shown(address):
    with pytest.raises(OptionError) as error:
        network.checked_address(address)
    assert "hun" not in str(error.value) and "ter2" not in str(error.value)


def test_this_machine_is_known_by_all_its_names():
    here = (
        "localhost",
        "localhost.",
        "a.localhost",
        "127.1.2.3",
        "[::1]",
        "0.0.0.0",
        "[::]",
        "127.1",
        "0",
    )
    assert all(network.is_loopback(f"http://{name}:8080/v1") for name in here)
    for short in ("127.1", "0", "[::ffff:127.0.0.1]"):
        assert network.is_loopback(f"http://{short}/v1")
    there = ("localhost.example", "128.0.0.1", "[fe80::1]", "10.0.0.1")
    assert not any(network.is_loopback(f"http://{name}:8080/v1") for name in there)


# ---- proxies -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "proxy, named",
    [
        ("socks5://127.0.0.1:9", r"SOCKS.*pip install 'httpx\[socks\]'"),
        ("nonsense://x", "not the address of a proxy"),
        ("http://[", "not the address of a proxy"),
        ("http://host:port", "not the address of a proxy"),
        ("http://me:hunter2@127.0.0.1:9", "nothing is listening"),
        (" 127.0.0.1:9 ", "nothing is listening"),
        ("http://no-such-machine.invalid:9", "no machine of this name"),
    ],
)
def test_a_proxy_that_is_to_blame_is_named_with_its_variable(monkeypatch, proxy, named):
    import importlib.util

    if proxy.startswith("socks") and importlib.util.find_spec("socksio"):
        pytest.skip("the package for SOCKS proxies is installed")
    monkeypatch.setenv("ALL_PROXY", proxy)
    words = fault("http://server.invalid/v1")
    assert re.search(named, words, re.DOTALL)
    assert "ALL_PROXY" in words and "hunter2" not in words


@pytest.mark.parametrize("broken", ["socks5://127.0.0.1:9", "nonsense://x", "http://127.0.0.1:9"])
def test_a_proxy_does_not_come_between_us_and_this_machine(monkeypatch, fake, broken):
    monkeypatch.setenv("ALL_PROXY", broken)
    monkeypatch.setenv("NO_PROXY", "[::1]")
    assert get(f"{fake.url}/models") == 200


def test_the_proxy_answers_for_hosts_that_only_it_knows(monkeypatch, fake):
    monkeypatch.setenv("HTTP_PROXY", fake.url.removesuffix("/v1"))
    fake.on["http://server.invalid/v1"] = lambda request: request.json({})
    assert get("http://server.invalid/v1") == 200


def test_a_proxy_that_refuses_is_named(monkeypatch, fake):
    monkeypatch.setenv("HTTPS_PROXY", fake.url.removesuffix("/v1"))
    assert "(from HTTPS_PROXY) refuses the connection (501" in fault("https://server.invalid/v1")


@pytest.mark.parametrize(
    "rule, address, exempt",
    [
        ("*", "http://a.example", True),
        ("a.example", "http://a.example", True),
        ("example", "http://a.example", True),
        (".example", "http://a.example", True),
        ("*.example", "http://a.example", True),
        ("xample", "http://a.example", False),
        ("b.example, A.EXAMPLE", "http://a.example:8080", True),
        ("a.example:8080", "http://a.example:8080", True),
        ("a.example:8080", "http://a.example", False),
        ("http://a.example/", "http://a.example", True),
        ("10.0.0.0/8", "http://10.1.2.3", True),
        ("10.0.0.0/8", "http://11.1.2.3", False),
        ("[fd00::1]", "http://[fd00::1]:8080", True),
        ("[fd00::1]:8080", "http://[fd00::1]:8080", True),
        ("fd00::/8", "http://[fd00::1]", True),
        ("[::1]", "http://a.example", False),
        (", ,", "http://a.example", False),
    ],
)
def test_no_proxy_is_read_as_people_write_it(monkeypatch, rule, address, exempt):
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", rule)
    assert (proxy_for(address) is None) == exempt


# ---- certificates ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variable, value, named",
    [
        ("SSL_CERT_FILE", "no/such.pem", "leads to no file: no/such.pem"),
        ("SSL_CERT_FILE", __file__, "holds no certificates"),
        ("SSL_CERT_DIR", "no/such", "leads to no folder"),
        ("SSLKEYLOGFILE", "no/such/log", "cannot be written"),
    ],
)
def test_a_stale_certificate_variable_is_named_where_it_counts(
    monkeypatch, fake, variable, value, named
):
    monkeypatch.setenv(variable, value)
    words = fault("https://server.invalid/v1")
    assert named in words and f"nset {variable}" in words
    assert get(f"{fake.url}/models") == 200, "plain http has no use for certificates"


def test_ones_own_certificate_on_this_machine_is_honoured(monkeypatch, tmp_path):
    context, certificate = server_context(tmp_path)
    server = FakeServer(context)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # and proxies are still left out
    words = fault(f"{server.url}/models")
    assert "self-signed" in words and "SSL_CERT_FILE" in words
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert get(f"{server.url}/models") == 200
    server.close()


def test_a_certificate_for_another_name_is_told_from_an_untrusted_one(monkeypatch, tmp_path):
    context, certificate = server_context(tmp_path)
    server = FakeServer(context)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    look_up = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda _, *rest, **k: look_up("127.0.0.1", *rest, **k)
    )
    address = server.url.replace("127.0.0.1", "other.example")
    assert "the name that the certificate was made for" in fault(address)
    server.close()


# ---- what answers, or does not -----------------------------------------------------------------


def test_plain_and_encrypted_ports_are_told_apart(monkeypatch, tmp_path, fake):
    assert "does not speak https" in fault(fake.url.replace("http:", "https:"))
    context, _ = server_context(tmp_path)
    server = FakeServer(context)
    assert "https://" in fault(server.url.replace("https:", "http:"))
    server.close()


@pytest.mark.parametrize(
    "answer, named",
    [
        (b"\x15\x03\x01\x00\x02\x02\x46", "perhaps it speaks https"),
        (b"", "hung up without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "hung up without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "broke off in the middle"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "unpacked"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n", "sends the"),
    ],
)
def test_what_answers_without_speaking_http_is_described(answer, named):
    with raw_server(answer) as address:
        assert named in fault(address)


def test_nobody_there_is_told_from_no_such_machine():
    words = fault("http://127.0.0.1:9/v1")
    assert "nothing is listening" in words and "Inside a container" in words
    assert "no machine of this name" in fault("http://no-such-machine.invalid/v1")
    assert "no machine can have this name" in fault(f"http://{'a' * 70}.invalid/v1")


def test_an_earlier_fault_is_not_taken_for_this_one(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "no/such.pem")
    try:
        fault("https://server.invalid/v1")
        raise ssl.SSLCertVerificationError("of another time")
    except ssl.SSLError:
        assert "nothing is listening" in fault("http://127.0.0.1:9/v1")


def test_other_peoples_words_are_shown_short_and_harmless():
    said = "\x1b[31mred\x1b[0m \u202eevil\r\n\x00 sk-abcdef123456 http://me:pw@host KEY" + "x" * 999
    words = network.harmless(said, secrets=["KEY"], most=60)
    assert words.startswith("red evil … http://…@host …x") and len(words) == 60


@pytest.mark.parametrize(
    "body, words",
    [
        ({"error": {"message": "no model"}}, "no model"),
        ({"error": "no model"}, "no model"),
        ({"detail": [{"loc": ["body", "top_k"], "msg": "not an int"}]}, "body.top_k: not an int"),
        ({"message": "no model", "code": 1}, "no model"),
        ([{"error": {"message": "no model"}}], "no model"),
        ({"code": 7}, '{"code": 7}'),
        ("<html><style>p{}</style><script>x()</script><p>Log&nbsp;in</p>", "Log in"),
        ("", ""),
    ],
)
def test_the_words_of_an_answer_are_found_in_any_form(fake, body, words):
    fake.on["/v1"] = lambda request: (
        request.text(body, 403) if isinstance(body, str) else request.json(body, 403)
    )
    with network.open_client(timeout=2) as client:
        assert network.words_of(client.get(fake.url)) == words
