"""Share with the teacher which checks you pass: if you say so, by nickname, until you stop.

In a notebook whose model is a class server::

    share_results("fox")     # from now on, and what you have passed already
    stop_sharing()           # and the teacher's board forgets you
"""

from __future__ import annotations

import contextlib
import math
import os
import queue
import threading
import time

import httpx

from course_utils import network
from course_utils.classroom.keys import LEARNERS_KEY
from course_utils.errors import CourseError, OptionError, ServerError
from course_utils.secret import Secret
from course_utils.teaching.exercises.results import Result, results, unwatch, watch

TIMEOUT_SECONDS = 5.0

GLANCE_SECONDS = 1.0
"""How long a check may wait to hear whether the teacher asks for results."""

AGAIN_SECONDS = 30.0
"""How soon a check may ask that again."""


class _Sharing:
    """The way to the teacher's board; results are sent in the background, in their order."""

    def __init__(self, address: str, key: str, nickname: str, *, timeout: float = TIMEOUT_SECONDS):
        self.nickname = nickname
        self._page = f"{address.rstrip('/').removesuffix('/v1')}/class/api/share"
        self._key = Secret(key)
        self._client = network.open_client(
            timeout=timeout, headers={"Authorization": f"Bearer {key}"}
        )
        self._ended = False
        self._waiting: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._send_all, name="results", daemon=True)

    def begin(self) -> None:
        """Send what there is, and from now on what comes. Raises ServerError if it is refused."""
        self._request("POST", {"nickname": self.nickname})
        for attempts in results().values():
            self.send(attempts[-1])
        self._thread.start()
        watch(self._waiting.put)

    def end(self) -> None:
        unwatch(self._waiting.put)
        self._ended = True
        self._waiting.put(None)
        # What is on its way arrives before all is taken back, or it would stay behind.
        self._thread.join(2 * TIMEOUT_SECONDS)
        try:
            self._request("DELETE", None)
        finally:
            self.close()

    def close(self) -> None:
        self._client.close()

    def send(self, result: Result) -> None:
        self._request(
            "POST",
            {
                "nickname": self.nickname,
                "exercise": result.exercise_id,
                "passed": result.passed,
                "mistake": result.mistake or "",
            },
        )

    def ask(self) -> dict:
        """What the class server says of this learner."""
        return self._request("GET", None, page=self._page.removesuffix("share") + "me")

    def _send_all(self) -> None:
        while (result := self._waiting.get()) is not None and not self._ended:
            # A check has its verdict on the page already: what fails here is no concern of it.
            try:
                self.send(result)
            except ServerError:
                continue

    def _request(self, method: str, body: dict | None, *, page: str | None = None) -> dict:
        place = page or self._page
        try:
            answer = self._client.request(method, place, json=body)
            if answer.status_code == 200 and isinstance(said := answer.json(), dict):
                return said
        except network.NETWORK_ERRORS as error:
            fault = network.explain(error, "The class server", timeout=TIMEOUT_SECONDS)
            raise ServerError(fault.problem, fault.remedy) from None
        except ValueError:
            pass
        words = network.words_of(answer, secrets=[self._key])
        if answer.status_code == 404:
            words = "it is no class server (404)."
        raise ServerError(f"Your results are not shared: {words}", "Ask your teacher.")


_sharing: _Sharing | None = None
_glanced_at = -math.inf


def teacher_asks() -> bool:
    """Does the teacher of this class ask for results, and are they not shared yet?

    The class server is asked, with nothing but the learner's key, not more often than twice a
    minute.  False where there is no class, and where its server gives no answer.
    """
    global _glanced_at
    address, key = _connection()
    now = time.monotonic()
    nobody = not address or not key.startswith(LEARNERS_KEY)
    if nobody or _sharing is not None or now - _glanced_at < AGAIN_SECONDS:
        return False
    _glanced_at = now
    try:
        address = network.checked_address(address)
        with contextlib.closing(_Sharing(address, key, "", timeout=GLANCE_SECONDS)) as glance:
            return glance.ask().get("results_wanted") is True
    except (CourseError, httpx.HTTPError, ValueError):
        return False


def share_results(nickname: str) -> None:
    """Let the teacher see, under this nickname, which checks you pass and which mistake is named.

    Nothing else is sent: not your code, not your answers. The class server keeps it in memory.
    Raises OptionError where ``COURSE_MODEL`` names no class server, ServerError where it takes no
    results: the teacher may not have asked for them, or somebody else has this nickname.
    """
    global _sharing
    address, key = _connection()
    if not address or not key:
        raise OptionError(
            "There is no class to share results with.",
            "Paste the line that your teacher gave you (COURSE_MODEL=... COURSE_API_KEY=...).",
        )
    address = network.checked_address(address, example="http://localhost:8080/v1")
    if _sharing is not None:
        stop_sharing()
    sharing = _Sharing(address, key, str(nickname))
    if not sharing.ask().get("results_wanted"):
        raise ServerError(
            "The teacher does not ask for results at the moment.", "Try again when asked to."
        )
    sharing.begin()
    _sharing = sharing
    print(f"Your results are shared as {nickname}. stop_sharing() ends it and takes them back.")


def _connection() -> tuple[str, str]:
    """The server's address and key that the learner has set; each empty where there is none."""
    address = os.environ.get("COURSE_MODEL", "").strip()
    key = os.environ.get("COURSE_API_KEY", "").strip()
    return (address if address.startswith(("http://", "https://")) else ""), key


def stop_sharing() -> None:
    """Share nothing more, and have the teacher's board forget what there was."""
    global _sharing
    sharing, _sharing = _sharing, None
    if sharing is None:
        print("Nothing is shared.")
        return
    try:
        sharing.end()
    except (ServerError, httpx.HTTPError) as error:
        print(f"Nothing more is shared. The class server was not reached: {error}")
        return
    print("Nothing more is shared, and what was shared is forgotten.")
