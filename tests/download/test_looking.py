"""What a learner sees of a download, and of a file that is not downloaded."""

import io

import tqdm.auto

from course_utils.download import describe_remote
from tests.download.helpers import NAME, REPOSITORY, SMALL, fetch, leave_a_part
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


def test_the_description_agrees_with_huggingface_hubs_own(hub, monkeypatch):
    from huggingface_hub import HfApi, constants, get_hf_file_metadata, hf_hub_url

    # Another module's test may have imported it while the network was off.
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    ours = describe_remote(REPOSITORY, NAME)
    theirs = get_hf_file_metadata(hf_hub_url(REPOSITORY, NAME, endpoint=hub.address))
    assert (ours.size, ours.etag, ours.commit) == (theirs.size, theirs.etag, theirs.commit_hash)
    listed = HfApi(endpoint=hub.address).get_paths_info(REPOSITORY, [NAME])[0]
    assert (listed.lfs.sha256, listed.size) == (ours.checksum.hexadecimal, ours.size)
