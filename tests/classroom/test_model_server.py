"""Is the model server started as planned, watched, and started again?"""

import asyncio
import os
import socket
import stat
import sys

import httpx
import pytest

from course_utils.classroom import __main__ as command
from course_utils.classroom import model_server
from course_utils.classroom.capacity import plan_class
from course_utils.classroom.model_server import ModelServer, ModelSettings, find_program
from course_utils.errors import MachineError, ModelLoadError
from course_utils.machine import GraphicsCard, Machine
from course_utils.secret import Secret
from course_utils.units import GIB
from tests.tiny_models import markov_model, tiny_model

needs_xllamacpp = pytest.mark.skipif(
    model_server.importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp has no wheel here"
)


@pytest.fixture(scope="module")
def markov(tmp_path_factory):
    return markov_model(tmp_path_factory.mktemp("models") / "markov.gguf").path


def settings(path, **changes):
    return ModelSettings(path, "markov", **{"slots": 2, "context": 256, "batch": 512} | changes)


@needs_xllamacpp
def test_it_serves_what_was_planned_and_its_own_pages_are_closed(markov):
    async def look():
        server = ModelServer(settings(markov))
        await server.start()
        try:
            headers = {"Authorization": f"Bearer {server.key.reveal()}"}
            async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
                properties = (await client.get("/props")).json()
                models = (await client.get("/v1/models")).json()
                slots = (await client.get("/slots")).status_code
                metrics = (await client.get("/metrics")).status_code
            async with httpx.AsyncClient(base_url=server.url) as stranger:
                unknown = (await stranger.get("/v1/props")).status_code
                unknown = unknown, (await stranger.post("/v1/chat/completions")).status_code
            return properties, models, slots, metrics, unknown
        finally:
            await server.stop()

    properties, models, slots, metrics, unknown = asyncio.run(look())
    assert properties["total_slots"] == 2
    assert properties["default_generation_settings"]["n_ctx"] == 256
    assert models["data"][0]["id"] == "markov" and models["data"][0]["owned_by"] == "llamacpp"
    assert slots in (403, 501) and metrics in (403, 501) and unknown[1] == 401


@needs_xllamacpp
def test_a_model_server_that_is_killed_comes_back_at_the_same_address(markov, monkeypatch):
    monkeypatch.setattr(model_server, "PAUSES", (0.05,))
    states = []

    async def kill():
        server = ModelServer(settings(markov), on_change=states.append)
        await server.start()
        try:
            url = server.url
            server._process.kill()
            while server.starts < 2 or not server.ready:
                await asyncio.sleep(0.05)
            assert server.url == url
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"{url}/health")).status_code == 200
        finally:
            await server.stop()

    asyncio.run(asyncio.wait_for(kill(), 60))
    assert states == [True, False, True, False]


@needs_xllamacpp
def test_it_ends_with_whoever_started_it(markov):
    """A kernel or terminal that is killed leaves no model in memory."""

    async def orphan():
        server = ModelServer(settings(markov))
        await server.start()
        server._keeping.cancel()
        server._process.stdin.close()
        await asyncio.wait_for(server._process.wait(), 10)
        await server.stop()

    asyncio.run(orphan())


@needs_xllamacpp
def test_a_model_that_does_not_load_is_one_message_in_llama_cpps_words(tmp_path):
    broken = tiny_model(tmp_path / "broken.gguf")
    broken.write_bytes(broken.read_bytes()[:5000])
    server = ModelServer(settings(broken))

    async def start():
        try:
            await server.start()
        finally:
            await server.stop()

    with pytest.raises(ModelLoadError, match=r"does not start with broken\.gguf") as error:
        asyncio.run(asyncio.wait_for(start(), 60))
    assert "says nothing" not in str(error.value) and server.key.reveal() not in str(error.value)


