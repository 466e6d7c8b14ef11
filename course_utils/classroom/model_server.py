"""The model behind the gateway: llama.cpp's own server, started, watched and started again.

It comes with the package ``xllamacpp``, or is an installed ``llama-server``.  Either listens on
this machine alone, with a key that only the gateway knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from course_utils.errors import MachineError, ModelLoadError
from course_utils.machine import Machine
from course_utils.network import free_port, harmless
from course_utils.secret import Secret

LOAD_SECONDS = 1800.0
"""How long a model may take to load: 20 GB from a slow disk take minutes."""

PORT_TAKEN = "HTTP server error"
"""What llama.cpp's last words hold where somebody took its port after it was drawn."""

PAUSES = (1.0, 2.0, 5.0, 15.0, 60.0)
"""Seconds before each attempt to start a server again that has ended."""

STEADY_SECONDS = 120.0
"""A server that has run so long has started well; the pauses begin anew."""

END_SECONDS = 5.0

BINARY = "llama-server"


@dataclass(frozen=True)
class ModelSettings:
    """How llama.cpp's server is to run a model; ``context`` is that of one slot, in tokens.

    servers: how many such servers share the slots.
    """

    path: Path
    name: str
    slots: int
    context: int
    kv_type: str = "f16"
    threads: int = 1
    batch: int = 64
    gpu_layers: int = 0
    servers: int = 1

    def dealt_out(self) -> list[ModelSettings]:
        """The settings of each of the servers, among which the slots are dealt out by turns."""
        return [
            replace(self, servers=1, slots=len(range(number, self.slots, self.servers)))
            for number in range(self.servers)
        ]


@dataclass(frozen=True)
class Program:
    """A way to run llama.cpp's server: what to start, and how it is told its settings."""

    command: list[str]
    environment: dict[str, str] = field(repr=False, default_factory=dict)
    first_line: str = field(repr=False, default="")


def find_program(settings: ModelSettings, port: int, key: Secret) -> Program:
    """How to run the server here: with xllamacpp, or else an installed ``llama-server``.

    Raises MachineError where there is neither.
    """
    if importlib.util.find_spec("xllamacpp") is not None:
        said = {
            "path": str(settings.path),
            "name": settings.name,
            "slots": settings.slots,
            "context": settings.context,
            "kv_type": settings.kv_type,
            "threads": settings.threads,
            "batch": settings.batch,
            "gpu_layers": settings.gpu_layers,
            "port": port,
            "key": key.reveal(),
        }
        command = [sys.executable, "-m", "course_utils.classroom.llama_process"]
        return Program(command, first_line=json.dumps(said) + "\n")
    if binary := shutil.which(BINARY):
        return Program([binary], _binary_environment(settings, port, key))
    raise MachineError(
        "llama.cpp's server is not installed here.",
        "Run `python -m pip install --group classroom` (pip 25.1 or newer), or install "
        "llama-server: brew install llama.cpp, winget install llama.cpp, or conda install -c "
        "conda-forge llama.cpp.",
    )


def machine_of_server(machine: Machine) -> Machine:
    """The machine as llama.cpp's server can use it: xllamacpp's usual wheels know no card."""
    if machine.card is None or importlib.util.find_spec("xllamacpp") is None:
        return machine
    import xllamacpp

    kinds = xllamacpp.ggml_backend_dev_type
    cards = (kinds.GGML_BACKEND_DEVICE_TYPE_GPU, kinds.GGML_BACKEND_DEVICE_TYPE_IGPU)
    if any(device["type"] in cards for device in xllamacpp.get_device_info()):
        return machine
    return replace(machine, card=None)


