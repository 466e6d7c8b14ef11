"""What the hub and the network may answer, and in which words the learner hears of it."""

import time

import pytest

from course_utils.errors import DownloadError, OptionError
from tests.download.helpers import NAME, REPOSITORY, SMALL, fetch, part_bytes, refused
from tests.loopback_hub import Fault, LoopbackHub


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("status", status=401), "no public repository"),
        (Fault("status", status=403), "refuses access"),
        (Fault("status", status=404, error_code="RepoNotFound"), "no repository"),
        (Fault("status", status=404, error_code="EntryNotFound"), "no file model.gguf"),
        (Fault("status", status=404, error_code="RevisionNotFound"), "no revision 'main'"),
        (Fault("status", status=418), "HTTP 418"),
    ],
)
def test_a_refusal_is_told_at_once_in_plain_words(hub, folder, fault, words):
    hub.head_faults.append(fault)
    assert words in refused(folder).problem
    hub.faults.append(fault)
    assert words in refused(folder).problem
    assert hub.count("HEAD") == 2


@pytest.mark.parametrize("status", [416, 429, 500, 503])
def test_a_passing_trouble_is_waited_out(hub, folder, status):
    hub.head_faults.append(Fault("status", status=429 if status == 416 else status))
    hub.faults.extend([Fault("cut", 9_000), Fault("status", status=status)])
    assert fetch(folder).read_bytes() == SMALL
    assert hub.ranges()[-1] == "bytes=9000-149999"


@pytest.mark.parametrize("status", [416, 429, 503])
def test_a_lasting_trouble_ends_in_an_error_and_keeps_the_part(hub, folder, status):
    hub.faults.extend([Fault("cut", 9_000), *[Fault("status", status=status)] * 9])
    assert f"HTTP {status}" in refused(folder).problem
    assert part_bytes(folder) == SMALL[:9_000]


def test_retry_after_is_honoured(hub, folder):
    hub.faults.append(Fault("status", status=429, retry_after="1"))
    started = time.monotonic()
    fetch(folder)
    assert time.monotonic() - started >= 1.0


@pytest.mark.parametrize("header", ["7200", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_a_server_that_asks_for_hours_is_told_to_the_learner_instead_of_waited_for(
    hub, folder, header
):
    hub.faults.append(Fault("status", status=503, retry_after=header))
    assert "minutes" in refused(folder).remedy


def test_a_hub_that_is_not_there_is_an_error_with_a_remedy(hub, folder, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "nothing is listening" in refused(folder).problem


def test_a_redirect_to_a_storage_host_is_followed_but_the_token_stays_behind(
    folder, monkeypatch, capfd
):
    monkeypatch.setenv("HF_TOKEN", "hf_topsecret")
    with (
        LoopbackHub({NAME: SMALL}) as storage_host,
        LoopbackHub({NAME: SMALL}, storage=storage_host) as hub,
    ):
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        # The signed link has expired, then the line drops: both times the hub gives a new link.
        storage_host.faults.extend([Fault("status", status=403), Fault("cut", 30_000)])
        assert fetch(folder, progress=True).read_bytes() == SMALL
        assert {r["headers"].get("authorization") for r in hub.requests} == {"Bearer hf_topsecret"}
        assert storage_host.requests
        assert not any("authorization" in r["headers"] for r in storage_host.requests)
        hub.head_faults.append(Fault("status", status=401))
        with pytest.raises(DownloadError, match="does not accept your access token") as caught:
            fetch(folder, replace=True)
    shown = str(caught.value) + "".join(capfd.readouterr())
    assert "topsecret" not in shown and "signature" not in shown
    assert not any("topsecret" in path.read_text("latin1") for path in folder.iterdir())


def test_redirects_in_circles_end_in_an_error(hub, folder):
    hub.redirect_to = f"/{REPOSITORY}/resolve/main/{NAME}"
    assert "circles" in refused(folder).problem


@pytest.mark.parametrize("token", ["hf_a b", "hf_\u00e9t\u00e9"])
def test_a_mangled_token_is_an_error_that_does_not_show_it(hub, folder, monkeypatch, token):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(OptionError) as caught:
        fetch(folder)
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        *("huggingface.co", "ftp://hub", "http://", "http://fe80::1:8080", "http://[::1"),
        *("http://localhost:port", "http://local host"),
    ],
)
def test_an_unusable_endpoint_is_named(folder, monkeypatch, address):
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(OptionError, match="HF_ENDPOINT"):
        fetch(folder)


def test_the_proxy_variables_are_honoured(hub, folder, monkeypatch):
    # The loopback hub takes the part of the proxy; the host itself does not exist.
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    monkeypatch.setenv("HTTP_PROXY", hub.address)
    assert fetch(folder).read_bytes() == SMALL
    assert {r["headers"]["host"] for r in hub.requests} == {"hub.invalid"}


@pytest.mark.parametrize("proxy", ["nonsense://x", "http://[", "socks5://127.0.0.1:9"])
def test_an_unusable_proxy_is_named_and_does_not_come_between_us_and_a_hub_on_this_machine(
    hub, folder, monkeypatch, proxy
):
    monkeypatch.setenv("ALL_PROXY", proxy)
    monkeypatch.setenv("NO_PROXY", "[::1]")
    assert fetch(folder).read_bytes() == SMALL
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    with pytest.raises(DownloadError, match="ALL_PROXY"):
        fetch(folder, replace=True)


def test_a_proxy_that_does_not_answer_is_named_with_the_way_to_be_rid_of_it(folder, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    error = refused(folder)
    assert "the proxy 127.0.0.1:9 (from ALL_PROXY)" in error.problem
    assert "unset ALL_PROXY" in error.remedy and "run the same again" in error.remedy


def test_a_stale_certificate_variable_is_named(folder, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.invalid")
    monkeypatch.setenv("SSL_CERT_FILE", "no/such.pem")
    assert "SSL_CERT_FILE leads to no file" in refused(folder).problem


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (b'{"error": "Access to this model needs your \x1b[31mconsent"}', "needs your consent"),
        (b"<html><title>x</title><p>Blocked by the school's filter</p>", "the school's filter"),
    ],
)
def test_a_refusals_own_words_are_shown_short_and_harmless(hub, folder, words, shown):
    refusal = Fault("status", status=403, words=words)
    hub.head_faults.append(refusal)
    hub.faults.append(refusal)  # the words do not come with an answer to HEAD
    assert shown in refused(folder).problem
    hub.faults.append(refusal)
    assert shown in refused(folder).problem
