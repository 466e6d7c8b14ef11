"""An update of the course loses nothing of a learner's: answers, outputs, notes, clashes."""

import copy
import json
import os
import subprocess

import nbformat
import pytest

from course_utils.errors import CourseError
from course_utils.installation import merging, update
from course_utils.paths import repository_root

NOTEBOOKS = sorted((repository_root() / "notebooks").glob("??_*.ipynb"))
OUTPUT = {"output_type": "stream", "name": "stdout", "text": ["what I saw\n"]}


def source(cell):
    return "".join(cell["source"])


def all_sources(notebook):
    return [source(cell) for cell in notebook["cells"]]


def places(notebook):
    """Three code cells: one the learner answers, one both change, one whose output is kept."""
    code = [n for n, cell in enumerate(notebook["cells"]) if cell["cell_type"] == "code"]
    return code[1], code[2], code[3]


def learners(notebook):
    """Answers, outputs and notes in a notebook, and a cell that the course changes too."""
    mine = copy.deepcopy(notebook)
    answered, clash, ran = places(mine)
    mine["cells"][answered]["source"] = ["my_answer = 42\n"]
    mine["cells"][clash]["source"] = ["my_other_answer = 43\n"]
    mine["cells"][ran]["outputs"] = [OUTPUT]
    note = {"cell_type": "markdown", "id": "my-note", "metadata": {}, "source": ["Remember me."]}
    mine["cells"].insert(clash + 1, note)
    mine["cells"].append({**note, "id": "my-end", "source": ["My last words."]})
    return mine


def courses(notebook):
    """A new version: a cell reworded, one added in front, one taken away."""
    new = copy.deepcopy(notebook)
    _, clash, ran = places(new)
    new["cells"][clash]["source"] = ["print('the course, better')\n"]
    new["cells"][0]["source"] = ["# A better title"]
    gone = next(n for n in range(ran + 1, len(new["cells"])))
    del new["cells"][gone]
    first = {"cell_type": "markdown", "id": "new-first", "metadata": {}, "source": ["Hello."]}
    new["cells"].insert(0, first)
    return new


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.parametrize("editor", ["keeps ids", "drops ids", "makes new ids"])
def test_a_conflict_in_a_notebook_loses_nothing(path, editor):
    base = json.loads(path.read_text(encoding="utf-8"))
    mine, theirs = learners(base), courses(base)
    for place, cell in enumerate(mine["cells"]):
        if editor == "drops ids":
            del cell["id"]
        elif editor == "makes new ids":
            cell["id"] = f"another{place}"
    merged, report = merging.merge(base, mine, theirs)
    sources = all_sources(merged)
    for text in ("my_answer = 42\n", "my_other_answer = 43\n", "Remember me.", "My last words."):
        assert sources.count(text) == 1, text
    assert any("the course, better" in text for text in sources)
    assert sources[0] == "Hello." and "# A better title" in sources
    assert sum(OUTPUT in cell.get("outputs", []) for cell in merged["cells"]) == 1
    nbformat.validate(nbformat.from_dict(merged))
    if editor == "keeps ids":
        assert report.both_changed == 1 and "yours kept, the course's below it" in str(report)
        clash = sources.index("my_other_answer = 43\n")
        assert "the course, better" in sources[clash + 1]
        assert merged["cells"][clash + 1]["cell_type"] == "markdown"


def test_an_untouched_notebook_becomes_the_courses():
    base = json.loads(NOTEBOOKS[0].read_text(encoding="utf-8"))
    merged, _ = merging.merge(base, base, courses(base))
    assert all_sources(merged) == all_sources(courses(base))


def test_an_answer_stays_though_the_course_has_removed_its_cell():
    base = json.loads(NOTEBOOKS[0].read_text(encoding="utf-8"))
    theirs = copy.deepcopy(base)
    answered = places(base)[0]
    del theirs["cells"][answered]
    merged, report = merging.merge(base, learners(base), theirs)
    assert "my_answer = 42\n" in all_sources(merged) and report.kept_though_removed == 1


def git(folder, *arguments):
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def clone(tmp_path):
    """A course with two notebooks and a module, and a learner's clone of it."""
    course = tmp_path / "course"
    (course / "notebooks").mkdir(parents=True)
    for path in NOTEBOOKS[:2]:
        (course / "notebooks" / path.name).write_bytes(path.read_bytes())
    (course / "module.py").write_text("a = 1\nb = 2\nc = 3\n")
    (course / ".gitignore").write_text(".cache/\n")
    git(course, "init", "--quiet", "--initial-branch=main")
    git(course, "add", "--all")
    git(course, "commit", "--quiet", "-m", "one")
    git(tmp_path, "clone", "--quiet", str(course), "learner")
    return course, tmp_path / "learner"


def new_version(course):
    first = course / "notebooks" / NOTEBOOKS[0].name
    new = courses(json.loads(first.read_text(encoding="utf-8")))
    first.write_text(merging.written(new), encoding="utf-8")
    (course / "module.py").write_text("a = 10\nb = 2\nc = 3\n")
    (course / "notes.md").write_text("the course's")
    git(course, "add", "--all")
    git(course, "commit", "--quiet", "-m", "two")


def work(learner):
    for path in NOTEBOOKS[:2]:
        file = learner / "notebooks" / path.name
        mine = learners(json.loads(file.read_text(encoding="utf-8")))
        file.write_text(merging.written(mine), encoding="utf-8")
    (learner / "notes.md").write_text("mine")


def read(learner, number):
    file = learner / "notebooks" / NOTEBOOKS[number].name
    return json.loads(file.read_text(encoding="utf-8"))


