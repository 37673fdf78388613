"""Warehouse over HTTP: sign-in, sessions and uploads around fakesnow's own handlers.

fakesnow 0.12 checks no password, inserts names from the sign-in into SQL unquoted, lets a client choose the database's
file, and accepts uploads from anyone. Here a request needs a session's token, and a session needs the secret.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit
from weakref import WeakValueDictionary

from rtlib import private
from rtlib.run_state import WAREHOUSE_USER

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

LOG = logging.getLogger(__name__)
SIGN_IN = "/session/v1/login-request"
UPLOADS = "/fs_bucket/"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,254}")
SIGN_IN_NAMES = ("databaseName", "schemaName", "roleName", "warehouse")
STATEMENT_CHARACTERS = 1_048_576  # the same as Snowflake's limit
MESSAGE_CHARACTERS = 1_000
# Snowflake's error codes.
COULD_NOT_RUN, NO_TOKEN, UNKNOWN_TOKEN, WRONG_PASSWORD, UNKNOWN_OBJECT = (
    "000603",
    "390103",
    "390104",
    "390100",
    "390201",
)
# With the first, fakesnow opens a database file outside the sandbox; it runs the second as regular expressions.
REFUSED_PARAMETERS = frozenset({"FAKESNOW_DB_PATH", "nop_regexes"})


class Refused(Exception):
    """A sign-in or a statement that gets an error as its answer.

    Args:
        message: What is wrong.
        code: Snowflake's error code.
        status: The HTTP status; the connector shows the message of a 200 only.
    """

    def __init__(self, message: str, *, code: str, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class CheckedHandlers:
    """fakesnow's handlers, each behind a check of its input.

    Args:
        server: The module ``fakesnow.server``.
        secret: The password that opens a session.
        databases: Names of the open databases, in upper case; no others can be opened.
        stages: Folder of the uploaded files.
        damage: Describes the damage of the database's file, for the client; empty while there is none.
    """

    def __init__(
        self,
        server: Any,
        *,
        secret: str,
        databases: Collection[str],
        stages: Path,
        damage: Callable[[], str] = lambda: "",
    ) -> None:
        self._server = server
        self._credentials = f"{WAREHOUSE_USER}\n{secret}".encode()
        self._databases = frozenset(databases)
        self._stages = stages
        self._damage = damage
        self._ticket_key = secrets.token_bytes(32)

    def application(self) -> Any:
        """The routes; fakesnow's other routes need no check and stay unchanged."""
        from starlette.applications import Starlette
        from starlette.routing import Route

        checked = [
            Route(SIGN_IN, self._sign_in, methods=["POST"]),
            Route("/queries/v1/query-request", self._statement, methods=["POST"]),
            Route(UPLOADS + "{ticket}/{path:path}", self._upload, methods=["PUT"]),
        ]
        paths = {SIGN_IN, "/queries/v1/query-request", UPLOADS + "{path:path}"}
        return Starlette(routes=[*checked, *(route for route in self._server.routes if route.path not in paths)])

    async def _sign_in(self, request: Request) -> Response:
        """Open a session. The answer has a master token; without it the connector never closes the session."""
        try:
            body = _object(await request.body())
            self._check_sign_in(request, body)
            answer = json.loads((await self._server.login_request(request)).body)
        except Refused as refused:
            return _refusal(refused)
        except Exception as error:
            LOG.warning("a sign-in failed", exc_info=error)
            return _refusal(Refused(f"{type(error).__name__}: {error}", code=COULD_NOT_RUN))
        answer["data"]["masterToken"] = answer["data"]["token"]
        return _json(answer)

    def _check_sign_in(self, request: Request, body: dict[str, Any]) -> None:
        data = body.get("data")
        data = data if isinstance(data, dict) else {}
        credentials = f"{data.get('LOGIN_NAME')}\n{data.get('PASSWORD')}".encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(credentials, self._credentials):
            raise Refused("incorrect username or password was specified", code=WRONG_PASSWORD, status=403)
        if damage := self._damage():
            raise Refused(damage, code=WRONG_PASSWORD)
        for name in SIGN_IN_NAMES:
            for value in request.query_params.getlist(name):
                if value and not NAME.fullmatch(value):
                    raise Refused(f"{name} {value[:80]!r} is not a plain identifier", code=UNKNOWN_OBJECT)
        for value in filter(None, request.query_params.getlist("databaseName")):
            if value.upper() not in self._databases:
                names = ", ".join(sorted(self._databases))
                raise Refused(f"there is no database {value}; the local warehouse has {names}", code=UNKNOWN_OBJECT)
        parameters = data.get("SESSION_PARAMETERS")
        if not isinstance(parameters, dict) or not isinstance(parameters.get("AUTOCOMMIT", True), bool):
            raise Refused("SESSION_PARAMETERS must be an object with a boolean AUTOCOMMIT", code=COULD_NOT_RUN)
        if refused := REFUSED_PARAMETERS & parameters.keys():
            raise Refused(
                f"the local warehouse does not accept the session parameter {min(refused)}", code=COULD_NOT_RUN
            )

    async def _statement(self, request: Request) -> Response:
        """Run a statement; a failure is a normal answer, because the connector retries an HTTP 500 for minutes."""
        try:
            text = _object(await request.body()).get("sqlText")
            if not isinstance(text, str) or len(text) > STATEMENT_CHARACTERS:
                message = f"sqlText must be a text of at most {STATEMENT_CHARACTERS:,} characters"
                raise Refused(message, code=COULD_NOT_RUN)
            answer: Response = await self._server.query_request(request)
        except Refused as refused:
            return _refusal(refused)
        except Exception as error:
            LOG.warning("a statement failed", exc_info=error)
            return _refusal(Refused(f"{type(error).__name__}: {error}", code=COULD_NOT_RUN))
        if answer.status_code == 500:
            message = json.loads(bytes(answer.body))["message"]
            return _refusal(Refused(str(message), code=COULD_NOT_RUN))
        return self._with_ticket(answer)

    def _with_ticket(self, answer: Response) -> Response:
        """Add an unguessable ticket to the upload address in the answer to a PUT."""
        if b'"presignedUrl"' not in bytes(answer.body):
            return answer
        content = json.loads(bytes(answer.body))
        stage = (content.get("data") or {}).get("stageInfo") or {}
        url = urlsplit(stage.get("presignedUrl", ""))
        path = unquote(url.path).removeprefix(UPLOADS)
        if not url.netloc:
            return answer
        stage["presignedUrl"] = f"http://{url.netloc}{UPLOADS}{self._ticket(path)}/{quote(path)}"
        return _json(content)

    def _ticket(self, path: str) -> str:
        return hmac.new(self._ticket_key, path.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    async def _upload(self, request: Request) -> Response:
        """Store an uploaded file on a stage."""
        from starlette.concurrency import run_in_threadpool

        path = request.path_params["path"]
        ticket = request.path_params["ticket"].encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(ticket, self._ticket(path).encode()):
            return _refusal(Refused("the upload address has no valid ticket", code=UNKNOWN_TOKEN, status=403))
        try:
            file = await run_in_threadpool(open_within, self._stages, path)
        except (OSError, ValueError) as error:
            return _refusal(Refused(f"cannot store {path[:80]!r}: {error}", code=COULD_NOT_RUN, status=400))
        with file:
            async for part in request.stream():
                file.write(part)
        return _json({})


def open_within(folder: Path, path: str) -> Any:
    """Open a file under ``folder`` for writing, and create missing folders.

    Raises:
        ValueError: The path leads out of the folder, or is not a valid path.
        OSError: The file cannot be written, for example because it is a folder.
    """
    target = (folder / path).resolve()
    if not target.is_relative_to(folder.resolve()) or path.startswith("/"):
        raise ValueError("the path leads out of the stage")
    private.make_folder(target.parent)
    return target.open("wb")


class SessionMiddleware:
    """Checks and serialises the requests of each session.

    - A request without a session's token reaches only the sign-in and, with its ticket, an upload.
    - The time of each session's last request is recorded, for ``close_idle_sessions``.
    - A session runs one request at a time: fakesnow mixes up the answers when two threads share a connection.
    - A session closed by its client is closed here: fakesnow only forgets it, while Snowflake rolls back its
      transaction.

    Args:
        app: The application.
        sessions: The server's sessions by token.
        last_used: Receives the time of each token's last use, in seconds of ``time.monotonic``.
    """

    def __init__(self, app: Any, sessions: dict[str, Any], last_used: dict[str, float]) -> None:
        self._app = app
        self._sessions = sessions
        self._last_used = last_used
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass one request on, or answer 401."""
        header = dict(scope.get("headers", ())).get(b"authorization", b"")
        token = header.decode("latin-1")[17:-1]  # Snowflake Token="..."
        session = self._sessions.get(token)
        if session is None:
            app = self._app if _needs_no_session(scope) else _no_session(token)
            await app(scope, receive, send)
            return
        self._last_used[token] = time.monotonic()
        lock = self._locks.setdefault(token, asyncio.Lock())
        async with lock:
            if scope["path"] == "/session" and b"delete=true" in scope["query_string"]:
                self._last_used.pop(token, None)
                session.close()
            await self._app(scope, receive, send)
            if token in self._last_used:  # a long statement does not count as idle time
                self._last_used[token] = time.monotonic()


def _needs_no_session(scope: Any) -> bool:
    if scope["type"] == "lifespan":
        return True
    path: str = scope["path"]
    method: str = scope.get("method", "")
    return (method == "POST" and path == SIGN_IN) or (method == "PUT" and path.startswith(UPLOADS))


def _no_session(token: str) -> Response:
    code = UNKNOWN_TOKEN if token else NO_TOKEN
    return _refusal(Refused("the session does not exist; sign in again", code=code, status=401))


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise Refused("the body must be a JSON object", code=COULD_NOT_RUN, status=400)
    return content


def _refusal(refused: Refused) -> Response:
    message = str(refused)[:MESSAGE_CHARACTERS]
    content = {"data": None, "code": refused.code, "message": message, "success": False, "headers": None}
    return _json(content, status=refused.status)


def _json(content: dict[str, Any], *, status: int = 200) -> Response:
    """In ASCII, so that a lone surrogate in a message can be sent."""
    from starlette.responses import Response

    return Response(json.dumps(content), status_code=status, media_type="application/json")
