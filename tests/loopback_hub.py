"""What would a model hub on a bad day do? A small hub on this machine that does it on request.

It serves files as the Hugging Face hub does (``/owner/name/resolve/revision/file`` with its
headers, Range requests, redirects to a storage host, the model API), and can be told to cut, stall,
lie, damage, refuse and change its mind.  ``requests`` records what was asked, headers included.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34


@dataclass(frozen=True)
class Fault:
    """What one answer to a GET for a file does wrong; ``at`` counts bytes from its body's start.

    kinds: ``cut`` (hang up at ``at``), ``stall`` (fall silent at ``at`` until the client goes),
    ``flip`` (one wrong bit at ``at``), ``short`` / ``long`` (announce ``at`` bytes too few / too
    many), ``short_total`` (Content-Range names a file ``at`` bytes shorter), ``ignore_range``
    (200 and the whole file), ``wrong_range`` (a part ``at`` bytes further on), ``status`` (answer
    with the number in ``status``, and ``words`` as its body), ``change`` (the file is another one
    from now on), ``login_page`` (200 and a page), ``compressed`` (claims a Content-Encoding).
    """

    kind: str
    at: int = 0
    status: int = 0
    retry_after: str | None = None
    error_code: str | None = None
    words: bytes = b""


@dataclass
class LoopbackHub:
    """The hub; use as a context manager. ``address`` goes into HF_ENDPOINT.

    ``faults`` are used up one per GET for a file, ``head_faults`` (only of kind ``status``) one
    per HEAD.  With ``storage`` (another LoopbackHub) answers redirect there, as the real hub's do.
    ``stalled`` is set whenever a stall begins.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    head_faults: deque[Fault] = field(default_factory=deque)
    requests: list[dict] = field(default_factory=list)
    revisions: set[str] = field(default_factory=lambda: {"main", COMMIT})
    storage: LoopbackHub | None = None
    redirect_to: str | None = None
    keeps_in_git: bool = False
    states_checksum: bool = True
    stated_size: int | None = None
    changed: bytes | None = None
    bytes_per_second: float | None = None

    def __enter__(self) -> LoopbackHub:
        handler = type("Handler", (_Handler,), {"hub": self})
        self.stalled = threading.Event()
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), handler)
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True
        ).start()
        return self

    def __exit__(self, *_exception) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def etag(self, content: bytes) -> str:
        if self.keeps_in_git:
            return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
        return hashlib.sha256(content).hexdigest()

    def count(self, method: str) -> int:
        return sum(request["method"] == method for request in self.requests)

    def ranges(self) -> list[str | None]:
        """The Range headers of the GETs for files, in order."""
        return [r["headers"].get("range") for r in self.requests if r["method"] == "GET"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address) -> None:
        """Say nothing when a client hangs up: that is what these tests are about."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    hub: LoopbackHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer()

    def log_message(self, *_arguments) -> None:
        pass

    def _answer(self) -> None:
        hub = self.hub
        path = unquote(urlsplit(self.path).path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        hub.requests.append({"method": self.command, "path": path, "headers": headers})
        try:
            if path.startswith("/api/models/"):
                return self._answer_api(path)
            if match := re.fullmatch(r"/[^/]+/[^/]+/resolve/([^/]+)/(.+)", path):
                revision, filename = match.groups()
                if revision not in hub.revisions:
                    return self._refuse(Fault("status", status=404, error_code="RevisionNotFound"))
                if filename not in hub.files:
                    return self._refuse(Fault("status", status=404, error_code="EntryNotFound"))
                return self._answer_file(hub.files[filename], filename)
            self._refuse(Fault("status", status=404, error_code="RepoNotFound"))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _answer_api(self, path: str) -> None:
        """What huggingface_hub's model_info, list_repo_tree and get_paths_info ask for."""
        entries = [
            {
                "type": "file",
                "path": name,
                "size": len(content),
                "oid": "0" * 40,
                "lfs": {
                    "oid": hashlib.sha256(content).hexdigest(),
                    "size": len(content),
                    "pointerSize": 134,
                },
            }
            for name, content in self.hub.files.items()
        ]
        if "/tree/" in path or "/paths-info/" in path:
            return self._send_json(entries)
        name = re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/.+)?", path)[1]
        siblings = [{"rfilename": entry["path"]} for entry in entries]
        self._send_json({"id": name, "_id": "1", "sha": COMMIT, "siblings": siblings})

    def _send_json(self, content) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, fault: Fault) -> None:
        self.send_response(fault.status)
        if fault.retry_after is not None:
            self.send_header("Retry-After", fault.retry_after)
        if fault.error_code is not None:
            self.send_header("X-Error-Code", fault.error_code)
        self.send_header("Content-Length", str(len(fault.words)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(fault.words)

    def _describe(self, content: bytes) -> None:
        self.send_header("X-Repo-Commit", COMMIT)
        if self.hub.states_checksum and not self.hub.keeps_in_git:
            size = len(content) if self.hub.stated_size is None else self.hub.stated_size
            self.send_header("X-Linked-Etag", f'"{self.hub.etag(content)}"')
            self.send_header("X-Linked-Size", str(size))

    def _answer_file(self, content: bytes, filename: str) -> None:
        hub, is_get = self.hub, self.command == "GET"
        queue = hub.faults if is_get else hub.head_faults
        # With a storage host, faults happen there: this answer only redirects.
        fault = queue.popleft() if queue and not (is_get and hub.storage) else Fault("none")
        if fault.kind == "change":
            hub.files[filename] = content = hub.changed
        if fault.kind == "status":
            return self._refuse(fault)
        if hub.storage is not None or hub.redirect_to is not None:
            self.send_response(302)
            target = hub.redirect_to or hub.storage.address + self.path + "?signature=secret"
            self.send_header("Location", target)
            self._describe(content)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self._send_file(content, fault)

    def _send_file(self, content: bytes, fault: Fault) -> None:
        size = len(content)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        first, last = 0, size - 1
        if fault.kind == "login_page":
            content, size, asked = b"<html>Please log in</html>", 26, None
            last = size - 1
        if asked and fault.kind != "ignore_range":
            first, last = int(asked[1]), min(int(asked[2] or last), last)
            if first >= size:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            if fault.kind == "wrong_range":
                first = min(first + fault.at, last)
            self.send_response(206)
            total = size - fault.at if fault.kind == "short_total" else size
            self.send_header("Content-Range", f"bytes {first}-{last}/{total}")
        else:
            self.send_response(200)
        body = bytearray(content[first : last + 1])
        announced = len(body)
        if fault.kind == "short":
            announced = max(0, announced - fault.at)
        if fault.kind == "long":
            announced += fault.at
        if fault.kind == "flip" and body:
            body[min(fault.at, len(body) - 1)] ^= 0x10
        if fault.kind == "compressed":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(announced))
        if self.hub.states_checksum:
            self.send_header("ETag", f'"{self.hub.etag(content)}"')
        self._describe(content)
        self.end_headers()
        if self.command == "HEAD":
            return
        self._send_body(bytes(body), fault)

    def _send_body(self, body: bytes, fault: Fault) -> None:
        if fault.kind in ("cut", "stall"):
            body = body[: fault.at]
        pace = self.hub.bytes_per_second
        step = 65536 if pace is None else max(1, int(pace / 50))
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            if pace is not None:
                time.sleep(step / pace)
        if fault.kind in ("stall", "long"):
            self.wfile.flush()
            self.hub.stalled.set()
            self._wait_for_goodbye()
        if fault.kind in ("cut", "stall", "short", "long"):
            self.close_connection = True

    def _wait_for_goodbye(self) -> None:
        """Stay silent until the client hangs up or the hub closes."""
        self.connection.settimeout(0.02)
        while not self.hub.closing.is_set():
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue
            except OSError:
                return
