"""Promises of course_utils.download: whole and verified, or a clear error and a part to go on from.

Everything here talks to a hub on this machine (loopback_hub.py); no test needs a network.
"""

import errno
import json
import multiprocessing
import os
import random
import sys
import threading
import time
from pathlib import Path

import certifi
import pytest

from course_utils import download as public
from course_utils.download import (
    RetryPolicy,
    describe_remote,
    download,
    download_model,
    find_downloaded,
    read_range,
    storage,
    store,
)
from course_utils.errors import CourseError, DownloadError, OptionError
from course_utils.paths import repository_root
from tests.loopback_hub import COMMIT, Fault, LoopbackHub

REPOSITORY = "owner/model-GGUF"
NAME = "model.gguf"
SMALL = random.Random(7).randbytes(150_000)
OTHER = random.Random(8).randbytes(150_000)
HASTY = RetryPolicy(attempts=3, timeout_seconds=0.25, pause_seconds=0.0)
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(scope="module")
def one_certificate(tmp_path_factory) -> Path:
    end = "-----END CERTIFICATE-----"
    path = tmp_path_factory.mktemp("certificates") / "one.pem"
    path.write_text(Path(certifi.where()).read_text().split(end)[0] + end + "\n")
    return path


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch, tmp_path, one_certificate):
    for name in (*PROXIES, *(proxy.lower() for proxy in PROXIES), "HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    # The loopback hub speaks plain HTTP; loading 140 root certificates each time takes longer
    # than most of these downloads.
    monkeypatch.setenv("SSL_CERT_FILE", str(one_certificate))
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))


@pytest.fixture
def hub(monkeypatch):
    with LoopbackHub({NAME: SMALL}) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        yield running


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "downloads"
    place.mkdir()
    return place


def fetch(folder: Path, **options) -> Path:
    """Download the test file to ``folder``, without patience unless a test asks for some."""
    settings = {"destination": folder, "progress": False, "retry": HASTY, **options}
    return download(REPOSITORY, NAME, **settings)


def part_bytes(folder: Path) -> bytes:
    return (folder / f"{NAME}.part").read_bytes()


def refused(folder: Path, **options) -> DownloadError:
    """The error of a download that must fail, and must not leave a file that looks whole."""
    with pytest.raises(DownloadError) as caught:
        fetch(folder, **options)
    assert not (folder / NAME).exists()
    assert caught.value.problem and caught.value.remedy
    return caught.value


def leave_a_part(hub: LoopbackHub, folder: Path, length: int) -> DownloadError:
    """Let a download end for good after ``length`` bytes."""
    hub.faults.extend([Fault("cut", length), *[Fault("cut", 0)] * (HASTY.attempts - 1)])
    return refused(folder)


# ---- Going on where the last attempt ended ------------------------------------------------


def test_a_whole_file_arrives_verified_and_leaves_no_part_behind(hub, folder):
    path = fetch(folder)
    assert path == folder / NAME
    assert path.read_bytes() == SMALL
    assert not list(folder.glob("*.part*"))


@pytest.mark.parametrize("at", [0, 1, 4095, 65_536, 149_999])
def test_a_dropped_line_costs_no_byte_twice(hub, folder, at):
    hub.faults.append(Fault("cut", at))
    assert fetch(folder).read_bytes() == SMALL
    assert hub.ranges() == ["bytes=0-149999", f"bytes={at}-149999"]


def test_a_silent_server_is_left_after_the_time_limit_and_asked_for_the_rest(hub, folder):
    hub.faults.append(Fault("stall", 50_000))
    started = time.monotonic()
    assert fetch(folder).read_bytes() == SMALL
    assert time.monotonic() - started < 3
    assert hub.ranges()[1] == "bytes=50000-149999"


def test_when_patience_ends_the_part_stays_and_the_next_call_goes_on(hub, folder):
    error = leave_a_part(hub, folder, 60_000)
    assert "60.00 kB are kept" in error.remedy
    assert part_bytes(folder) == SMALL[:60_000]
    hub.requests.clear()
    assert fetch(folder).read_bytes() == SMALL
    assert hub.ranges() == ["bytes=60000-149999"]


def test_a_flaky_line_that_brings_something_each_time_is_never_given_up(hub, folder):
    hub.faults.extend([Fault("cut", 2_000)] * 20)
    assert fetch(folder).read_bytes() == SMALL


