"""How many learners does the class server carry, and how much better than llama_cpp.server?

Thirty learners ask ten sums each, all at once, with the ``openai`` client: first the class server,
then llama-cpp-python's own, which answers one request at a time.  Beside what was measured stands
what the class server said beforehand.

In a class the learners' clients run on laptops of their own; here they share the machine with the
server that they ask.  So the processor's time of either is counted apart: what the server takes for
a thousand tokens does not depend on who asks.

Takes about two minutes.  llama_cpp.server needs ``pip install 'llama-cpp-python[server]'``.
"""

from __future__ import annotations

import contextlib
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import openai
import psutil

from course_utils.classroom.keys import KeyRing
from course_utils.machine import this_machine
from course_utils.network import free_port
from course_utils.paths import nano_folder
from tests.benchmarks.report import show_place, write_report

LEARNERS, REQUESTS = 30, 10
START_SECONDS = 120


@dataclass
class Load:
    """What thirty learners met: replies, how they ended, their tokens, and the time for all.

    server_processor, clients_processor: seconds of processor time meanwhile, of all cores.
    """

    replies: int
    lost: int
    cut_off: int
    tokens: int
    seconds: float
    server_processor: float
    clients_processor: float

    def row(self, server: str, streamed: bool, expected: float | None) -> dict[str, object]:
        speed = self.tokens / self.seconds
        thousands = self.tokens / 1000
        return {
            "server": server,
            "streamed": int(streamed),
            "learners": LEARNERS,
            "requests": self.replies + self.lost,
            "lost": self.lost,
            "cut_off": self.cut_off,
            "tokens": self.tokens,
            "seconds": round(self.seconds, 2),
            "tokens_per_second": round(speed, 1),
            "server_processor_seconds_per_1000_tokens": round(self.server_processor / thousands, 3),
            "clients_processor_seconds_per_1000_tokens": round(
                self.clients_processor / thousands, 3
            ),
            "said_beforehand": "" if expected is None else round(expected, 1),
            "measured_of_said": "" if expected is None else round(speed / expected, 3),
        }


@dataclass
class Served:
    """A server that runs: its address, the learners' keys, and its process.

    said: the tokens per second that it says beforehand, None where it says nothing.
    """

    address: str
    keys: list[str]
    process: psutil.Process
    said: float | None = None

    def processor_seconds(self) -> float:
        """What it has taken of the processor's time, with the processes that it has started."""
        family = [self.process, *self.process.children(recursive=True)]
        return sum(sum(member.cpu_times()[:2]) for member in family)  # user and system


def ask_all(served: Served, *, stream: bool) -> Load:
    """All learners ask all their sums at once."""
    # Opening one reads the certificates, which takes as long as several replies.
    clients = [
        openai.OpenAI(base_url=served.address, api_key=key, max_retries=0, timeout=600)
        for key in served.keys
    ]

    def learner(number: int) -> list[tuple[str | None, int]]:
        draw, ends = random.Random(number), []
        for _ in range(REQUESTS):
            question = f"What is {draw.randint(100, 999)} + {draw.randint(100, 999)}?"
            try:
                ends.append(_ask(clients[number], question, stream=stream))
            except openai.OpenAIError as error:
                ends.append((f"lost: {type(error).__name__}", 0))
        return ends

    before, own = served.processor_seconds(), time.process_time()
    started = time.perf_counter()
    with ThreadPoolExecutor(LEARNERS) as pool:
        ends = [end for done in pool.map(learner, range(LEARNERS)) for end in done]
    seconds = time.perf_counter() - started
    own, taken = time.process_time() - own, served.processor_seconds() - before
    for client in clients:
        client.close()
    lost = sum(str(finish).startswith("lost") for finish, _ in ends)
    cut_off = sum(finish != "stop" for finish, _ in ends) - lost
    tokens = sum(tokens for _, tokens in ends)
    return Load(len(ends) - lost, lost, cut_off, tokens, seconds, taken, own)


def _ask(client: openai.OpenAI, question: str, *, stream: bool) -> tuple[str | None, int]:
    answer = client.chat.completions.create(
        model="nano-thinker",
        messages=[{"role": "user", "content": question}],
        temperature=0,
        max_tokens=400,
        stream=stream,
    )
    if not stream:
        return answer.choices[0].finish_reason, answer.usage.completion_tokens
    finish, tokens = None, 0
    for chunk in answer:
        if chunk.choices:
            finish = chunk.choices[0].finish_reason or finish
            tokens += 1
    return finish, tokens


@contextlib.contextmanager
def class_server(folder: Path) -> Iterator[Served]:
    """The class server, as its command opens it."""
    port, file = free_port(), folder / "keys.json"
    command = [sys.executable, "-m", "course_utils.classroom", "serve", "nano-thinker"]
    command += ["--learners", str(LEARNERS), "--port", str(port), "--keys", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = ""
            while "Ctrl-C" not in said:
                line = process.stdout.readline()
                if not line:
                    raise RuntimeError(f"the class server did not open: {said}")
                said += line
            measured = re.search(r"rehearsal: ([\d,.]+) tokens per second together", said)
            keys = KeyRing(file)
            yield Served(
                f"http://127.0.0.1:{port}/v1",
                [keys.key_of(name) for name in keys.names],
                psutil.Process(process.pid),
                float(measured[1].replace(",", "")),
            )
        finally:
            process.terminate()


@contextlib.contextmanager
def llama_cpp_server() -> Iterator[Served]:
    """llama-cpp-python's own server, with its best settings for many: no reply is cut off."""
    port = free_port()
    command = [sys.executable, "-m", "llama_cpp.server", "--model"]
    command += [str(nano_folder() / "thinker.gguf"), "--port", str(port), "--n_threads", "1"]
    command += ["--n_ctx", "1024", "--interrupt_requests", "false", "--verbose", "false"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            address = f"http://127.0.0.1:{port}/v1"
            deadline = time.monotonic() + START_SECONDS
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if httpx.get(f"{address}/models", timeout=2).status_code == 200:
                        break
                if process.poll() is not None:
                    last = process.stderr.read().strip().splitlines()[-1:]
                    raise RuntimeError(f"llama_cpp.server did not start: {' '.join(last)}")
                if time.monotonic() > deadline:
                    raise RuntimeError("llama_cpp.server did not start in time")
                time.sleep(0.2)
            yield Served(address, ["none"] * LEARNERS, psutil.Process(process.pid))
        finally:
            process.terminate()


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder, class_server(Path(folder)) as served:
        rows += _both("class server", served)
    with llama_cpp_server() as served:
        rows += _both("llama_cpp.server", served)
    for ours, theirs in zip(rows[:2], rows[2:], strict=True):
        how = "streamed" if ours["streamed"] else "whole"
        faster, cost = "tokens_per_second", "server_processor_seconds_per_1000_tokens"
        print(
            f"{how} replies: {ours[faster] / theirs[faster]:.1f} times as many tokens per second "
            f"as llama_cpp.server, with {ours[cost] / theirs[cost]:.2f} of its processor time for "
            "each token"
        )
    show_place(write_report("class-server", rows, this_machine()))


def _both(server: str, served: Served) -> list[dict[str, object]]:
    """The load with whole replies, which the rehearsal asks for too, and with streamed ones."""
    rows = []
    for stream in (False, True):
        load = ask_all(served, stream=stream)
        rows.append(load.row(server, stream, None if stream else served.said))
        print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    main()
