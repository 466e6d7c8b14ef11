"""A download goes on where it ended, however it ended."""

import json
import time

import pytest

from course_utils.download import transfer
from tests.download.helpers import (
    HASTY,
    NAME,
    SMALL,
    download_in_child,
    fetch,
    leave_a_part,
    part_bytes,
    refused,
)
from tests.loopback_hub import Fault


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


def test_a_killed_process_loses_no_byte_that_it_wrote(hub, folder, children):
    hub.stalled.clear()
    hub.faults.append(Fault("stall", 77_777))
    child = children.Process(target=download_in_child, args=(hub.address, str(folder)))
    child.start()
    deadline = time.monotonic() + 30
    part = folder / f"{NAME}.part"
    while (not part.exists() or part.stat().st_size < 77_777) and time.monotonic() < deadline:
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
    monkeypatch.setattr(transfer, "SYNC_EVERY_BYTES", 10_000)
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