def test_an_update_brings_the_new_version_and_keeps_the_work(clone):
    course, learner = clone
    work(learner)
    before = read(learner, 0)
    new_version(course)
    said = []
    assert update.update(learner, said.append)
    first, second = read(learner, 0), read(learner, 1)
    assert "my_answer = 42\n" in all_sources(first) and "Hello." in all_sources(first)
    assert "my_answer = 42\n" in all_sources(second)
    assert (learner / "module.py").read_text().startswith("a = 10")
    assert (learner / "notes.md").read_text() == "the course's"
    copies = next((learner / update.COPIES).iterdir())
    assert (copies / "notes.md").read_text() == "mine"
    assert json.loads((copies / "notebooks" / NOTEBOOKS[0].name).read_text()) == before
    assert any("yours kept" in line for line in said)
    assert not update.update(learner, said.append) and said[-1] == "This is the newest version."


def test_own_commits_and_changed_modules_survive_an_update(clone):
    course, learner = clone
    work(learner)
    (learner / "module.py").write_text("a = 1\nb = 2\nc = 33\n")
    git(learner, "add", "notebooks", "module.py")
    git(learner, "commit", "--quiet", "-m", "my work")
    mine = git(learner, "rev-parse", "HEAD").strip()
    new_version(course)
    update.update(learner, lambda line: None)
    assert "my_answer = 42\n" in all_sources(read(learner, 0))
    assert (learner / "module.py").read_text() == "a = 10\nb = 2\nc = 33\n"
    assert mine in git(learner, "branch", "--format=%(objectname)", "--list", "before-update/*")


def test_a_module_that_both_changed_is_the_courses_and_the_learners_is_kept(clone):
    course, learner = clone
    (learner / "module.py").write_text("a = 99\nb = 2\nc = 3\n")
    new_version(course)
    update.update(learner, lambda line: None)
    assert (learner / "module.py").read_text().startswith("a = 10")
    copies = next((learner / update.COPIES).iterdir())
    assert (copies / "module.py").read_text().startswith("a = 99")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda learner: git(learner, "remote", "set-url", "origin", "/no/such"), "reached"),
        (lambda learner: git(learner, "branch", "--unset-upstream"), "comes from"),
        (lambda learner: (learner / ".git" / "MERGE_HEAD").write_text("0" * 40), "middle of"),
        (lambda learner: (learner / ".git").rename(learner / "git"), "no clone"),
    ],
)
def test_an_update_that_cannot_be_says_why_and_changes_nothing(clone, spoil, words):
    course, learner = clone
    work(learner)
    new_version(course)
    spoil(learner)
    before = {p: p.read_bytes() for p in learner.rglob("*") if p.is_file() and ".git" not in str(p)}
    with pytest.raises(CourseError, match=words):
        update.update(learner)
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.fixture
def pulled(teacher, tmp_path, monkeypatch):
    """A course with every notebook, and ``pull()``, which brings it to a learner by nbgitpuller."""
    for name in [name for name in os.environ if name.startswith("GIT_CONFIG")]:
        monkeypatch.delenv(name)
    course, learner = tmp_path / "course", tmp_path / "learner"
    (course / "notebooks").mkdir(parents=True)
    for path in NOTEBOOKS:
        (course / "notebooks" / path.name).write_bytes(path.read_bytes())
    (course / "module.py").write_text("a = 1\n")
    (course / ".gitattributes").write_bytes((repository_root() / ".gitattributes").read_bytes())
    git(course, "init", "--quiet", "--initial-branch=main")
    git(course, "add", "--all")
    git(course, "commit", "--quiet", "-m", "one")

    def pull():
        return teacher("-m", "nbgitpuller.pull", f"file://{course}", "main", learner)

    pull()
    for path in NOTEBOOKS:
        file = learner / "notebooks" / path.name
        file.write_text(merging.written(learners(loaded(file))), encoding="utf-8")
        new = merging.written(courses(loaded(path)))
        (course / "notebooks" / path.name).write_text(new, encoding="utf-8")
    (learner / "notes.md").write_text("mine")
    (learner / "module.py").unlink()
    (course / "notes.md").write_text("the course's")
    git(course, "add", "--all")
    git(course, "commit", "--quiet", "-m", "two")
    return learner, pull


def loaded(file):
    return json.loads(file.read_text(encoding="utf-8"))


def test_nbgitpuller_merges_cell_by_cell_with_the_hubs_settings(pulled, monkeypatch):
    """A conflict in every notebook; a file in the way, and one that the learner has deleted."""
    learner, pull = pulled
    for name, value in merging.git_settings().items():
        monkeypatch.setenv(name, value)
    pull()
    for path in NOTEBOOKS:
        merged = loaded(learner / "notebooks" / path.name)
        nbformat.validate(nbformat.from_dict(merged))
        sources = all_sources(merged)
        mine = {"my_answer = 42\n", "my_other_answer = 43\n", "Remember me.", "My last words."}
        assert mine | {"Hello.", "# A better title"} <= set(sources)
        assert any("the course, better" in text for text in sources)
        assert any(OUTPUT in cell.get("outputs", []) for cell in merged["cells"])
    assert (learner / "module.py").exists()
    assert (learner / "notes.md").read_text() == "the course's"
    assert [file.read_text() for file in learner.glob("notes__*.md")] == ["mine"]


def test_nbgitpuller_by_itself_keeps_the_learners_notebook_in_git(pulled):
    """Git then merges line by line: what comes of it may open nowhere, and nothing is lost."""
    learner, pull = pulled
    before = {path.name: (learner / "notebooks" / path.name).read_text() for path in NOTEBOOKS}
    pull()
    commits = git(learner, "log", "--format=%H %s").splitlines()
    kept = next(line.split()[0] for line in commits if "Automatic commit by nbgitpuller" in line)
    for name, text in before.items():
        assert git(learner, "show", f"{kept}:notebooks/{name}") == text
