"""Is this really the model that the course plans for? ``make accept MODEL=qwq-32b`` looks.

One run for whoever holds the real file: its checksum, its header against the catalogue's numbers
and the plan's bytes, its template, its tokenizer, and a short conversation, recorded with its
speed.  At the end stands what to send, so that the course can show it to those who have no such
machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from course_utils import command_line
from course_utils.download import find_model_file
from course_utils.engines import QWQ, open_model
from course_utils.engines.decoding_rates import measured_machine
from course_utils.engines.protocol import Engine
from course_utils.engines.server.tokenizer import qwq_tokenizer, tokenize
from course_utils.engines.transcript import record
from course_utils.errors import CourseError, MachineError, OptionError
from course_utils.hashing import SHA256, hash_file
from course_utils.model_files.architectures import Architecture
from course_utils.model_files.capacity import Plan, plan
from course_utils.model_files.catalogue import Model, find_model, predicted_file_bytes
from course_utils.model_files.gguf_check import check_gguf
from course_utils.model_files.gguf_header import GgufHeader
from course_utils.model_files.quantisation import quantisation_name, tensor_type
from course_utils.paths import models_folder, repository_root
from course_utils.progress import Progress

PASSED, FAILED, OPEN = "passed", "failed", "not compared"

QUESTION = "What is 347 + 285?"
QWQ_PROMPT = f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n<think>\n"
"""What QwQ's template makes of one question; some copies add a system message before it."""

QWEN_VOCABULARY = 150_000
"""A vocabulary at least so large is taken for Qwen's."""

LENGTH_TOLERANCE = 2e-4


class Check(NamedTuple):
    """One thing that was looked at: ``outcome`` is passed, failed or not compared."""

    name: str
    outcome: str
    found: str


def accept(name: str, *, transcript: Path | None = None, max_tokens: int = 2000) -> Iterator[Check]:
    """Check a model's file, its tokenizer and a reply, one after the other, as they are done.

    ``name``: a model of the catalogue.  The run is recorded at ``transcript``, by default in
    ``models/transcripts``.  Raises OptionError for an unknown name, ModelFileError where the file
    is not here or cannot be run, MachineError where memory cannot hold it.
    """
    model = find_model(name)
    found = find_model_file(name)
    header = check_gguf(found.path)
    yield _checksum(name, model, found.path)
    yield _shape(model, header)
    yield _types(model, header)
    yield _length(model, header)
    here = measured_machine(mixture=model.architecture.experts is not None)
    planned = plan(name, machine=here)
    if not planned.fits:
        planned = planned.instead
        if planned is None or (planned.model, planned.quantisation) != (
            model.name,
            _quantisation_of(model, header),
        ):
            raise MachineError(
                f"{model.title} does not fit into the memory that is free, so it cannot be asked.",
                "Close other programs, or take a smaller file.",
            )
    with open_model(found.path, context=planned.context, kv_type=planned.kv_type) as engine:
        yield _template(model, engine)
        yield _tokenizer(engine)
        path = transcript or models_folder() / "transcripts" / f"{model.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        yield from _conversation(engine, planned, path, max_tokens)


def _checksum(name: str, model: Model, path: Path) -> Check:
    with Progress("reading the file", path.stat().st_size, "B") as progress:
        read = 0

        def reach(count: int) -> None:
            nonlocal read
            read += count
            progress.reach(read)

        digits = hash_file(path, SHA256, reach)
    try:
        known = model.file(name.partition(":")[2] or None).sha256
    except OptionError:
        known = None
    if known is None:
        return Check("checksum", OPEN, f"{digits}; the catalogue states none")
    return Check("checksum", PASSED if digits == known else FAILED, digits)


def _shape(model: Model, header: GgufHeader) -> Check:
    ours, theirs = (
        model.architecture,
        Architecture.from_metadata(header.metadata, header.shapes),
    )
    numbers = ("family", "layers", "hidden", "feed_forward", "vocabulary", "attention", "experts")
    wrong = [
        f"{number} is {getattr(theirs, number)}, not {getattr(ours, number)}"
        for number in numbers
        if getattr(theirs, number) != getattr(ours, number)
    ]
    if theirs.parameters != header.parameters:
        wrong.append(f"{header.parameters:,} parameters, not {theirs.parameters:,}")
    words = f"{header.parameters:,} parameters in {len(header.tensors)} tensors"
    return Check("shape", FAILED if wrong else PASSED, "; ".join(wrong) or words)


