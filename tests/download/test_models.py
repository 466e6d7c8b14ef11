"""A file counts as a model of the catalogue once its checksum was right."""

import dataclasses
import errno
import hashlib
import struct

import pytest

from course_utils.download import download_model, find_model_file, model_path, store
from course_utils.errors import DownloadError, ModelFileError, OptionError
from course_utils.model_files import catalogue
from tests.download.helpers import OTHER, SMALL

MODEL = "qwq-32b"


@pytest.fixture
def offer(monkeypatch, folder):
    """Make the catalogue offer a small file, with the facts that a test chooses."""

    def offered(contents: bytes = SMALL, **facts) -> catalogue.ModelFile:
        model = catalogue.find_model(MODEL)
        # Two layers of QwQ have their own number of tensors.
        config = dict(model.config) | {"num_hidden_layers": 2}
        known = {
            "sha256": hashlib.sha256(contents).hexdigest(),
            "size_bytes": len(contents),
            "exact": True,
            "revision": "main",
        }
        file = dataclasses.replace(model.file(), **(known | facts))
        files = {file.quantisation: file}
        small = dataclasses.replace(
            model, config=config, files=files, default_file=file.quantisation
        )
        monkeypatch.setattr(catalogue, "models", lambda: {MODEL: small})
        monkeypatch.setattr(catalogue, "downloads_folder", lambda: folder)
        return file

    return offered


def gguf_start(tensors: int = 3 + 2 * 12) -> bytes:
    return struct.pack("<4sIQ", b"GGUF", 3, tensors) + bytes(2000)


def test_a_model_is_downloaded_by_name_from_its_commit_and_verified(hub, offer):
    file = offer(revision="c0ffee" + "0" * 34)
    hub.files[file.name] = SMALL
    with pytest.raises(ModelFileError, match="not on this machine"):
        model_path(MODEL)
    path = download_model(MODEL, progress=False)
    assert path == file.local_path and path.read_bytes() == SMALL
    assert hub.requests[0]["path"] == f"/{file.repository}/resolve/{file.revision}/{file.name}"
    assert find_model_file(MODEL).verified and model_path(MODEL) == path
    with pytest.raises(OptionError):
        download_model("no-such-model")


def test_another_file_than_the_catalogues_is_not_downloaded(hub, offer):
    file = offer(sha256=hashlib.sha256(OTHER).hexdigest())
    hub.files[file.name] = SMALL
    with pytest.raises(DownloadError, match="now has another"):
        download_model(MODEL, progress=False)
    assert hub.count("GET") == 0 and not file.local_path.exists()


def test_a_file_of_the_right_name_and_length_is_read_once_before_it_counts(offer, monkeypatch):
    file = offer()
    file.local_path.write_bytes(OTHER)
    with pytest.raises(ModelFileError, match="SHA-256 is another") as refused:
        model_path(MODEL)
    assert "open it by its path" in refused.value.remedy
    file.local_path.write_bytes(SMALL)
    assert model_path(MODEL) == file.local_path
    monkeypatch.setattr(store, "hash_file", lambda *arguments: 1 / 0)
    assert model_path(MODEL) == file.local_path, "the second time it is not read"


def test_without_a_known_checksum_length_and_header_must_fit_and_the_doubt_is_said(offer):
    good = gguf_start()
    file = offer(good, sha256=None)
    for bad, fault in [
        (b"", "0 bytes long"),
        (good + b"x", "long, not"),
        (bytes(len(good)), "does not begin like a GGUF"),
        (gguf_start(tensors=291), "291 tensors, not 27"),
    ]:
        file.local_path.write_bytes(bad)
        with pytest.raises(ModelFileError, match=fault):
            model_path(MODEL)
    file.local_path.write_bytes(good)
    with pytest.warns(UserWarning, match="not verified.*download_model"):
        assert model_path(MODEL) == file.local_path
    assert not find_model_file(MODEL).verified


def test_a_file_that_may_not_be_read_is_a_clear_error(offer, monkeypatch):
    file = offer()
    file.local_path.write_bytes(SMALL)

    def forbidden(*_arguments):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(store, "hash_file", forbidden)
    with pytest.raises(ModelFileError, match="cannot be read"):
        model_path(MODEL)


def test_in_a_folder_that_is_shared_and_read_only_the_model_still_counts(offer, monkeypatch):
    file = offer()
    file.local_path.write_bytes(SMALL)

    def forbidden(*_arguments):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(store, "write_receipt", forbidden)
    assert find_model_file(MODEL).verified


def test_a_length_that_is_only_predicted_may_be_a_little_off(offer):
    good = gguf_start()
    file = offer(good, sha256=None, exact=False, size_bytes=len(good) + 1)
    file.local_path.write_bytes(good)
    with pytest.raises(ModelFileError, match="not about"):
        model_path(MODEL)
    offer(good, sha256=None, exact=False, size_bytes=len(good))
    assert find_model_file(MODEL).path == file.local_path


def test_a_file_that_is_not_pinned_says_so_when_it_is_downloaded(hub, offer, caplog):
    file = offer(sha256=None, unpinned="nobody knows its commit.")
    hub.files[file.name] = SMALL
    with caplog.at_level("INFO"):
        download_model(MODEL, progress=False)
    assert "nobody knows its commit" in caplog.text
    assert find_model_file(MODEL).verified, "by the hub's own checksum"


def test_a_shipped_model_needs_no_download():
    for name in ("nano-base", "nano-thinker"):
        path = catalogue.find_model(name).path
        assert model_path(name) == path == download_model(name)
        assert catalogue.find_model(name).architecture.parameters < 10_000_000
