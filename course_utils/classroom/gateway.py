"""The class server's pages: the model's own, behind keys and the line, and those of the class.

Only what is named here can be reached.  llama-server's pages that show what others ask (``/slots``)
or change the server are not.  Nothing is logged but faults, and no key or text with them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from importlib import resources

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from course_utils.classroom.answering import (
    LOADING,
    PAUSED,
    Answer,
    Outcome,
    Upstream,
    place_in_words,
)
from course_utils.classroom.asked import (
    CHAT,
    COMPLETION,
    OWN_COMPLETION,
    Refusal,
    read_asked,
    read_body,
)
from course_utils.classroom.board import Board
from course_utils.classroom.keys import TEACHER, KeyRing
from course_utils.classroom.line import Line
from course_utils.classroom.progress import Progress
from course_utils.classroom.shares import Shares
from course_utils.errors import CourseError
from course_utils.secret import Secret

RELOAD_SECONDS = 0.5
"""How soon a change of the keys' file counts."""

SMALL_PAGES = ("/tokenize", "/detokenize", "/apply-template")
"""llama-server's pages that compute nothing with the model."""

SMALL_SECONDS = 30.0

_PAGE = {
    "board.html": "text/html",
    "board.css": "text/css",
    "board.js": "text/javascript",
}
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

Page = Callable[[Request], Awaitable[Response]]


