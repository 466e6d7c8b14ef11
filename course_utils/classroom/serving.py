"""The class server from start to end: model, gateway, rehearsal, and an end that loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvicorn

from course_utils import network
from course_utils.classroom.answering import LOADING, SILENCE_SECONDS, Upstream
from course_utils.classroom.capacity import ClassPlan
from course_utils.classroom.connections import SPARE, ImpatientProtocol
from course_utils.classroom.gateway import Gateway
from course_utils.classroom.keys import KeyRing
from course_utils.classroom.line import Line
from course_utils.classroom.model_server import ModelServer, ModelSettings
from course_utils.classroom.rehearsal import rehearse
from course_utils.classroom.upstream import RelayTransport
from course_utils.errors import CourseError, MachineError, OptionError, ServerError
from course_utils.secret import Secret

FAREWELL_SECONDS = 5
"""How long replies may go on when the server ends."""

LONGEST_PER_LEARNER = 16


@dataclass(frozen=True)
class Place:
    """Where the class is served: this machine alone by default.

    certificate, private_key: PEM files, for https; both or neither.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    certificate: Path | None = None
    private_key: Path | None = None

    @property
    def address(self) -> str:
        """What learners write: without a host's name that means every network of the machine."""
        host = _own_address() if self.host in ("0.0.0.0", "::") else self.host
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}"

    @property
    def open_to_the_network(self) -> bool:
        return not network.is_loopback(self.address)


@dataclass(frozen=True)
class Remote:
    """A model that runs elsewhere, behind an OpenAI-compatible address, with ``slots`` for us."""

    url: str
    slots: int
    key: Secret = field(default_factory=lambda: Secret(""))


Ready = Callable[[Gateway, ClassPlan | None], None]


async def serve_planned(
    plan: ClassPlan,
    settings: ModelSettings,
    keys: KeyRing,
    place: Place,
    *,
    rehearsing: bool = True,
    on_ready: Ready = lambda gateway, plan: None,
) -> None:
    """Serve a model of this machine as planned, until cancelled or told to end by a signal.

    on_ready: called once learners may come, with the plan as the rehearsal measured it.
    Raises MachineError where the port is taken, ModelLoadError where the model does not start.
    """
    line = Line(
        plan.slots,
        per_learner=plan.per_learner,
        longest=plan.longest,
        longest_per_learner=LONGEST_PER_LEARNER,
        servers=settings.servers,
    )
    line.hold(LOADING)

    def changed(_ready: bool) -> None:
        if all(server.ready for server in servers):
            line.forget_caches()
            line.release(LOADING)
        else:
            line.hold(LOADING)

    servers: list[ModelServer] = []

    async def restart() -> None:
        await asyncio.gather(*(server.restart() for server in servers))

    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(_listening(place))
        for each in settings.dealt_out():
            servers.append(ModelServer(each, on_change=changed))
            stack.push_async_callback(servers[-1].stop)
        await asyncio.gather(*(server.start() for server in servers))
        clients = [
            await stack.enter_async_context(_client(server.url, server.key)) for server in servers
        ]
        upstream = Upstream(clients, settings.name, "slots")
        gateway = Gateway(keys, upstream, line, context=plan.context, restart=restart)

        async def ready() -> None:
            measured = plan
            if rehearsing:
                measured = await _rehearsed(plan, line, keys, place)
            on_ready(gateway, measured)

        await _run(gateway, place, listener, ready)