@needs_xllamacpp
def test_a_port_that_was_taken_in_the_meantime_is_given_up(markov, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        taken = somebody.getsockname()[1]
        ports = [taken, model_server.free_port()]
        monkeypatch.setattr(model_server, "free_port", lambda: ports.pop(0))

        async def start():
            server = ModelServer(settings(markov))
            assert server.port == taken
            try:
                await server.start()
                return server.ready, server.port
            finally:
                await server.stop()

        ready, port = asyncio.run(asyncio.wait_for(start(), 60))
    assert ready and port != taken and not ports


@needs_xllamacpp
def test_a_card_that_the_server_cannot_use_is_not_planned_with():
    card = GraphicsCard("a card", 24 * GIB, 900e9)
    machine = Machine(8, 64 * GIB, 60 * GIB, 60e9, 100 * GIB, card=card)
    devices = model_server.importlib.import_module("xllamacpp").get_device_info()
    seen = any(device["type"].name.endswith("GPU") for device in devices)
    assert (model_server.machine_of_server(machine).card is not None) == seen


@pytest.mark.parametrize(("cores", "slots", "each"), [(2, 16, [8, 8]), (3, 8, [3, 3, 2]),
    (64, 16, [4, 4, 4, 4]), (8, 2, [1, 1]), (1, 16, [16])])  # fmt: skip
def test_a_small_model_is_run_once_for_each_core(monkeypatch, cores, slots, each):
    monkeypatch.setattr(command, "usable_cores", lambda: cores)
    planned = command.model_settings(plan_class("nano-thinker", 30, slots=slots))
    dealt = planned.dealt_out()
    assert [server.slots for server in dealt] == each
    assert all(server.threads == 1 and server.servers == 1 for server in dealt)


def test_a_large_model_is_run_once_on_all_cores(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "usable_cores", lambda: 16)
    monkeypatch.setattr(command, "model_path", lambda name: tmp_path / f"{name}.gguf")
    workstation = Machine(16, 128 * GIB, 120 * GIB, 90e9, 100 * GIB)
    planned = command.model_settings(plan_class("qwq-32b", 30, machine=workstation))
    (alone,) = planned.dealt_out()
    assert alone == planned and (alone.threads, alone.slots) == (16, 16)


def test_without_any_server_the_message_says_how_to_get_one(monkeypatch, tmp_path):
    monkeypatch.setattr(model_server.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError, match="not installed") as error:
        find_program(settings(tmp_path / "x.gguf"), 1, Secret("key"))
    assert "--group classroom" in error.value.remedy and "llama-server" in error.value.remedy


def test_keys_stand_on_no_command_line(markov):
    for program in (
        find_program(settings(markov), 1234, Secret("the-key")),
        model_server.Program(["llama-server"], {"LLAMA_API_KEY": "the-key"}),
    ):
        assert not any("the-key" in part for part in program.command)
        assert "the-key" not in repr(program)


PRETENDER = """#!{python}
import http.server, json, os, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(dict(os.environ)).encode()
        self.send_response(200); self.end_headers(); self.wfile.write(body)
    def log_message(self, *_): pass
address = os.environ["LLAMA_ARG_HOST"], int(os.environ["LLAMA_ARG_PORT"])
http.server.HTTPServer(address, Page).serve_forever()
"""


@pytest.mark.skipif(os.name == "nt", reason="a script is no program on Windows")
def test_an_installed_llama_server_is_used_where_there_is_no_package(monkeypatch, tmp_path):
    """With a script that only says what it was told: llama-server itself is not here."""
    script = tmp_path / "llama-server"
    script.write_text(PRETENDER.format(python=sys.executable))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(model_server.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))

    async def look():
        server = ModelServer(settings(tmp_path / "m.gguf", kv_type="q8_0", slots=4))
        await server.start()
        try:
            async with httpx.AsyncClient() as client:
                return server.key.reveal(), (await client.get(server.url)).json()
        finally:
            await server.stop()

    key, told = asyncio.run(asyncio.wait_for(look(), 30))
    assert told["LLAMA_API_KEY"] == key and told["LLAMA_ARG_HOST"] == "127.0.0.1"
    assert told["LLAMA_ARG_CTX_SIZE"] == "1024" and told["LLAMA_ARG_N_PARALLEL"] == "4"
    assert told["LLAMA_ARG_FLASH_ATTN"] == "on" and told["LLAMA_ARG_CACHE_TYPE_V"] == "q8_0"
    assert told["LLAMA_ARG_ENDPOINT_SLOTS"] == told["LLAMA_ARG_CACHE_RAM"] == "0"
