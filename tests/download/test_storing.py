"""A file is used again, never overwritten, and written by one at a time."""

import collections
import errno
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from course_utils.download import describe_remote, download, store, transfer
from course_utils.errors import DownloadError, OptionError
from tests.download.helpers import (
    NAME,
    OTHER,
    REPOSITORY,
    SMALL,
    download_in_child,
    fetch,
    part_bytes,
    refused,
)
from tests.loopback_hub import COMMIT, Fault


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
        describe_remote(REPOSITORY, "another.gguf")
    assert not hub.requests


def test_a_verified_file_is_used_again_without_asking_or_reading_it(hub, folder, monkeypatch):
    path = fetch(folder)
    hub.requests.clear()
    monkeypatch.setattr(store, "hash_file", lambda *arguments: 1 / 0)
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


def test_a_verified_file_that_was_moved_is_read_once_more_even_without_a_network(
    hub, folder, monkeypatch
):
    path = fetch(folder)
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert fetch(folder) == path
    monkeypatch.setattr(store, "hash_file", lambda *arguments: 1 / 0)
    assert fetch(folder) == path


def test_a_file_exchanged_for_one_of_the_same_length_and_time_is_noticed(hub, folder, monkeypatch):
    path = fetch(folder)
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(OTHER)
    other.replace(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE"):
        fetch(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="the cache has no symbolic links there")
def test_a_strangers_file_of_that_name_is_never_overwritten(hub, folder, monkeypatch):
    (folder / NAME).write_bytes(b"my thesis")
    with pytest.raises(DownloadError, match="Rename or delete it"):
        fetch(folder)
    put_into_hub_cache(monkeypatch, hub, SMALL)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE"):
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
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: usage(0, 0, 100_000))
    error = refused(folder)
    assert "157.50 kB" in error.problem and "100.00 kB" in error.problem
    assert hub.count("GET") == 0


def test_a_disk_that_fills_up_on_the_way_keeps_the_part(hub, folder, monkeypatch):
    append = transfer._PartFile.append

    def full_disk(part, chunk):
        if part.length > 50_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(part, chunk)

    with monkeypatch.context() as patch:
        patch.setattr(transfer._PartFile, "append", full_disk)
        assert "disk is full" in refused(folder).problem
    assert SMALL.startswith(part_bytes(folder)) and part_bytes(folder)
    assert fetch(folder).read_bytes() == SMALL


def test_a_destination_that_cannot_be_written_is_told_in_plain_words(hub, folder):
    (folder / "a-file").write_text("")
    with pytest.raises(DownloadError, match="cannot be stored"):
        fetch(folder / "a-file" / NAME)


@pytest.mark.parametrize("path", ["x" * 300, f"{'d' * 300}/model.gguf"])
def test_a_path_that_no_disk_takes_is_told_in_plain_words(hub, folder, path):
    with pytest.raises(DownloadError, match="cannot be stored"):
        fetch(folder / path)


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
    child = children.Process(target=download_in_child, args=(hub.address, str(folder)))
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
    [
        {"sha256": "abc"},
        {"sha256": 5},
        {"revision": ""},
        {"revision": None},
        {"progress": "yes"},
        {"destination": 5},
        {"destination": "a\0b"},
    ],
)
def test_an_option_that_cannot_be_meant_is_refused(hub, folder, options):
    with pytest.raises(OptionError):
        fetch(folder, **options)


def test_names_with_blanks_and_accents_are_asked_for_correctly(hub, folder):
    hub.files["Q4/modèle +1 100%.gguf"] = OTHER
    path = download(REPOSITORY, "Q4/modèle +1 100%.gguf", destination=folder, progress=False)
    assert path.read_bytes() == OTHER and path.name == "modèle +1 100%.gguf"
