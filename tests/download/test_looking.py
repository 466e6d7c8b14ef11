"""What a learner sees of a download, and of a file that is not downloaded."""

import io

import pytest
import tqdm.auto

from course_utils.download import describe_remote, download, find_downloaded, read_range, store
from course_utils.errors import OptionError
from tests.download.helpers import HASTY, NAME, REPOSITORY, SMALL, fetch, leave_a_part
from tests.loopback_hub import Fault


def test_a_progress_function_hears_every_byte_once(hub, folder):
    heard = []
    hub.faults.append(Fault("cut", 70_000))
    fetch(folder, progress=lambda done, total: heard.append((done, total)))
    assert heard[0] == (0, len(SMALL)) and heard[-1] == (len(SMALL), len(SMALL))
    assert heard == sorted(heard)


def test_the_bar_starts_where_the_part_ended_so_that_its_speed_is_true(hub, folder, monkeypatch):
    bars = []

    class Recorded(tqdm.auto.tqdm):
        def __init__(self, **options):
            super().__init__(**{**options, "disable": False, "file": io.StringIO()})
            bars.append(self)

    leave_a_part(hub, folder, 60_000)
    monkeypatch.setattr("tqdm.auto.tqdm", Recorded)
    fetch(folder, progress=None)
    checked, arrived = bars
    assert (checked.initial, checked.n, checked.total) == (0, 60_000, 60_000)
    assert (arrived.initial, arrived.n, arrived.total) == (60_000, 150_000, 150_000)
    assert "150k/150k" in arrived.fp.getvalue() and "B/s" in arrived.fp.getvalue()


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
    monkeypatch.setattr(store, "DOWNLOADS", folder)
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
