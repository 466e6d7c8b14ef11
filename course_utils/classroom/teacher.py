"""The teacher's board and buttons from a notebook: ``open_class()``."""

from __future__ import annotations

import html
from pathlib import Path

import httpx

from course_utils import network
from course_utils.classroom.keys import KeyRing
from course_utils.errors import CourseError, ServerError
from course_utils.secret import Secret

DEFAULT_ADDRESS = "http://127.0.0.1:8080"
TIMEOUT_SECONDS = 10.0


def open_class(address: str = DEFAULT_ADDRESS, *, keys: str | Path | None = None) -> Classroom:
    """The class that is served at this address, for its teacher.

    keys: the file with its keys; by default where ``make class`` keeps them on this machine.

    >>> course = open_class()
    >>> course                              # ends a cell with the board
    >>> course.pause(); course.resume()
    >>> course.ask_for_results()            # from those learners who agree
    >>> course.add("Ada"); course.revoke("Ada")

    Raises ServerError where no class is served there, OptionError where the keys cannot be read.
    """
    path = Path(keys) if keys is not None else None
    found = Classroom(address, KeyRing(path).teacher_key)
    found.board()
    return found


class Classroom:
    """A class that is being served; shown, it is its board at this moment."""

    def __init__(self, address: str, key: str):
        self.address = network.checked_address(address, example=DEFAULT_ADDRESS).rstrip("/")
        self.address = self.address.removesuffix("/v1")
        self._key = Secret(key)
        self._client = network.open_client(
            timeout=TIMEOUT_SECONDS, headers={"Authorization": f"Bearer {key}"}
        )

    def board(self) -> dict:
        """All that the board shows: queue, speed, learners, results."""
        return self._call("GET", "board")

    def pause(self) -> None:
        """Begin no further reply; those that are being written are finished."""
        self._call("POST", "pause", on=True)

    def resume(self) -> None:
        """Go on with the line."""
        self._call("POST", "pause", on=False)

    def ask_for_results(self, on: bool = True) -> None:
        """Ask learners to share which checks they pass; ending it forgets what there was."""
        self._call("POST", "results", on=on)

    def add(self, name: str | None = None) -> str:
        """Make a key for one more learner; returns the key."""
        return self._call("POST", "add", name=name)["key"]

    def revoke(self, name: str) -> None:
        """Take a learner's key back, at once."""
        self._call("POST", "revoke", name=name)

    def restart_model(self) -> None:
        """End the model server and start it again, for a model that answers no more."""
        self._call("POST", "restart")

    def _call(self, method: str, page: str, **body: object) -> dict:
        try:
            response = self._client.request(
                method, f"{self.address}/class/api/{page}", json=body if method == "POST" else None
            )
            if response.status_code == 200:
                return response.json()
        except network.NETWORK_ERRORS as error:
            fault = network.explain(error, self.address, timeout=TIMEOUT_SECONDS)
            raise ServerError(fault.problem, fault.remedy) from None
        except ValueError:
            pass
        words = network.words_of(response, secrets=[self._key])
        raise ServerError(
            f"The class server refuses ({response.status_code}): {words}",
            "Check the address, and that the keys' file is that of this class.",
        )

    def _shown(self) -> dict | str:
        try:
            return self.board()
        except (CourseError, httpx.HTTPError) as error:
            return str(error)

    def __repr__(self) -> str:
        board = self._shown()
        return board if isinstance(board, str) else "\n".join(board_lines(board))

    def _repr_html_(self) -> str:
        board = self._shown()
        lines = [board] if isinstance(board, str) else board_lines(board)
        return "<br>".join(html.escape(line) for line in lines)


def board_lines(board: dict) -> list[str]:
    """The board in a few lines of text."""
    state = "paused" if board["paused"] else "starting" if board["loading"] else "open"
    lines = [
        f"{board['model']}: {state}; {board['running']} of {board['slots']} slots busy, "
        f"{board['waiting']} in line, {board['tokens_per_second']:,.0f} tokens per second, "
        f"{board['replies']:,} replies so far.",
    ]
    results = board["progress"]
    if not results["on"]:
        return [*lines, "Results are not asked for."]
    lines.append(f"{results['sharing']} of {len(board['learners'])} learners share their results.")
    for row in results["exercises"]:
        line = f"{row['exercise']}: {row['passed']} of {row['tried']} have passed"
        if row["mistakes"]:
            mistake = row["mistakes"][0]
            line += f"; most frequent now: {mistake['name']} ({mistake['count']})"
        lines.append(line + ".")
    return lines
