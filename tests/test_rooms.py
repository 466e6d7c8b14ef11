"""A reader can follow what the course does most: few modules, and none entered again and again."""

from course_utils.download import download
from tests.loopback_hub import LoopbackHub
from tests.rooms import most_stays, rooms

CONTENTS = bytes(150_000)
# Clients and explanations for everything that speaks to another computer, behind one door.
NETWORK = "course_utils.network"


def test_a_download_can_be_followed_through_six_modules(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    with LoopbackHub({"model.gguf": CONTENTS}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)

        def fetch(to="first"):
            path = download("owner/model", "model.gguf", destination=tmp_path / to, progress=False)
            assert path.read_bytes() == CONTENTS

        fetch()
        stays = rooms(lambda: fetch("second"), doors=[NETWORK])
    assert len(set(stays)) <= 6, stays
    assert most_stays(stays) <= 2, stays
    # The counter sees what is there: the file's way from the hub to the disk.
    names = [stay.rpartition(".")[2] for stay in stays]
    assert {"fetch", "store", "hub", "network", "transfer"} <= set(names)
