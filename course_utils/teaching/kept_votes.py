"""Where do your votes wait until you come back? A small file beside the notebook.

``votes = kept_votes("votes.json")`` is used as a dictionary: what is put into it is in the file at
once, and is there again after a restart.  ``votes.clear()`` forgets all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from course_utils.engines.checks import as_path, shown_path, why
from course_utils.errors import MachineError, OptionError
from course_utils.evaluation.claims import VERDICTS
from course_utils.paths import write_whole

_KIND = "course votes"


class KeptVotes(MutableMapping):
    """Votes by a claim's number, each change written to a file. Made by ``kept_votes``.

    A change that the disk refuses raises MachineError, and counts all the same.
    """

    def __init__(self, path: Path, votes: dict[int, str | None]):
        self.path = path
        self._votes = votes

    def __getitem__(self, number: int) -> str | None:
        return self._votes[number]

    def __setitem__(self, number: int, vote: str | None) -> None:
        self._votes[number] = vote
        self._write()

    def __delitem__(self, number: int) -> None:
        del self._votes[number]
        self._write()

    def __iter__(self) -> Iterator[int]:
        return iter(self._votes)

    def __len__(self) -> int:
        return len(self._votes)

    def __repr__(self) -> str:
        return repr(self._votes)

    def _write(self) -> None:
        votes = {str(number): vote for number, vote in self._votes.items()}
        text = json.dumps({"kind": _KIND, "votes": votes}, indent=1) + "\n"
        try:
            write_whole(self.path, text)
        except (OSError, ValueError) as error:
            raise MachineError(
                f"Your vote counts, but {shown_path(self.path.name)} could not be written: "
                f"{why(error)}.",
                "Go on until you restart, or keep the votes in a folder that can be written.",
            ) from None


def kept_votes(path: Path | str) -> KeptVotes:
    """The votes in a file, and from now on every vote that is cast; none if there is no file yet.

    Raises OptionError for a file that holds something else, and leaves it as it is.
    """
    path = as_path(path)
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return KeptVotes(path, {})
    except (OSError, ValueError, RecursionError):
        saved = None
    votes = saved.get("votes") if isinstance(saved, dict) and saved.get("kind") == _KIND else None
    if not isinstance(votes, dict) or not all(map(_is_vote, votes.items())):
        raise OptionError(
            f"{shown_path(path.name)} does not hold votes that can be read.",
            "Rename or delete it, and run this cell again.",
        )
    return KeptVotes(path, {int(number): vote for number, vote in votes.items()})


def _is_vote(item: tuple[str, object]) -> bool:
    number, vote = item
    known = vote is None or vote in VERDICTS
    return known and number.isascii() and number.isdecimal() and len(number) < 5
