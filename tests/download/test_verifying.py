"""No damaged file ever bears the name of a whole one."""

import pytest

from course_utils.errors import DownloadError
from tests.download.helpers import NAME, OTHER, SMALL, fetch, leave_a_part, refused
from tests.loopback_hub import Fault


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
