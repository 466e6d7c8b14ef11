"""A new version of the course in a folder that somebody has worked in: ``make update``.

Copies of everything that was changed lie in ``.cache/before-update/`` first, and git keeps the
state as a whole.  Then the course moves to its new version, and the learner's work is merged in.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from course_utils import command_line
from course_utils.errors import MachineError, OptionError
from course_utils.installation import merging
from course_utils.paths import repository_root

COPIES = ".cache/before-update"


def update(root: Path, say=print) -> bool:
    """Bring the newest version into ``root``; whether there was one.

    Raises MachineError where this is no clone or the source cannot be reached, and OptionError in
    the middle of a merge of git's.  Nothing is changed then.
    """
    _must_be_a_clone(root)
    old_head = _git(root, "rev-parse", "HEAD").strip()
    _fetch(root)
    new = _git(root, "rev-parse", "@{upstream}").strip()
    base = _git(root, "merge-base", old_head, new).strip()
    if base == new:
        say("This is the newest version.")
        return False
    changed = _names(root, "diff", "--name-only", "-z", base)
    theirs = set(_names(root, "diff", "--name-only", "-z", base, new))
    untracked = _names(root, "ls-files", "--others", "--exclude-standard", "-z")
    in_the_way = [name for name in untracked if name in theirs]
    copies = _copy(root, [*changed, *in_the_way])
    _keep_in_git(root, old_head, base, copies.name)
    merged = {name: _merged(root, name, base, new) for name in changed}
    for name in in_the_way:
        (root / name).unlink()
        say(f"{name}: the course has a file of this name now; yours is in {copies}.")
    _git(root, "reset", "--hard", "--quiet", new)
    for name, (content, words) in merged.items():
        if content is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        say(f"{name}: {words}")
    for name in sorted(theirs - set(changed)):
        if name.startswith("notebooks/"):
            say(f"{name}: new or changed by the course, and not by you.")
    if changed:
        say(f"Everything as it was before: {copies}")
    return True


def _merged(root: Path, name: str, base: str, new: str) -> tuple[bytes | None, str]:
    """What becomes of a file that the learner changed: its content, None for the course's."""
    mine, old, course = root / name, _content(root, base, name), _content(root, new, name)
    if not mine.exists():
        return None, "you had deleted it; the course's is back."
    own = mine.read_bytes()
    if own in (old, course):
        return None, "as in the course."
    if course == old:
        return own, "yours; the course has not changed it."
    if course is None:
        return own, "yours; the course has removed it."
    if old is None:
        return None, "the course has a file of this name now; yours is among the copies."
    if name.endswith(".ipynb"):
        try:
            notebook, report = merging.merge(
                *(merging.read(t.decode()) for t in (old, own, course))
            )
            return merging.written(notebook).encode(), str(report)
        except (OptionError, UnicodeDecodeError):
            return None, "yours could not be read as a notebook; it is among the copies."
    text = _three_way(own, old, course)
    if text is None:
        return None, "both changed the same lines: the course's is here, yours among the copies."
    return text, "your changes and the course's, merged."


def _three_way(own: bytes, old: bytes, course: bytes) -> bytes | None:
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("own", "old", "course")]
        for file, content in zip(files, (own, old, course), strict=True):
            file.write_bytes(content)
        command = ["git", "merge-file", "-p", *map(str, files)]
        answer = subprocess.run(command, capture_output=True, check=False)
    return answer.stdout if answer.returncode == 0 else None


def _must_be_a_clone(root: Path) -> None:
    if shutil.which("git") is None or not (root / ".git").exists():
        raise MachineError(
            "This folder is no clone of the course, so there is nothing to update from.",
            "Clone the course anew beside it, and copy your notebooks over.",
        )
    git_folder = root / _git(root, "rev-parse", "--git-dir").strip()
    if any((git_folder / name).exists() for name in ("MERGE_HEAD", "rebase-merge", "rebase-apply")):
        raise OptionError(
            "Git is in the middle of a merge here.",
            "End it with `git merge --abort` or `git rebase --abort`, then update.",
        )
    if _run(root, "rev-parse", "--verify", "--quiet", "@{upstream}").returncode != 0:
        raise OptionError(
            "Git does not know where this copy of the course comes from.",
            "Say so: git branch --set-upstream-to origin/main",
        )


def _fetch(root: Path) -> None:
    answer = _run(root, "fetch", "--quiet")
    if answer.returncode != 0:
        last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
        raise MachineError(
            f"The course's source cannot be reached: {last}",
            "Check the network, and `git remote -v`. Nothing has been changed.",
        )


def _copy(root: Path, names: list[str]) -> Path:
    stamp = time.strftime("%Y-%m-%d-%H%M%S")
    folder, number = root / COPIES / stamp, 1
    while folder.exists():
        number += 1
        folder = root / COPIES / f"{stamp}-{number}"
    folder.mkdir(parents=True)
    for name in names:
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)
    return folder


def _keep_in_git(root: Path, head: str, base: str, stamp: str) -> None:
    """The index and own commits survive as references; `git log before-update/...` shows them."""
    state = _run(root, "stash", "create").stdout.strip()
    if state:
        _git(root, "update-ref", f"refs/before-update/{stamp}", state)
    if head != base:
        _git(root, "branch", "--force", f"before-update/{stamp}", head)


def _content(root: Path, commit: str, name: str) -> bytes | None:
    command = ["git", "-C", str(root), "show", f"{commit}:{name}"]
    answer = subprocess.run(command, capture_output=True, check=False)
    return answer.stdout if answer.returncode == 0 else None


def _names(root: Path, *arguments: str) -> list[str]:
    return [name for name in _git(root, *arguments).split("\0") if name]


def _git(root: Path, *arguments: str) -> str:
    answer = _run(root, *arguments)
    if answer.returncode != 0:
        raise MachineError(
            f"git {arguments[0]} failed: {' '.join(answer.stderr.split())[-200:]}",
            "Mend what it says, then update again; your files are as they were, or among the "
            f"copies in {COPIES}.",
        )
    return answer.stdout


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["git", "-C", str(root), *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
    )


def main() -> int:
    command_line.refuse_arguments(__doc__)

    def work() -> None:
        update(repository_root())

    return command_line.run(work)


if __name__ == "__main__":
    sys.exit(main())
