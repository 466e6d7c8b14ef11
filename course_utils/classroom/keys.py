"""Who may ask? One key for each learner and one for the teacher, kept in one private file.

The file is the truth: the server reads it again when it changes, so that a key that is made or
revoked in another terminal counts within a second, and a restarted server knows the same keys.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from course_utils.errors import OptionError
from course_utils.paths import repository_root
from course_utils.secret import Secret

LONGEST_NAME = 40
MOST_LEARNERS = 1000
LOCK_SECONDS = 10.0

LEARNERS_KEY, TEACHERS_KEY = "sk-class-", "sk-teacher-"
"""How keys begin: as other services' do, so that logs and error messages know to hide them."""

TEACHER = "the teacher"
"""What the owner of the teacher's key is called; no learner can have this name."""


def keys_file() -> Path:
    """Where the keys are kept unless another file is named; git leaves it alone."""
    return repository_root() / ".class" / "keys.json"


class KeyRing:
    """The keys of a class, in a file that only its owner may read.

    Raises OptionError where the file cannot be read or written, or holds something else.
    """

    def __init__(self, path: Path | None = None):
        self.path = path or keys_file()
        self._lock = FileLock(f"{self.path}.lock", timeout=LOCK_SECONDS)
        self._stamp: tuple[int, int] | None = None
        self._keys: dict[str, Secret] = {}
        self._teacher = Secret("")
        with self._changing():
            pass

    def __repr__(self) -> str:
        return f"<{len(self._keys)} learners' keys in {self.path.name}>"

    @property
    def teacher_key(self) -> str:
        return self._teacher.reveal()

    @property
    def names(self) -> list[str]:
        """The learners who have a key, in the order in which they got it."""
        return list(self._keys)

    def key_of(self, name: str) -> str:
        """A learner's key. Raises OptionError where nobody has this name."""
        if name not in self._keys:
            raise _nobody(name, self._keys)
        return self._keys[name].reveal()

    def owner_of(self, key: str) -> str | None:
        """Whose key this is: a learner's name, ``TEACHER``, or None for nobody's.

        Takes the same time whichever key it is compared with, and however much of it fits.
        """
        asked = _digest(key)
        owner = None
        for name, known in ((TEACHER, self._teacher), *self._keys.items()):
            if hmac.compare_digest(asked, _digest(known.reveal())):
                owner = name
        return owner

    def add(self, name: str | None = None) -> str:
        """Make a key for a learner, by default "learner-01" and so on; returns the name.

        Raises OptionError for a name that is taken or none, and where the class is full.
        """
        with self._changing():
            if name is None:
                numbers = range(1, MOST_LEARNERS + 2)
                name = next(n for i in numbers if (n := f"learner-{i:02}") not in self._keys)
            name = checked_name(name)
            if name in self._keys or name == TEACHER:
                raise OptionError(
                    f"There is a learner called {name!r} already.",
                    "Choose another name, or revoke that key first.",
                )
            if len(self._keys) >= MOST_LEARNERS:
                raise OptionError(
                    f"This class has {MOST_LEARNERS} keys, which is the most.",
                    "Revoke those that nobody uses.",
                )
            self._keys[name] = _new_key(LEARNERS_KEY)
        return name

    def revoke(self, name: str) -> None:
        """Take a learner's key back; it stops working at once, also in the middle of a reply."""
        with self._changing():
            if name not in self._keys:
                raise _nobody(name, self._keys)
            del self._keys[name]

    def reload(self) -> bool:
        """Read the file again if it has changed; says whether it had."""
        if self._stamp == self._stamp_now():
            return False
        self._read()
        return True

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """The file, read, for a change that is written unless it fails; one process at a time."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._lock:
                self._read()
                before = (self._teacher, dict(self._keys))
                self._teacher = self._teacher or _new_key(TEACHERS_KEY)
                yield
                if (self._teacher, self._keys) != before:
                    self._write()
        except (OSError, Timeout) as error:
            raise OptionError(
                f"The keys cannot be kept in {self.path.name} "
                f"({getattr(error, 'strerror', None) or 'another program holds it'}).",
                "Name a file in a folder of yours: --keys FILE.",
            ) from None

    def _stamp_now(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ino

    def _read(self) -> None:
        stamp = self._stamp_now()
        if stamp is None:
            self._teacher, self._keys, self._stamp = Secret(""), {}, None
            return
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            teacher, learners = kept["teacher"], kept["learners"]
            sound = all(
                isinstance(text, str) and text for pair in learners.items() for text in pair
            )
            if not sound or not isinstance(teacher, str) or not teacher:
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError):
            raise OptionError(
                f"{self.path.name} does not hold the keys of a class.",
                "Name another file with --keys FILE, or delete this one: all learners then need "
                "new keys.",
            ) from None
        self._teacher, self._stamp = Secret(teacher), stamp
        self._keys = {name: Secret(key) for name, key in learners.items()}

    def _write(self) -> None:
        learners = {name: key.reveal() for name, key in self._keys.items()}
        kept = json.dumps({"teacher": self.teacher_key, "learners": learners}, indent=1)
        write_privately(self.path, kept + "\n")
        self._stamp = self._stamp_now()


def checked_name(name: object, longest: int = LONGEST_NAME) -> str:
    """A name, nickname or other line as it may stand on the board. Raises OptionError."""
    text = " ".join(str(name).split()) if isinstance(name, str) else ""
    shown = all(unicodedata.category(letter)[0] not in "CZ" or letter == " " for letter in text)
    if not text or len(text) > longest or not shown:
        raise OptionError(
            "This is not a name that can stand on the board.",
            f"Give 1 to {longest} letters, digits or signs.",
        )
    return text


def write_privately(path: Path, text: str) -> None:
    """Write a file whole or not at all, for nobody else to read."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _new_key(beginning: str) -> Secret:
    return Secret(beginning + secrets.token_urlsafe(18))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _nobody(name: object, known: dict[str, Secret]) -> OptionError:
    return OptionError(
        f"Nobody in this class is called {str(name)[:LONGEST_NAME]!r}.",
        f"The learners are: {', '.join(known)}." if known else "Nobody has a key yet.",
    )
