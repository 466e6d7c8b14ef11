"""Where do the experiments keep what they find, and how are they started? Once for all of them.

Paths, seeds, command lines, and the two things that every experiment does with a model: ask it a
list of problems, and show it the same documents again and again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer

from course_utils import command_line
from course_utils.logs import read_log, write_log
from course_utils.nano import pretrain
from course_utils.nano.model import Transformer
from course_utils.nano.sample import Samples, sample
from course_utils.nano.tokenizer import END, decode, load, render
from course_utils.paths import nano_folder, repository_root

SEEDS = (1, 2, 3)


def runs_folder() -> Path:
    """Where the committed logs and results lie."""
    return nano_folder() / "runs"


def cache_folder() -> Path:
    """Where models and states wait for the experiments that go on from them (not shipped)."""
    folder = repository_root() / ".cache" / "nano"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def log_path(name: str, folder: Path | None = None) -> Path:
    """The CSV file of one run, in the committed folder unless told otherwise."""
    return (folder or runs_folder()) / f"{name}.csv"


def read_all(names: Iterable[str], folder: Path | None = None) -> list[dict]:
    """The rows of several runs, those that are there, one after the other."""
    return [row for name in names for row in read_log(log_path(name, folder))]


def choose(
    doc: str,
    arguments: Sequence[str] | None = None,
    *,
    flags: dict[str, str] | None = None,
    **options: Sequence,
) -> argparse.Namespace:
    """Read an experiment's command line, and make ready to run.

    Each option, such as ``seed=SEEDS``, becomes ``--seed``, and an attribute that lists what to
    run: all of them, or the one asked for.  ``flags``: names with their help, true if given.
    """
    parser = command_line.parser(doc)
    for name, values in options.items():
        kind = type(next(iter(values)))
        parser.add_argument(f"--{name}", type=kind, choices=list(values), help="only this one")
    for name, text in (flags or {}).items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    chosen = parser.parse_args(arguments)
    for name, values in options.items():
        one = getattr(chosen, name)
        setattr(chosen, name, list(values) if one is None else [one])
    torch.set_num_threads(1)
    runs_folder().mkdir(parents=True, exist_ok=True)
    return chosen


def there(path: Path) -> bool:
    """Is a run's result there already? Then it says so, and is not made again."""
    if path.exists():
        print(f"{path.name} is there already.", flush=True)
    return path.exists()


def write_missing(
    name: str, columns: Sequence[str], wanted: Iterable[tuple], make: Callable[..., list[dict]]
) -> None:
    """Add the rows of each run that a log lacks, and tell the last one; others are left alone.

    A run of ``wanted`` is what its rows have in ``columns``, and ``make(*run)`` makes them.
    """
    for run in wanted:
        rows = read_log(log_path(name))
        if run not in {tuple(row[column] for column in columns) for row in rows}:
            rows += make(*run)
            write_log(log_path(name), rows)
            print(rows[-1], flush=True)


def write_prompts(name: str, make: Callable[[], list[dict]]) -> None:
    """Write an experiment's rows unless they are there; tells those of the held-out exam."""
    if not there(log_path(name)):
        rows = make()
        write_log(log_path(name), rows)
        for row in rows:
            if row["exam"] == "held out":
                print({k: v for k, v in row.items() if k != "command"}, flush=True)


def replies(
    model: Transformer,
    tokenizer: Tokenizer,
    problems: Sequence,
    *,
    max_tokens: int,
    temperature: float = 1.0,
    copies: int = 1,
    generator: torch.Generator | int = 2026,
) -> tuple[list[str], Samples]:
    """``copies`` replies to each problem, as texts and as samples; the same seed, the same ones.

    ``generator``: of random numbers, or the seed of a new one.
    """
    if isinstance(generator, int):
        generator = torch.Generator().manual_seed(generator)
    samples = sample(
        model,
        [tokenizer.encode(render(problem.question)).ids for problem in problems],
        stop=tokenizer.token_to_id(END),
        copies=copies,
        max_tokens=max_tokens,
        temperature=temperature,
        generator=generator,
    )
    return [decode(tokenizer, text) for text in samples.texts()], samples


def continued(
    model: Transformer,
    texts: Sequence[str],
    *,
    max_tokens: int,
    temperature: float,
    seed: int = 2026,
    at_once: int = 100,
) -> list[str]:
    """What the model writes after each of these texts, each of them a prompt as it stands."""
    tokenizer, found = load(), []
    generator = torch.Generator(model.device).manual_seed(seed)
    for start in range(0, len(texts), at_once):
        samples = sample(
            model,
            [tokenizer.encode(text).ids for text in texts[start : start + at_once]],
            stop=tokenizer.token_to_id(END),
            max_tokens=max_tokens,
            temperature=temperature,
            generator=generator,
        )
        found += [decode(tokenizer, tokens) for tokens in samples.texts()]
    return found


def read_corpus(
    model: Transformer,
    tokenizer: Tokenizer,
    settings: pretrain.Settings,
    document: Callable[[Random], str],
    **files: Path,
) -> None:
    """Carry a pretraining to its end; ``files`` are ``pretrain.pretrain``'s."""
    for _ in pretrain.pretrain(model, tokenizer, settings, document=document, **files):
        pass


def cold_start(
    model: Transformer,
    tokenizer: Tokenizer,
    settings: pretrain.Settings,
    document: Callable[[Random], str],
    number: int,
) -> None:
    """Show ``model`` the same ``number`` good documents again and again."""
    random = Random(f"cold start {settings.seed}")
    documents = [document(random) for _ in range(number)]
    read_corpus(model, tokenizer, settings, lambda draw: draw.choice(documents))