def _types(model: Model, header: GgufHeader) -> Check:
    quantisation = _quantisation_of(model, header)
    stored = Counter(tensor.type for tensor in header.tensors)
    expected = Counter(
        tensor_type(tensor, model.architecture, quantisation)
        for tensor in model.architecture.tensors()
    )
    words = ", ".join(f"{count} {kind}" for kind, count in sorted(stored.items()))
    if stored == expected:
        return Check("types", PASSED, f"{quantisation}: {words}")
    expected_words = ", ".join(f"{count} {kind}" for kind, count in sorted(expected.items()))
    return Check("types", FAILED, f"{quantisation}: {words}; predicted: {expected_words}")


def _length(model: Model, header: GgufHeader) -> Check:
    predicted = predicted_file_bytes(model.architecture, _quantisation_of(model, header))
    off = header.file_bytes / predicted - 1
    # The header of a small vocabulary is not the one that the prediction is made for.
    small = model.architecture.vocabulary < QWEN_VOCABULARY
    outcome = PASSED if abs(off) <= LENGTH_TOLERANCE else OPEN if small else FAILED
    return Check("length", outcome, f"{header.file_bytes:,} bytes, {off:+.4%} from the predicted")


def _template(model: Model, engine: Engine) -> Check:
    try:
        prompt = engine.render(QUESTION)
    except CourseError as error:
        return Check("template", FAILED, error.problem)
    if model.chat_format != "qwq":
        return Check("template", OPEN, repr(prompt[-60:]))
    outcome = PASSED if prompt.endswith(QWQ_PROMPT) else FAILED
    return Check("template", outcome, repr(prompt[-60:]))


def _tokenizer(engine: Engine) -> Check:
    if engine.info.vocabulary < QWEN_VOCABULARY:
        return Check("tokenizer", OPEN, f"a vocabulary of {engine.info.vocabulary:,} tokens")
    texts = _texts()
    ours = qwq_tokenizer()
    wrong = [
        text
        for text in texts
        if [token.id for token in engine.tokenize(text)]
        != [token.id for token in tokenize(ours, text)]
    ]
    words = f"{len(texts) - len(wrong)} of {len(texts)} texts are cut as by the shipped vocabulary"
    return Check("tokenizer", FAILED if wrong else PASSED, words)


def _texts() -> list[str]:
    cases = repository_root() / "tests" / "data" / "qwen2-tokenizer-cases.json"
    return [case["text"] for case in json.loads(cases.read_text(encoding="utf-8"))["plain"]]


def _conversation(engine: Engine, planned: Plan, path: Path, max_tokens: int) -> Iterator[Check]:
    try:
        reply = record(engine, path, QUESTION, QWQ.but(seed=0, max_tokens=max_tokens))
    except CourseError as error:
        yield Check("conversation", FAILED, error.problem)
        return
    outcome = PASSED if "632" in reply.answer else FAILED
    words = f"{reply.thinking_tokens} tokens of thought, answer {reply.answer[-60:]!r}; see {path}"
    yield Check("conversation", outcome, words)
    speed, expected = reply.tokens_per_second, planned.tokens_per_second
    here = planned.machine
    yield Check(
        "speed",
        OPEN,
        f"{speed:.2f} tokens per second, {expected:.2f} planned; {here.cpu_name}, {here.cores} "
        f"cores, memory at {here.memory_bandwidth_bytes_per_second / 1e9:.1f} GB/s",
    )


def _quantisation_of(model: Model, header: GgufHeader) -> str:
    return quantisation_name(header.quantisation) if header.quantisation else model.quantisation


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status (0 all passed, 1 an error, 2 a check failed)."""
    parser = command_line.parser(__doc__, prog="python -m course_utils.chat.accept")
    parser.add_argument("model", nargs="?", default="qwq-32b", help="a model of the catalogue")
    parser.add_argument("--transcript", type=Path, help="where to record the conversation")
    options = parser.parse_args(arguments)
    return command_line.run(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    checks = []
    for check in accept(options.model or "qwq-32b", transcript=options.transcript):
        checks.append(check)
        print(f"{check.outcome:13} {check.name:13} {check.found}", flush=True)
    failed = [check.name for check in checks if check.outcome == FAILED]
    print("\nFailed: " + ", ".join(failed) if failed else "\nNothing failed.")
    print("Send the lines above, and the transcript, as an issue of the course.")
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
