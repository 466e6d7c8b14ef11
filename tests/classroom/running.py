"""A class server that runs beside a test, in a thread, with real HTTP on a port of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from course_utils.classroom.gateway import Gateway
from course_utils.classroom.keys import KeyRing
from course_utils.classroom.serving import Place
from course_utils.network import free_port

START_SECONDS = 60


@dataclass
class Running:
    """A class that is open: its address, its keys, and the gateway, which lives in ``loop``."""

    address: str
    keys: KeyRing
    gateway: Gateway
    loop: asyncio.AbstractEventLoop

    def client(self, name: str | None = None, *, timeout: float = 20.0) -> httpx.Client:
        """Somebody's way to the class: a learner's by name, by default the teacher's."""
        key = self.keys.key_of(name) if name else self.keys.teacher_key
        return httpx.Client(
            base_url=self.address, headers={"Authorization": f"Bearer {key}"}, timeout=timeout
        )

    def ask(self, name: str, question: str = "6 * 7?", **settings) -> httpx.Response:
        """A whole reply for a learner."""
        with self.client(name) as client:
            return client.post("/v1/chat/completions", json=chat(question, **settings))

    def board(self) -> dict:
        with self.client() as client:
            return client.get("/class/api/board").json()

    def tell(self, page: str, **body) -> dict:
        """Press one of the teacher's buttons."""
        with self.client() as client:
            answer = client.post(f"/class/api/{page}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


def chat(question: str = "6 * 7?", **settings) -> dict:
    return {"messages": [{"role": "user", "content": question}], **settings}


@contextmanager
def running(
    serve: Callable, folder: Path, learners: int = 3, *, port: int | None = None
) -> Iterator[Running]:
    """``serve(keys, place, on_ready)`` in a thread until the block ends."""
    keys = KeyRing(folder / "keys.json")
    while len(keys.names) < learners:
        keys.add()
    place = Place(port=port or free_port())
    opened, found, failed = threading.Event(), {}, []

    def ready(gateway: Gateway, _plan) -> None:
        found["gateway"] = gateway
        found["loop"] = asyncio.get_running_loop()
        opened.set()

    async def main() -> None:
        found["task"] = asyncio.current_task()
        await serve(keys, place, ready)

    def run() -> None:
        try:
            asyncio.run(main())
        except asyncio.CancelledError:
            pass
        except Exception as error:  # raised again in the test
            failed.append(error)
        finally:
            opened.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert opened.wait(START_SECONDS), "the class did not open"
    if failed:
        raise failed[0]
    try:
        yield Running(place.address, keys, found["gateway"], found["loop"])
    finally:
        if thread.is_alive():
            found["loop"].call_soon_threadsafe(found["task"].cancel)
            thread.join(20)
        assert not thread.is_alive(), "the class did not end"
        assert not failed, failed


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Until something is so. Raises AssertionError when the time is up."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {seconds:.0f} s"
        time.sleep(0.02)
