"""What reports of Jupyter's users showed: presses of stop, and callbacks beside a running cell.

Since ipykernel 7 a widget's callback runs in a thread of its own ("subshell"), also while a cell
computes (jupyterlab#19719, ipykernel#1438, ipympl#610); what a thread prints lands in whatever cell
ran last, or nowhere (ipywidgets#4020, ipykernel#1450, #1564).
"""

import json
import os
import signal
import threading
import time

import pytest
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME
from jupyter_client.manager import start_new_kernel

from course_utils.engines import PLAIN, open_model
from course_utils.paths import repository_root
from course_utils.teaching import stream_to_page
from course_utils.teaching.page import image_html
from course_utils.teaching.stopping import uninterrupted, until_stopped
from course_utils.teaching.widgets import training_live as live
from course_utils.teaching.widgets.router_training import watch_router

SECONDS = 120
"""For one step of the kernel, on two cores that other tests use too."""


class Kernel:
    """A kernel, as JupyterLab uses it: one shell for cells, one subshell for widgets."""

    def __init__(self):
        environment = {**os.environ, "PYTHONPATH": str(repository_root())}
        self.manager, self.client = start_new_kernel(
            kernel_name=NATIVE_KERNEL_NAME, env=environment, startup_timeout=SECONDS
        )
        self.messages: list[dict] = []
        request = self.client.session.msg("create_subshell_request", {})
        self.client.control_channel.send(request)
        self.subshell = self.client.get_control_msg(timeout=SECONDS)["content"]["subshell_id"]

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def widget(self, comm: str, **data: object) -> str:
        """Send a widget's message as JupyterLab does; gives the message's id.

        From ipykernel 7.4 on it goes where the widget was last used, whatever the message says.
        """
        return self._send("comm_msg", {"comm_id": comm, "data": data})

    def beside(self, source: str) -> str:
        """Run code in the subshell, beside the cell that is running; gives the message's id."""
        return self._send("execute_request", {"code": source, "silent": False})

    def _send(self, kind: str, content: dict) -> str:
        message = self.client.session.msg(kind, content)
        message["header"]["subshell_id"] = self.subshell
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def wait(self, *requests: str) -> None:
        """Collect what is sent until these requests are done."""
        left, until = set(requests), time.monotonic() + SECONDS
        while left and time.monotonic() < until:
            message = self.client.get_iopub_msg(timeout=SECONDS)
            self.messages.append(message)
            if message["content"].get("execution_state") == "idle":
                left.discard(message["parent_header"].get("msg_id"))
        assert not left, "the kernel has not answered"

    def printed(self, cell: str) -> str:
        """What a cell has printed, or raised."""
        own = [m["content"] for m in self.messages if m["parent_header"].get("msg_id") == cell]
        return "".join(c.get("text", "") + "\n".join(c.get("traceback", ())) for c in own)

    def run(self, source: str) -> dict:
        """Run a cell that prints JSON."""
        cell = self.client.execute(source)
        self.wait(cell)
        return json.loads(self.printed(cell))


@pytest.fixture(scope="module")
def kernel():
    kernel = Kernel()
    yield kernel
    kernel.close()


@pytest.fixture(scope="module")
def widgets(kernel):
    """The number of a button, in a kernel with a model, a lab and a conversation."""
    return kernel.run("""
import json, threading, time
from course_utils.engines import PLAIN, open_model
from course_utils.teaching import conversation
from course_utils.teaching.page import image_html
from course_utils.teaching.widgets.sampling_lab import sampling_lab
from course_utils.teaching.widgets.training_live import progress_chart
engine = open_model()
lab, talk = sampling_lab(engine, "12 + 30 ="), conversation(engine, "1 + 1?")
started, moved = threading.Event(), threading.Event()
print(json.dumps({"ask": talk.ask_button.comm.comm_id}))
""")


