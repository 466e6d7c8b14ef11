"""From plan to running in one step: ``python -m course_utils.chat qwq-32b``, or ``make chat``.

MODEL is a name of the catalogue, the path of a GGUF file, or the address of a server.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from course_utils import command_line
from course_utils.chat.choosing import (
    Choice,
    check_disk,
    choose,
    files_here,
    is_in_catalogue,
    path_to_open,
)
from course_utils.chat.conversation import Conversation, enable_line_editing, read_budget
from course_utils.command_line import DONE, FAILED
from course_utils.download import download_model
from course_utils.engines import find_draft, open_model
from course_utils.engines.decoding_rates import measured_machine
from course_utils.engines.protocol import Engine
from course_utils.machine import Machine, this_machine
from course_utils.model_files.catalogue import ModelFile, find_file, find_model

NEEDS_YES = 2

DEFAULT_MODEL = "qwq-32b"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status (0 done, 1 an error, 2 a download needs --yes)."""
    options = _parser().parse_args(arguments)
    return command_line.run(
        lambda: _run(options),
        "Stopped. What has been downloaded is kept; the same command goes on.",
    )


def _run(options: argparse.Namespace) -> int:
    budget = read_budget(options.budget)
    engine = _open(options)
    if engine is None:
        return NEEDS_YES
    with engine:
        conversation = Conversation(engine, budget=budget)
        if options.question:
            return DONE if conversation.ask(options.question) is not None else FAILED
        enable_line_editing()
        conversation.run()
    return DONE


def _open(options: argparse.Namespace) -> Engine | None:
    """The engine to talk to; None if a download is needed and nobody agreed to it."""
    name = options.model or os.environ.get("COURSE_MODEL") or DEFAULT_MODEL
    opening = {}
    if options.draft is not None:
        # Found first: a large model is not downloaded for a draft that is not there.
        opening["draft"] = _draft(options)
        if opening["draft"] is None:
            return None
    wanted = {
        key: value
        for key, value in (("context", options.context), ("kv_type", options.kv_type))
        if value is not None
    }
    if not is_in_catalogue(name):
        return open_model(name, **wanted, **opening)
    machine = measured_machine(mixture=find_model(name).architecture.experts is not None)
    choice = choose(name, machine=machine, **wanted)
    if choice is None:
        print(f"{name} does not fit here; the nano thinker, which comes with the course, does.")
        return open_model("nano-thinker")
    _tell(choice)
    if choice.copy is not None:
        print(f"Already on this machine: {choice.copy.path} ({choice.copy.keeper}).")
        if choice.larger is not None:
            other = f"{choice.larger.model}:{choice.larger.quantisation}"
            size = choice.larger.memory.weights / 1e9
            print(f"A larger file fits too: make chat MODEL={other} ({size:.1f} GB).")
        return open_model(path_to_open(choice.copy), **choice.options, **opening)
    if not _may_download(choice.file, machine, options):
        return None
    return open_model(download_model(choice.name), **choice.options, **opening)


def _draft(options: argparse.Namespace) -> str | None:
    """What ``open_model`` takes for a draft; None if it is not here and nobody agreed to load it.

    A draft of the catalogue is downloaded; anything else has to be on this machine.
    """
    name = options.draft
    if not is_in_catalogue(name):
        return find_draft(name)
    copies = files_here(name)
    if copies:
        return str(path_to_open(copies[0]))
    if not _may_download(find_file(name), this_machine(), options):
        return None
    return str(download_model(name))


def _tell(choice: Choice) -> None:
    if choice.refused is not None:
        print(f"{choice.refused.title} {choice.refused.quantisation}: {choice.refused.verdict}.")
    print(choice.plan)


def _may_download(file: ModelFile, machine: Machine, options: argparse.Namespace) -> bool:
    """Whether somebody agrees to this download; raises MachineError where the disk is too full."""
    check_disk(file, machine)
    return options.yes or _agreed(file)


def _agreed(file: ModelFile) -> bool:
    print(f"To download: {file.name}, {file.size_bytes / 1e9:.2f} GB from {file.repository}.")
    if not sys.stdin.isatty():
        print("Add --yes to download it.")
        return False
    answer = input("Download it now? A line that drops costs nothing; it goes on. [y/N] ")
    return answer.strip().lower() in ("y", "yes")


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser(
        "Talk to a model in the terminal.", prog="python -m course_utils.chat"
    )
    parser.add_argument(
        "model",
        nargs="?",
        help="a name of the catalogue, such as qwq-32b or qwq-32b:Q6_K; a GGUF file or its folder; "
        f"a server's address (default: COURSE_MODEL, or {DEFAULT_MODEL})",
    )
    parser.add_argument("--question", help="ask this one question, and end")
    parser.add_argument("--budget", default="off", help="tokens that a thought may take")
    parser.add_argument(
        "--context", type=int, help="tokens that the conversation may have together"
    )
    parser.add_argument("--kv-type", help="how keys and values are stored: f16, q8_0 or q4_0")
    parser.add_argument(
        "--draft",
        help="speculative decoding: a small model that proposes tokens (a name of the catalogue or "
        "a GGUF file), or lookup, which needs none (notebook 06)",
    )
    parser.add_argument("--yes", action="store_true", help="download without asking")
    return parser


if __name__ == "__main__":
    sys.exit(main())
