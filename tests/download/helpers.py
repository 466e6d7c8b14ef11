"""What the tests of a download share: the files of a small hub, and downloads without patience."""

import os
import random
from pathlib import Path

import pytest

from course_utils.download import RetryPolicy, download
from course_utils.errors import DownloadError
from tests.loopback_hub import Fault, LoopbackHub

REPOSITORY = "owner/model-GGUF"
NAME = "model.gguf"
SMALL = random.Random(7).randbytes(150_000)
OTHER = random.Random(8).randbytes(150_000)
HASTY = RetryPolicy(attempts=3, timeout_seconds=0.25, pause_seconds=0.0)


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


def download_in_child(address: str, folder: str) -> None:
    os.environ["HF_ENDPOINT"] = address
    patient = RetryPolicy(timeout_seconds=30)
    download(REPOSITORY, NAME, destination=folder, progress=False, retry=patient)


def kill_while_downloading(children, hub: LoopbackHub, folder: Path, at: int) -> None:
    """Start a download in a process of its own; SIGKILL it (TerminateProcess) at byte ``at``."""
    hub.stalled.clear()
    hub.faults.append(Fault("stall", at))
    child = children.Process(target=download_in_child, args=(hub.address, str(folder)))
    child.start()
    assert hub.stalled.wait(30), "the child never asked for the file"
    child.kill()
    child.join(30)
