"""A loopback server that misbehaves on request, for faults that a sound server never shows."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODELS = {"object": "list", "data": [{"id": "qwq-32b", "object": "model", "owned_by": "vllm"}]}


class FakeServer:
    """Answers each path with the function set for it: ``server.on["/v1/..."] = answer``.

    An answer takes a ``Request`` and writes to it.  ``server.requests`` keeps what arrived.
    """

    def __init__(self, tls: ssl.SSLContext | None = None):
        self.on: dict[str, Callable[[Request], None]] = {
            "/v1/models": lambda request: request.json(MODELS)
        }
        self.requests: list[Request] = []
        self.released = threading.Event()
        """Set it to let a stalled answer go on."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                request = Request(self, fake)
                fake.requests.append(request)
                fake.on.get(self.path, lambda r: r.json({"error": "no such page"}, 404))(request)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}/v1"
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


class Request:
    """One request: its ``path``, ``headers`` and JSON ``body``, and ways to answer it."""

    def __init__(self, handler: BaseHTTPRequestHandler, server: FakeServer):
        self._handler = handler
        self._server = server
        self.path, self.headers = handler.path, handler.headers
        length = int(handler.headers.get("Content-Length") or 0)
        self.body = json.loads(handler.rfile.read(length)) if length else None

    def text(self, text: str, status: int = 200, kind: str = "text/html", **headers: str) -> None:
        data = text.encode()
        self._handler.send_response(status)
        self._handler.send_header("Content-Type", kind)
        self._handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()
        self._handler.wfile.write(data)

    def json(self, body: object, status: int = 200) -> None:
        self.text(json.dumps(body), status, "application/json")

    def start_stream(self) -> None:
        self._handler.send_response(200)
        self._handler.send_header("Content-Type", "text/event-stream")
        self._handler.end_headers()

    def event(self, body: object) -> None:
        line = body if isinstance(body, str) else json.dumps(body)
        self._handler.wfile.write(f"data: {line}\n\n".encode())
        self._handler.wfile.flush()

    def delta(self, finish: str | None = None, **delta: str) -> None:
        """One chunk of a chat: ``delta(content="Hi")``, ``delta(reasoning_content="Hm")``."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        self.event({"id": "1", "object": "chat.completion.chunk", "choices": [choice]})

    def usage(self, prompt: int, completion: int) -> None:
        counts = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }
        self.event({"id": "1", "object": "chat.completion.chunk", "choices": [], "usage": counts})

    def stall(self) -> None:
        """Send nothing more until the test releases the server."""
        self._server.released.wait(20)

    def cut(self) -> None:
        """Break the connection off, as a dying server does."""
        self._handler.connection.close()