def test_a_slider_moved_while_a_cell_computes_disturbs_neither(kernel, widgets):
    cell = kernel.client.execute("""
before, records = lab.chart.value, [{"step": 1, "reward": 0.5}, {"step": 2, "reward": 1.0}]
pictures, replies, turns = set(), set(), 0
end = time.monotonic() + 60
started.set()
while time.monotonic() < end and (turns < 3 or not moved.is_set()):
    pictures.add(image_html(progress_chart(records), "two steps"))
    replies.add(engine.complete("12 + 30 =", PLAIN.but(max_tokens=20, seed=1)).finish().answer)
    turns += 1
print(json.dumps({"moved": moved.is_set(), "pictures": len(pictures), "replies": len(replies)}))
""")
    # What a subshell does with the messages of three sliders and a box for text.
    beside = kernel.beside("""
started.wait(60)
for value in (0.4, 0.9, 1.3):
    lab.sliders.temperature.value = value
lab.text_box.value = "7 + 8 ="
moved.set()
print(json.dumps({"error": lab.error.value, "changed": lab.chart.value != before}))
""")
    kernel.wait(cell, beside)
    assert json.loads(kernel.printed(cell)) == {"moved": True, "pictures": 1, "replies": 1}
    assert json.loads(kernel.printed(beside)) == {"error": "", "changed": True}


def test_a_reply_asked_for_with_a_button_prints_into_no_cell(kernel, widgets):
    kernel.messages.clear()
    kernel.wait(kernel.widget(widgets["ask"], method="custom", content={"event": "click"}))
    found = kernel.run("""
talk.wait(60)
print(json.dumps({"roles": [m["role"] for m in talk.history], "error": talk.error.value,
                  "shown": "1 + 1?" in talk.reply_pane.value}))
""")
    assert found == {"roles": ["user", "assistant"], "error": "", "shown": True}
    kinds = [m["msg_type"] for m in kernel.messages]
    assert kinds.count("stream") == 1 and "display_data" not in kinds and "error" not in kinds


# ---- the stop button, pressed twice ------------------------------------------------------------


def press_stop() -> None:
    signal.raise_signal(signal.SIGINT)


def test_a_run_that_is_stopped_twice_gives_what_has_come(monkeypatch, capsys):
    picture, drawn = live._picture, []

    def pressed_again(*arguments):
        drawn.append(arguments)
        if len(drawn) > 1:  # the last picture, after the first press
            press_stop()
        return picture(*arguments)

    def run():
        for step in range(1, 10):
            yield {"step": step, "reward": 0.1 * step}
            if step == 3:
                press_stop()

    monkeypatch.setattr(live, "_picture", pressed_again)
    assert [record["step"] for record in live.training_live(run())] == [1, 2, 3]
    assert len(drawn) == 2 and "Stopped after 3 steps" in capsys.readouterr().out


def test_watching_a_router_can_be_stopped_without_loss(capsys):
    def run():
        for step in range(1, 9):
            yield {"step": step, "tokens": step, "held_out_loss": 1.0, "load_0_0": 0.5}
            if step == 2:
                press_stop()

    assert len(watch_router(run())) == 2
    assert "Stopped after 2" in capsys.readouterr().out


class StoppedTwice:
    """A stream whose reader presses stop, and once more while it is being closed."""

    def __init__(self, stream):
        self.reply, self._stream = stream.reply, stream

    def __iter__(self):
        for piece in self._stream:
            yield piece
            press_stop()

    def close(self):
        press_stop()
        self._stream.close()


def test_a_reply_that_is_stopped_twice_stays_on_the_page(capsys):
    with open_model() as engine:
        reply = stream_to_page(StoppedTwice(engine.chat("12 + 30?", PLAIN.but(seed=1))))
        assert reply.stop_reason == "interrupted" and reply.tokens == 1
        assert "Thought" in capsys.readouterr().out
        assert engine.chat("1 + 1?", PLAIN.but(max_tokens=3, seed=1)).finish().tokens == 3


def test_stop_works_again_after_the_last_words():
    with uninterrupted():
        press_stop()
    with pytest.raises(KeyboardInterrupt):
        press_stop()
    said = []
    with until_stopped(lambda: said.append("told") or ""):
        press_stop()
    assert said == ["told"]
    thread = threading.Thread(target=lambda: said.append(uninterrupted().__enter__()))
    thread.start()
    thread.join()
    assert len(said) == 2, "other threads have nothing to hold back"


# ---- two threads that draw ---------------------------------------------------------------------


def test_two_threads_draw_the_same_pictures_as_one():
    def picture(number: int) -> str:
        records = [{"step": step, "reward": number * step / 9} for step in range(3)]
        return image_html(
            live.progress_chart(records, title=f"Run {number}: $x_{number}$"), "a run"
        )

    alone, drawn = {number: picture(number) for number in (1, 2)}, {1: [], 2: []}

    def draw(number: int) -> None:
        drawn[number] += [picture(number) for _ in range(2)]

    threads = [threading.Thread(target=draw, args=(number,)) for number in drawn]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(set(drawn[number]) == {alone[number]} for number in drawn)