async def serve_remote(
    remote: Remote, learners: int, keys: KeyRing, place: Place, *, on_ready: Ready
) -> None:
    """Serve a model that runs elsewhere; raises ServerError where it cannot be reached."""
    address = network.checked_address(remote.url, example="http://gpu-machine:8000/v1")
    root = address.rstrip("/").removesuffix("/v1")
    line = Line(
        remote.slots,
        per_learner=max(1, remote.slots // 4),
        longest=4 * learners,
        longest_per_learner=LONGEST_PER_LEARNER,
    )
    with _listening(place) as listener:
        async with _client(root, remote.key) as client:
            name, owned_by = await _first_model(client, remote)
            upstream = Upstream([client], name, "salt" if owned_by == "vllm" else "nobody")
            gateway = Gateway(keys, upstream, line)

            async def ready() -> None:
                on_ready(gateway, None)

            await _run(gateway, place, listener, ready)


async def _run(gateway: Gateway, place: Place, listener: socket.socket, ready) -> None:
    """Serve until a signal or a cancellation; ``ready()`` runs once requests are answered."""
    config = uvicorn.Config(
        gateway.app,
        http=ImpatientProtocol,
        ws="none",
        log_level="error",
        access_log=False,
        server_header=False,
        limit_concurrency=4 * (gateway.line.longest + gateway.line.slots) + SPARE,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=FAREWELL_SECONDS,
        ssl_certfile=place.certificate,
        ssl_keyfile=place.private_key,
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not running.done():
            await asyncio.sleep(0.02)
        if not running.done():
            getting_ready = asyncio.create_task(ready())
            await asyncio.wait({running, getting_ready}, return_when=asyncio.FIRST_COMPLETED)
            if not getting_ready.done():
                getting_ready.cancel()
            elif getting_ready.exception() is not None:
                raise getting_ready.exception()
        # Not awaited itself: whoever cancels this would cut it off, and it has to say goodbye.
        await asyncio.wait({running})
    finally:
        server.should_exit = True
        await asyncio.wait({running})
    running.result()


def _client(root: str, key: Secret) -> httpx.AsyncClient:
    """The gateway's client: straight to the model server, past every proxy.

    The line decides how many requests run at a time; nobody waits here a second time.
    """
    headers = {"Accept-Encoding": "identity"}
    if key:
        headers["Authorization"] = f"Bearer {key.reveal()}"
    return httpx.AsyncClient(
        base_url=root,
        headers=headers,
        timeout=httpx.Timeout(SILENCE_SECONDS, connect=10.0),
        transport=RelayTransport(),
        trust_env=False,
        follow_redirects=False,
    )


async def _first_model(client: httpx.AsyncClient, remote: Remote) -> tuple[str, str]:
    """The name of the model that is served there, and who its server says that it is."""
    try:
        response = await client.get("/v1/models", timeout=10.0)
        entry = response.json()["data"][0]
        return str(entry["id"]), str(entry.get("owned_by"))
    except network.NETWORK_ERRORS as error:
        fault = network.explain(error, remote.url, timeout=10.0)
        raise ServerError(fault.problem, fault.remedy) from None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise ServerError(
            f"{remote.url} does not list a model (HTTP status {response.status_code}).",
            "Check its address and its key (--upstream, CLASS_UPSTREAM_KEY), and that it has "
            "loaded a model.",
        ) from None


async def _rehearsed(plan: ClassPlan, line: Line, keys: KeyRing, place: Place) -> ClassPlan:
    """The plan as measured; as it was where the rehearsal fails, which it says."""
    trusted = None
    host = "127.0.0.1" if place.host in ("0.0.0.0", "::") else place.host
    url = f"http://{host}:{place.port}"
    if place.certificate is not None:
        # Its name is the class's, not the loopback's; it is our own server that answers.
        trusted, url = ssl._create_unverified_context(), url.replace("http:", "https:")
    try:
        return await rehearse(plan, line, url, keys.teacher_key, trusted)
    except (CourseError, httpx.HTTPError) as error:
        print(f"The rehearsal failed: {error}")
        return plan


@contextlib.contextmanager
def _listening(place: Place):
    """A socket that listens at the place. Raises MachineError or OptionError where it cannot."""
    for file in (place.certificate, place.private_key):
        if file is not None and not file.is_file():
            raise OptionError(f"There is no file {file.name}.", "Give the path of a PEM file.")
    try:
        family = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((place.host, place.port), family=family, backlog=512)
    except OSError as error:
        raise MachineError(
            f"Nothing can be served at {place.host}:{place.port} ({error.strerror or error}).",
            "Another program may be serving there: choose another port with --port, or an address "
            "of this machine with --host.",
        ) from None
    with listener:
        yield listener


def _own_address() -> str:
    """This machine's address in its network: the one it would use to reach another (none is)."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # for documentation only (RFC 5737); nothing is sent
        return probe.getsockname()[0]
    return socket.gethostname()
