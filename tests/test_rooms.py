"""A reader can follow what the course does most: few modules, and none entered again and again."""

from course_utils.download import download
from course_utils.engines import QWQ, open_model
from tests.loopback_hub import LoopbackHub
from tests.rooms import most_stays, rooms

CONTENTS = bytes(150_000)
# Clients and explanations for everything that speaks to another computer, behind one door.
NETWORK = "course_utils.network"
# What has a model open in this process: llama.cpp behind the course's own engine.
LOCAL = "course_utils.engines.local"


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


def test_a_chat_message_can_be_followed_through_six_rooms():
    engine = open_model("nano-thinker")

    def ask(tokens):
        sampling = QWQ.but(max_tokens=tokens, seed=1)
        return lambda: engine.chat("What is 12 + 30?", sampling).finish()

    ask(1)()
    stays = rooms(ask(1), doors=[LOCAL])
    assert len(set(stays)) <= 6, stays
    assert most_stays(stays) <= 2, stays
    names = [stay.rpartition(".")[2] for stay in stays]
    assert {"messages", "chat_format", "template_process", "reply", "local"} <= set(names)
    # Each further token goes round a loop that leads through no other room.
    assert rooms(ask(6), doors=[LOCAL]) == stays