class ModelServer:
    """llama.cpp's server in a process of its own, kept running.

    ``ready``: whether it answers now.  ``on_change(ready)`` is called whenever that changes.
    """

    def __init__(
        self, settings: ModelSettings, *, on_change: Callable[[bool], None] = lambda ready: None
    ):
        self.settings = settings
        self.key = Secret(secrets.token_urlsafe(24))
        self._draw_port()
        self.ready = False
        self.starts = 0
        self._on_change = on_change
        find_program(settings, self.port, self.key)  # rather now than when it is started
        self._process: asyncio.subprocess.Process | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed in stop()
        self._keeping: asyncio.Task | None = None

    def _draw_port(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Load the model, and from then on start the server again whenever it ends.

        Raises ModelLoadError, with llama.cpp's last words, where it does not start.
        """
        try:
            try:
                await self._launch()
            except ModelLoadError as error:
                if PORT_TAKEN not in str(error):
                    raise
                self._draw_port()
                await self._launch()
        except BaseException:
            await self._end()
            raise
        self._keeping = asyncio.create_task(self._keep())

    async def restart(self) -> None:
        """End the server as it is, which starts it again: for one that answers no more."""
        self._set_ready(False)
        await self._end()

    async def stop(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
        self._set_ready(False)
        await self._end()
        self._log.close()

    async def _launch(self) -> None:
        program = find_program(self.settings, self.port, self.key)
        self._log.seek(0)
        self._log.truncate()
        self._process = await asyncio.create_subprocess_exec(
            *program.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, **program.environment},
        )
        self.starts += 1
        if program.first_line:
            self._process.stdin.write(program.first_line.encode())
            with contextlib.suppress(ConnectionError):
                await self._process.stdin.drain()
        await self._wait_until_loaded()
        self._set_ready(True)

    async def _wait_until_loaded(self) -> None:
        """Ask for its health until it has loaded the model."""
        async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
            deadline = asyncio.get_running_loop().time() + LOAD_SECONDS
            while self._process.returncode is None:
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(f"{self.url}/health")).status_code == 200:
                        return
                if asyncio.get_running_loop().time() > deadline:
                    break
                await asyncio.sleep(0.05)
        raise ModelLoadError(
            f"llama.cpp's server does not start with {self.settings.path.name}: "
            f"{self._last_words()}",
            "Try the model by itself first (make chat MODEL=...), then give the class fewer slots "
            "or less context: --slots, --context.",
        )

    async def _keep(self) -> None:
        """Start the server again each time it ends, after longer and longer pauses."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            started = loop.time()
            if self._process is not None:
                await self._process.wait()
            self._set_ready(False)
            failures = 0 if loop.time() - started > STEADY_SECONDS else failures
            await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
            failures += 1
            with contextlib.suppress(ModelLoadError, OSError):
                await self._launch()

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.stdin.close()  # ends llama_process by itself
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), END_SECONDS)
        except TimeoutError:  # some builds ignore it while they are stuck (llama.cpp#27604)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _set_ready(self, ready: bool) -> None:
        if ready != self.ready:
            self.ready = ready
            self._on_change(ready)

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", errors="replace").strip().splitlines()
        telling = [line for line in lines if "error" in line.lower() or "fail" in line.lower()]
        words = harmless(" ".join((telling or lines)[-2:]), secrets=[self.key])
        return words or "it says nothing"


def _binary_environment(settings: ModelSettings, port: int, key: Secret) -> dict[str, str]:
    """llama-server's settings as variables: its older versions ignore those they do not know.

    Source: https://github.com/ggml-org/llama.cpp/tree/master/tools/server, "Usage".
    """
    quantised = settings.kv_type != "f16"
    return {
        "LLAMA_ARG_MODEL": str(settings.path),
        "LLAMA_ARG_ALIAS": settings.name,
        "LLAMA_ARG_HOST": "127.0.0.1",
        "LLAMA_ARG_PORT": str(port),
        "LLAMA_API_KEY": key.reveal(),
        "LLAMA_ARG_N_PARALLEL": str(settings.slots),
        "LLAMA_ARG_CTX_SIZE": str(settings.slots * settings.context),
        "LLAMA_ARG_THREADS": str(settings.threads),
        "LLAMA_ARG_UBATCH": str(settings.batch),
        "LLAMA_ARG_BATCH": str(max(settings.batch, settings.slots)),
        "LLAMA_ARG_N_GPU_LAYERS": str(settings.gpu_layers),
        "LLAMA_ARG_CACHE_TYPE_K": settings.kv_type,
        "LLAMA_ARG_CACHE_TYPE_V": settings.kv_type,
        "LLAMA_ARG_FLASH_ATTN": "on" if quantised else "auto",
        "LLAMA_ARG_REPACK": "0",
        "LLAMA_ARG_CACHE_RAM": "0",
        "LLAMA_ARG_CACHE_IDLE_SLOTS": "0",
        "LLAMA_ARG_KV_UNIFIED": "0",
        "LLAMA_ARG_ENDPOINT_SLOTS": "0",
        "LLAMA_ARG_ENDPOINT_METRICS": "0",
        "LLAMA_ARG_UI": "0",
        "LLAMA_ARG_JINJA": "1",
        "LLAMA_ARG_FIT": "off",
    }