class Gateway:
    """The class as an ASGI application, ``app``.

    context: tokens of one learner's conversation, None where the model server says it itself.
    restart: ends and starts the model server, None where it is not ours.
    """

    def __init__(
        self,
        keys: KeyRing,
        upstream: Upstream,
        line: Line,
        *,
        context: int | None = None,
        restart: Callable[[], Awaitable[None]] | None = None,
    ):
        self.keys = keys
        self.upstream = upstream
        self.line = line
        self.board = Board()
        self.progress = Progress()
        self._context = context
        self._restart = restart
        self._shares = Shares()
        self._live: dict[Answer, Secret] = {}
        self._changing = asyncio.Lock()
        self.app = Starlette(
            routes=self._routes(),
            lifespan=self._lifespan,
            exception_handlers={404: _no_page, 405: _no_page},
        )

    # ---- the model's pages ---------------------------------------------------------------------

    async def _answer(self, page: str, request: Request) -> Response:
        owner = self._owner(request)
        with self._shares.in_hand(owner):
            asked = read_asked(page, await read_body(request))
        answer = Answer(
            asked,
            owner,
            self.line,
            self.upstream,
            on_token=self.board.count_tokens,
            on_end=lambda outcome: self._ended(answer, outcome),
            typical_seconds=self.board.typical_seconds,
        )
        self._live[answer] = Secret(_key_in(request))
        return answer

    def _ended(self, answer: Answer, outcome: Outcome) -> None:
        del self._live[answer]
        self.board.count_reply(outcome)

    async def _models(self, request: Request) -> Response:
        owner = self._owner(request)
        return JSONResponse(await self._from_model(owner, "GET", "/v1/models"))

    async def _properties(self, request: Request) -> Response:
        """What clients need to know of the model; llama-server's own page shows paths as well."""
        found = await self._from_model(self._owner(request), "GET", "/props")
        shown = {name: found[name] for name in ("chat_template", "model_alias") if name in found}
        settings = found.get("default_generation_settings")
        context = self._context or (isinstance(settings, dict) and settings.get("n_ctx")) or None
        # One reply for each request: what a class shares is not to be had several at a time.
        return JSONResponse(
            {**shown, "total_slots": 1, "default_generation_settings": {"n_ctx": context}}
        )

    async def _small(self, page: str, request: Request) -> Response:
        owner = self._owner(request)
        with self._shares.in_hand(owner):
            body = await read_body(request)
            body["model"] = self.upstream.model
            return JSONResponse(await self._from_model(owner, "POST", page, body))

    async def _from_model(
        self, owner: str, method: str, page: str, body: dict | None = None
    ) -> dict:
        """What the model server says to somebody on one of its small pages. Raises Refusal."""
        if self.line.is_held(LOADING):
            raise Refusal(503, "The model is being started; ask again soon.", retry_after=2)
        try:
            async with self._shares.turn(owner):
                response = await self.upstream.client.request(
                    method, page, json=body, timeout=SMALL_SECONDS
                )
            said = response.json()
        except (httpx.HTTPError, ValueError, RecursionError):
            raise Refusal(
                503, "The model's server gives no answer; ask again soon.", retry_after=2
            ) from None
        if response.status_code != 200 or not isinstance(said, dict):
            status = response.status_code if response.status_code >= 400 else 502
            error = said.get("error") if isinstance(said, dict) else None
            words = error.get("message") if isinstance(error, dict) else None
            raise Refusal(status, str(words or "The model's server refuses this request."))
        return said

    # ---- the class's pages ---------------------------------------------------------------------

    async def _me(self, request: Request) -> Response:
        """Where a learner stands: their own requests, and nothing of others'."""
        owner = self._owner(request)
        typical = self.board.typical_seconds()
        return JSONResponse(
            {
                "name": owner,
                "model": self.upstream.model,
                "replies": self.board.replies_of(owner),
                "running": sum(ticket.owner == owner for ticket in self.line.running),
                "waiting": [
                    place_in_words(self.line, ticket, typical)
                    for ticket in self.line.waiting()
                    if ticket.owner == owner
                ],
                "paused": self.line.is_held(PAUSED),
                "results_wanted": self.progress.on,
            }
        )

    async def _share(self, request: Request) -> Response:
        owner = self._owner(request)
        if request.method == "DELETE":
            self.progress.forget(owner)
        else:
            self.progress.note(owner, await read_body(request))
        return JSONResponse({"shared": request.method == "POST"})

    async def _view(self, request: Request) -> Response:
        self._teacher(request)
        return JSONResponse(
            self.board.view(self.upstream.model, self.line, self.keys.names, self.progress)
        )

    async def _pause(self, request: Request) -> Response:
        self._teacher(request)
        if _flag(await read_body(request), "on"):
            self.line.hold(PAUSED)
        else:
            self.line.release(PAUSED)
        return JSONResponse({"paused": self.line.is_held(PAUSED)})

    async def _results(self, request: Request) -> Response:
        self._teacher(request)
        self.progress.switch(_flag(await read_body(request), "on"))
        return JSONResponse({"on": self.progress.on})

    async def _add(self, request: Request) -> Response:
        self._teacher(request)
        name = (await read_body(request)).get("name") or None
        async with self._changing:
            made = await asyncio.to_thread(self.keys.add, name)
        return JSONResponse({"name": made, "key": self.keys.key_of(made)})

    async def _revoke(self, request: Request) -> Response:
        self._teacher(request)
        name = str((await read_body(request)).get("name"))
        async with self._changing:
            await asyncio.to_thread(self.keys.revoke, name)
        self._cut_revoked()
        return JSONResponse({"revoked": name})

    async def _restart_model(self, request: Request) -> Response:
        self._teacher(request)
        if self._restart is None:
            raise Refusal(501, "This model's server is not started here: restart it where it is.")
        await self._restart()
        return JSONResponse({"restarted": True})

    async def _file(self, request: Request) -> Response:
        name = request.path_params.get("file", "board.html")
        if name not in _PAGE:
            raise Refusal(404, "There is no such page here.")
        text = resources.files("course_utils.classroom").joinpath("page", name).read_text("utf-8")
        return Response(text, media_type=_PAGE[name], headers=_PAGE_HEADERS)

    # ---- keys ----------------------------------------------------------------------------------

    def _owner(self, request: Request) -> str:
        """Whose request this is. Raises Refusal for a key that is nobody's."""
        owner = self.keys.owner_of(_key_in(request))
        if owner is None:
            raise Refusal(
                401, "This key is not one of this class's: paste the line you were given again."
            )
        return owner

    def _teacher(self, request: Request) -> None:
        if self._owner(request) != TEACHER:
            raise Refusal(403, "This page is the teacher's.")

    def _cut_revoked(self) -> None:
        """End the replies of those whose key is gone, and forget what they shared and asked."""
        for answer, key in list(self._live.items()):
            if self.keys.owner_of(key.reveal()) != answer.owner:
                answer.revoke()
        here = {*self.keys.names, TEACHER}
        for owner in self.progress.owners() - here:
            self.progress.forget(owner)
        self.line.forget_all_but(here)

    async def _watch_keys(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            # A file that cannot be read now leaves the keys as they were.
            with contextlib.suppress(CourseError, OSError):
                if self.keys.reload():
                    self._cut_revoked()

    # ---- the application -----------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette):
        watching = asyncio.create_task(self._watch_keys())
        try:
            yield
        finally:
            watching.cancel()

    def _routes(self) -> list[Route]:
        async def home(_request: Request) -> Response:
            return RedirectResponse("/class/")

        async def health(_request: Request) -> Response:
            return JSONResponse({"status": "loading" if self.line.is_held(LOADING) else "ok"})

        table: list[tuple[str, str, Page]] = [
            # The page that is passed on is one of these, whatever a request calls it.
            *(
                ("POST", page, partial(self._answer, page))
                for page in (CHAT, COMPLETION, OWN_COMPLETION)
            ),
            *(("POST", page, partial(self._small, page)) for page in SMALL_PAGES),
            ("GET", "/v1/models", self._models),
            ("GET", "/props", self._properties),
            ("GET", "/", home),
            ("GET", "/health", health),
            ("GET", "/class/", self._file),
            ("GET", "/class/{file}", self._file),
            ("GET", "/class/api/me", self._me),
            ("POST", "/class/api/share", self._share),
            ("DELETE", "/class/api/share", self._share),
            ("GET", "/class/api/board", self._view),
            ("POST", "/class/api/pause", self._pause),
            ("POST", "/class/api/results", self._results),
            ("POST", "/class/api/add", self._add),
            ("POST", "/class/api/revoke", self._revoke),
            ("POST", "/class/api/restart", self._restart_model),
        ]
        return [Route(path, _guarded(page), methods=[method]) for method, path, page in table]


def _guarded(page: Page) -> Page:
    """The page, with whatever it refuses said in the form of OpenAI's API."""

    async def guarded(request: Request) -> Response:
        try:
            return await page(request)
        except Refusal as refusal:
            headers = {}
            if refusal.retry_after is not None:
                headers["Retry-After"] = str(round(refusal.retry_after))
            return JSONResponse(refusal.as_json(), refusal.status, headers=headers)
        except CourseError as error:
            refusal = Refusal(400, f"{error.problem} {error.remedy}")
            return JSONResponse(refusal.as_json(), 400)
        except RecursionError:
            return JSONResponse(Refusal(400, "This request is nested too deeply.").as_json(), 400)

    return guarded


async def _no_page(_request: Request, _error: Exception) -> Response:
    return JSONResponse(Refusal(404, "There is no such page here.").as_json(), 404)


def _key_in(request: Request) -> str:
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""


def _flag(body: dict, name: str) -> bool:
    if not isinstance(body.get(name), bool):
        raise Refusal(400, f"{name} is true or false.")
    return body[name]