def test_a_server_that_yields_next_to_nothing_per_connection_is_given_up(hub, folder):
    hub.faults.extend([Fault("cut", 1)] * 20)
    refused(folder)
    assert len(part_bytes(folder)) == HASTY.attempts


def test_stopping_the_cell_keeps_the_part_and_says_how_to_go_on(hub, folder):
    def stop_halfway(done, total):
        if done > 60_000:
            raise KeyboardInterrupt

    error = refused(folder, progress=stop_halfway)
    kept = part_bytes(folder)
    assert "stopped" in error.problem and "the same call goes on" in error.remedy
    assert 60_000 < len(kept) < len(SMALL) and SMALL.startswith(kept)
    assert fetch(folder).read_bytes() == SMALL
    assert hub.ranges()[-1] == f"bytes={len(kept)}-149999"


def _download_in_child(address: str, folder: str) -> None:
    os.environ["HF_ENDPOINT"] = address
    patient = RetryPolicy(timeout_seconds=30)
    download(REPOSITORY, NAME, destination=folder, progress=False, retry=patient)


@pytest.fixture(scope="module")
def children():
    """Starts processes quickly, by forking one that has everything imported where it can."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        yield multiprocessing.get_context("spawn")
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.test_download", "huggingface_hub.file_download"])
    with pytest.MonkeyPatch.context() as patch:
        # The process to fork from sees neither pytest's import path nor later settings.
        patch.setenv("PYTHONPATH", str(repository_root()))
        yield context


def kill_while_downloading(children, hub: LoopbackHub, folder: Path, at: int) -> None:
    """Start a download in a process of its own; SIGKILL it (TerminateProcess) at byte ``at``."""
    hub.stalled.clear()
    hub.faults.append(Fault("stall", at))
    child = children.Process(target=_download_in_child, args=(hub.address, str(folder)))
    child.start()
    assert hub.stalled.wait(30), "the child never asked for the file"
    child.kill()
    child.join(30)


def test_a_killed_process_loses_no_byte_that_it_wrote(hub, folder, children):
    hub.stalled.clear()
    hub.faults.append(Fault("stall", 77_777))
    child = children.Process(target=_download_in_child, args=(hub.address, str(folder)))
    child.start()
    deadline = time.monotonic() + 30
    while storage.part_length(folder / NAME) < 77_777 and time.monotonic() < deadline:
        time.sleep(0.01)
    child.kill()
    child.join(30)
    assert not (folder / NAME).exists()
    hub.requests.clear()
    assert fetch(folder).read_bytes() == SMALL
    assert hub.ranges() == ["bytes=77777-149999"]


def test_after_a_power_cut_only_what_was_surely_on_the_disk_is_built_upon(hub, folder):
    leave_a_part(hub, folder, 100_000)
    # The machine goes down: the length survived, the last 40 kB of data did not.
    note_path = folder / f"{NAME}.part.json"
    note = json.loads(note_path.read_text())
    note.update(durable_bytes=60_000, boot_time=note["boot_time"] - 3600)
    note_path.write_text(json.dumps(note))
    (folder / f"{NAME}.part").write_bytes(SMALL[:60_000] + bytes(40_000))
    hub.requests.clear()
    assert fetch(folder).read_bytes() == SMALL
    assert hub.ranges() == ["bytes=60000-149999"]


def test_what_is_on_the_disk_is_noted_as_the_bytes_arrive(hub, folder, monkeypatch):
    monkeypatch.setattr(storage, "SYNC_EVERY_BYTES", 10_000)
    noted = []

    def look(done, total):
        if done:
            noted.append(json.loads((folder / f"{NAME}.part.json").read_text())["durable_bytes"])

    hub.bytes_per_second = 1_000_000
    fetch(folder, progress=look)
    assert len(set(noted)) > 3


def test_a_part_without_its_note_is_not_trusted(hub, folder):
    (folder / f"{NAME}.part").write_bytes(b"x" * 1000)
    assert fetch(folder).read_bytes() == SMALL
    assert hub.ranges() == ["bytes=0-149999"]


# ---- Never a damaged file ------------------------------------------------------------------


def test_a_flipped_bit_is_found_and_the_file_fetched_again(hub, folder):
    hub.faults.append(Fault("flip", 1234))
    assert fetch(folder).read_bytes() == SMALL
    assert hub.count("GET") == 2


def test_a_file_that_arrives_damaged_twice_is_refused(hub, folder):
    hub.faults.extend([Fault("flip", 5), Fault("flip", 149_000)])
    assert "wrong checksum" in refused(folder).problem


def test_a_part_damaged_on_the_disk_is_found_at_the_end(hub, folder):
    leave_a_part(hub, folder, 100_000)
    (folder / f"{NAME}.part").write_bytes(bytes(100_000))
    assert fetch(folder).read_bytes() == SMALL


def test_a_file_changed_between_attempts_starts_over_with_a_note(hub, folder, caplog):
    leave_a_part(hub, folder, 100_000)
    hub.files[NAME] = OTHER
    with caplog.at_level("INFO"):
        assert fetch(folder).read_bytes() == OTHER
    assert "starting over" in caplog.text


def test_a_file_changed_during_the_download_is_never_mixed(hub, folder):
    hub.changed = OTHER
    hub.faults.extend([Fault("cut", 100_000), Fault("change")])
    assert fetch(folder).read_bytes() == OTHER


def test_a_pinned_checksum_that_the_hub_does_not_have_stops_before_the_download(hub, folder):
    error = refused(folder, sha256="0" * 64)
    assert "another model.gguf" in error.problem
    assert hub.count("GET") == 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault("ignore_range"),
        Fault("wrong_range", 100),
        Fault("short", 777),
        Fault("long", 777),
        Fault("login_page"),
        Fault("compressed"),
        Fault("short_total", 10),
    ],
    ids=lambda fault: fault.kind,
)
def test_a_lie_about_ranges_and_lengths_does_no_harm(hub, folder, fault):
    hub.faults.extend([Fault("cut", 40_000), fault])
    assert fetch(folder).read_bytes() == SMALL


@pytest.mark.parametrize("lie", [-1000, 1000])
def test_a_wrong_size_in_the_description_ends_in_a_clear_error(hub, folder, lie):
    hub.stated_size = len(SMALL) + lie
    refused(folder)


def test_without_any_checksum_nothing_is_downloaded(hub, folder):
    hub.states_checksum = False
    error = refused(folder)
    assert "no size and checksum" in error.problem and "login page" in error.remedy


def test_small_files_kept_in_git_are_verified_by_gits_own_checksum(hub, folder):
    hub.keeps_in_git = True
    assert fetch(folder).read_bytes() == SMALL
    hub.faults.extend([Fault("flip", 5)] * 2)
    with pytest.raises(DownloadError, match="wrong checksum"):
        fetch(folder, replace=True)
    assert (folder / NAME).read_bytes() == SMALL


def test_an_empty_file_is_a_file_too(hub, folder):
    hub.files[NAME] = b""
    assert fetch(folder).read_bytes() == b""


# ---- What the hub may answer ---------------------------------------------------------------


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
    assert len(hub.requests) == 3


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
    assert "no connection" in refused(folder).problem


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


# ---- The learner's surroundings -------------------------------------------------------------


@pytest.mark.parametrize("address", ["huggingface.co", "ftp://hub", "http://"])
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
def test_an_unusable_proxy_is_an_error_with_a_remedy(hub, folder, monkeypatch, proxy):
    monkeypatch.setenv("ALL_PROXY", proxy)
    refused(folder)


def test_offline_means_that_nothing_is_asked(hub, folder, monkeypatch):
    path = fetch(folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub.requests.clear()
    assert fetch(folder) == path
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE"):
        fetch(folder, replace=True)
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE"):
        download(REPOSITORY, "another.gguf", destination=folder, progress=False)
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE"):
        read_range(REPOSITORY, "another.gguf", 0, 10)
    assert not hub.requests


def test_a_verified_file_is_used_again_without_asking_or_reading_it(hub, folder, monkeypatch):
    path = fetch(folder)
    hub.requests.clear()
    monkeypatch.setattr(public.Checksum, "matches", lambda *arguments: 1 / 0)
    assert fetch(folder) == path
    assert not hub.requests


def test_a_file_changed_after_verification_is_not_used(hub, folder):
    path = fetch(folder)
    path.write_bytes(SMALL[:-1])
    with pytest.raises(DownloadError, match="not the file that the hub describes"):
        fetch(folder)
    assert fetch(folder, replace=True).read_bytes() == SMALL


def test_a_file_copied_by_hand_is_verified_and_taken(hub, folder, monkeypatch):
    (folder / NAME).write_bytes(SMALL)
    assert fetch(folder).read_bytes() == SMALL
    assert hub.count("GET") == 0
    # Without network the checksum has to be given.
    (folder / f"{NAME}.verified.json").unlink()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE"):
        fetch(folder)
    assert fetch(folder, sha256=hub.etag(SMALL)).read_bytes() == SMALL


def test_a_strangers_file_of_that_name_is_never_overwritten(hub, folder):
    (folder / NAME).write_bytes(b"my thesis")
    with pytest.raises(DownloadError, match="Rename or delete it"):
        fetch(folder)
    assert (folder / NAME).read_bytes() == b"my thesis"


def test_a_newer_revision_replaces_the_verified_older_one(hub, folder):
    fetch(folder)
    hub.files[NAME] = OTHER
    assert fetch(folder).read_bytes() == SMALL
    assert fetch(folder, revision=COMMIT).read_bytes() == OTHER


def put_into_hub_cache(monkeypatch, hub, content: bytes, damaged: bool = False) -> Path:
    """Lay out the cache as huggingface_hub does: refs, snapshots, blobs named by checksum."""
    base = Path(os.environ["HF_HUB_CACHE"]) / f"models--{REPOSITORY.replace('/', '--')}"
    blob = base / "blobs" / hub.etag(content)
    pointer = base / "snapshots" / COMMIT / NAME
    for file in (blob, pointer, base / "refs" / "main"):
        file.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content[::-1] if damaged else content)
    pointer.symlink_to(blob)
    (base / "refs" / "main").write_text(COMMIT)
    return blob


@pytest.mark.skipif(sys.platform == "win32", reason="the cache has no symbolic links there")
@pytest.mark.parametrize("offline", [False, True])
def test_a_file_in_the_hub_cache_is_used_without_a_second_copy(hub, folder, monkeypatch, offline):
    blob = put_into_hub_cache(monkeypatch, hub, SMALL)
    monkeypatch.setenv("HF_HUB_OFFLINE", str(int(offline)))
    path = fetch(folder)
    assert path.read_bytes() == SMALL and os.path.samefile(path, blob)
    assert hub.count("GET") == 0
    # Emptying the cache does no harm.
    blob.unlink()
    assert path.read_bytes() == SMALL


@pytest.mark.skipif(sys.platform == "win32", reason="the cache has no symbolic links there")
def test_a_file_in_the_hub_cache_is_copied_where_no_link_can_be_made(hub, folder, monkeypatch):
    def no_links(*_arguments):
        raise OSError(errno.EXDEV, "another disk")

    put_into_hub_cache(monkeypatch, hub, SMALL)
    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(os, "symlink", no_links)
    assert fetch(folder).read_bytes() == SMALL
    assert hub.count("GET") == 0


@pytest.mark.skipif(sys.platform == "win32", reason="the cache has no symbolic links there")
def test_a_damaged_file_in_the_hub_cache_is_not_used(hub, folder, monkeypatch):
    put_into_hub_cache(monkeypatch, hub, SMALL, damaged=True)
    assert fetch(folder).read_bytes() == SMALL
    assert hub.count("GET") == 1


def test_too_small_a_disk_is_told_before_the_download(hub, folder, monkeypatch):
    monkeypatch.setattr(store, "free_disk_bytes", lambda path: 100_000)
    error = refused(folder)
    assert "157.50 kB" in error.problem and "100.00 kB" in error.problem
    assert hub.count("GET") == 0


def test_a_disk_that_fills_up_on_the_way_keeps_the_part(hub, folder, monkeypatch):
    append = storage.PartFile.append

    def full_disk(part, chunk):
        if part.length > 50_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(part, chunk)

    with monkeypatch.context() as patch:
        patch.setattr(storage.PartFile, "append", full_disk)
        assert "disk is full" in refused(folder).problem
    assert SMALL.startswith(part_bytes(folder)) and part_bytes(folder)
    assert fetch(folder).read_bytes() == SMALL


def test_a_destination_that_cannot_be_written_is_told_in_plain_words(hub, folder):
    (folder / "a-file").write_text("")
    with pytest.raises(DownloadError, match="cannot be stored"):
        fetch(folder / "a-file" / NAME)


def test_two_at_once_download_once_and_both_get_the_file(hub, folder):
    hub.bytes_per_second = 400_000
    results = []
    askers = [
        threading.Thread(target=lambda: results.append(fetch(folder).read_bytes()))
        for _ in range(3)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(30)
    assert results == [SMALL] * 3
    assert hub.count("GET") == 1


def test_who_waits_for_another_kernel_takes_over_when_that_one_dies(hub, folder, children):
    hub.faults.append(Fault("stall", 77_777))
    child = children.Process(target=_download_in_child, args=(hub.address, str(folder)))
    child.start()
    assert hub.stalled.wait(30)
    seen = []
    waiter = threading.Thread(target=lambda: seen.append(fetch(folder).read_bytes()))
    waiter.start()
    time.sleep(0.3)
    assert waiter.is_alive() and not seen
    child.kill()
    child.join(30)
    waiter.join(30)
    assert seen == [SMALL]


# ---- Names from outside ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "filename",
    [
        *("../x", "a/../../x", "/etc/x", "C:\\x", "a\\..\\x", ".", "..", "", "a//b", "a/", "a:b"),
        *("con", "NUL.gguf", "x\0y", "x\ny", "x.", "x ", "a" * 300, 5, None),
    ],
)
def test_a_filename_that_leads_elsewhere_is_refused(hub, folder, filename):
    with pytest.raises(OptionError, match="cannot be the name of a file"):
        download(REPOSITORY, filename, destination=folder, progress=False)
    assert not hub.requests and not list(folder.iterdir())


@pytest.mark.parametrize("repository", ["", "name", "a/b/c", "../b", "a/..", "a b/c", None, 3])
def test_a_repository_that_is_none_is_refused(hub, folder, repository):
    with pytest.raises(OptionError, match="not the name of a repository"):
        download(repository, NAME, destination=folder, progress=False)


@pytest.mark.parametrize(
    "options",
    [{"sha256": "abc"}, {"sha256": 5}, {"revision": ""}, {"revision": None}, {"progress": "yes"}],
)
def test_an_option_that_cannot_be_meant_is_refused(hub, folder, options):
    with pytest.raises(OptionError):
        fetch(folder, **options)


def test_names_with_blanks_and_accents_are_asked_for_correctly(hub, folder):
    hub.files["Q4/modèle +1 100%.gguf"] = OTHER
    path = download(REPOSITORY, "Q4/modèle +1 100%.gguf", destination=folder, progress=False)
    assert path.read_bytes() == OTHER and path.name == "modèle +1 100%.gguf"


# ---- What the learner sees ------------------------------------------------------------------


def test_a_progress_function_hears_every_byte_once(hub, folder):
    heard = []
    hub.faults.append(Fault("cut", 70_000))
    fetch(folder, progress=lambda done, total: heard.append((done, total)))
    assert heard[0] == (0, len(SMALL)) and heard[-1] == (len(SMALL), len(SMALL))
    assert heard == sorted(heard)


def test_the_bar_starts_where_the_part_ended_so_that_its_speed_is_true(hub, folder, monkeypatch):
    bars = []

    class Recorder:
        def __init__(self, **options):
            bars.append(options)

        def update(self, count):
            bars[-1]["initial"] += count

        def close(self):
            bars[-1]["closed"] = True

        write = staticmethod(lambda text: None)

    leave_a_part(hub, folder, 60_000)
    started_at = []
    monkeypatch.setattr("tqdm.auto.tqdm", Recorder)
    monkeypatch.setattr(
        Recorder,
        "__init__",
        lambda self, **options: (bars.append(options), started_at.append(options["initial"]))[0],
    )
    fetch(folder, progress=None)
    assert started_at == [0, 60_000]
    assert [bar["initial"] for bar in bars] == [60_000, 150_000]
    assert all(bar["unit"] == "B" and bar["closed"] for bar in bars)


# ---- Looking without downloading ------------------------------------------------------------


def test_a_range_can_be_read_without_the_rest(hub, folder):
    hub.faults.append(Fault("cut", 500))
    assert read_range(REPOSITORY, NAME, 1_000, 2_000, retry=HASTY) == SMALL[1_000:3_000]
    assert hub.ranges() == ["bytes=1000-2999", "bytes=1500-2999"]
    assert read_range(REPOSITORY, NAME, 149_990, 50, retry=HASTY) == SMALL[149_990:]
    assert read_range(REPOSITORY, NAME, 200_000, 50, retry=HASTY) == b""


@pytest.mark.parametrize(("start", "length"), [(-1, 5), (0, -5), (0.5, 1), (0, 1 << 40), ("0", 1)])
def test_a_range_that_is_none_is_refused(hub, start, length):
    with pytest.raises(OptionError):
        read_range(REPOSITORY, NAME, start, length)


def test_a_range_of_a_downloaded_file_needs_no_network(hub, folder, monkeypatch):
    monkeypatch.setattr("course_utils.download.request.downloads_folder", lambda: folder)
    assert find_downloaded(REPOSITORY, NAME) is None
    path = download(REPOSITORY, NAME, progress=False)
    assert find_downloaded(REPOSITORY, NAME) == path == folder / NAME
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert read_range(REPOSITORY, NAME, 5, 10) == SMALL[5:15]


def test_the_description_agrees_with_huggingface_hubs_own(hub):
    from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url

    ours = describe_remote(REPOSITORY, NAME)
    theirs = get_hf_file_metadata(hf_hub_url(REPOSITORY, NAME, endpoint=hub.address))
    assert (ours.size, ours.etag, ours.commit) == (theirs.size, theirs.etag, theirs.commit_hash)
    listed = HfApi(endpoint=hub.address).get_paths_info(REPOSITORY, [NAME])[0]
    assert (listed.lfs.sha256, listed.size) == (ours.checksum.hexadecimal, ours.size)


def test_a_model_of_the_catalogue_is_downloaded_by_name(hub, monkeypatch, tmp_path):
    from course_utils import catalogue

    file = catalogue.find_file("qwq-32b")
    monkeypatch.setattr(catalogue, "downloads_folder", lambda: tmp_path)
    hub.files[file.name] = OTHER
    hub.revisions.add(file.revision)
    if file.sha256 is not None:  # then the small file of this test is not the model's
        monkeypatch.setattr(LoopbackHub, "etag", lambda hub, content: file.sha256)
        with pytest.raises(DownloadError, match="wrong checksum"):
            download_model("qwq-32b", progress=False)
        return
    path = download_model("qwq-32b", progress=False)
    assert path == file.local_path and path.read_bytes() == OTHER
    assert hub.requests[0]["path"] == f"/{file.repository}/resolve/{file.revision}/{file.name}"
    assert catalogue.model_path("qwq-32b") == path
    with pytest.raises(OptionError):
        download_model("no-such-model")


# ---- Two hundred downloads on a bad day -----------------------------------------------------

TRIALS = 200
KILL_EVERY = 5


def random_fault(chance: random.Random, size: int) -> Fault:
    at = chance.randrange(size)
    return chance.choice(
        [
            Fault("cut", at),
            Fault("cut", at),
            Fault("stall", at),
            Fault("flip", at),
            Fault("short", at),
            Fault("long", 1 + at),
            Fault("short_total", 1),
            Fault("ignore_range"),
            Fault("wrong_range", 1 + at),
            Fault("login_page"),
            Fault("compressed"),
            Fault("change"),
            Fault("status", status=chance.choice([401, 403, 404, 416, 429, 500, 503])),
        ]
    )


def test_of_200_downloads_with_faults_and_kills_none_is_accepted_damaged(
    monkeypatch, tmp_path, children
):
    chance = random.Random(20250306)
    hasty = RetryPolicy(attempts=2, timeout_seconds=0.1, pause_seconds=0.0)
    outcomes = {"at once": 0, "after an error": 0, "after a kill": 0}
    for trial in range(TRIALS):
        size = chance.randrange(1, 200_000)
        content = chance.randbytes(size)
        folder = tmp_path / str(trial)
        folder.mkdir()
        whole = folder / NAME
        with LoopbackHub({NAME: content}, changed=chance.randbytes(size)) as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.address)
            killed = trial % KILL_EVERY == 0
            if killed:
                kill_while_downloading(children, hub, folder, chance.randrange(size))
                assert not whole.exists()
            hub.faults.extend(random_fault(chance, size) for _ in range(chance.randint(1, 3)))
            errors = 0
            while not whole.exists():
                try:
                    assert fetch(folder, retry=hasty) == whole
                except CourseError as error:
                    errors += 1
                    assert error.problem and error.remedy
                    assert not whole.exists()
                    assert errors <= 4, f"trial {trial} does not recover: {error}"
            assert whole.read_bytes() == hub.files[NAME]
            assert not (folder / f"{NAME}.part").exists()
        outcomes["after a kill" if killed else "after an error" if errors else "at once"] += 1
    assert outcomes["after a kill"] == TRIALS // KILL_EVERY
    # The seed is fixed: if one of these were rare, the trials would not test it.
    assert outcomes["at once"] > 20 and outcomes["after an error"] > 20
