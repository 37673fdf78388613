"""Connection: Snowflake, or fakesnow on a laptop, by the same connector."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, wait_fixed

from rtlib.config import Settings
from rtlib.errors import ConfigError, ServiceError, WarehouseDamaged, WarehouseError, WarehouseUnreachable
from rtlib.run_state import WAREHOUSE_USER

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

Result = TypeVar("Result")
LOCAL_ACCOUNT = "fakesnow"
LOCAL_HOST = "127.0.0.1"
LOCAL_RETRY_SECONDS = 2
LOCAL_CURE = "rtlib status; rtlib up"
# Snowflake's numbers for a token it does not know or that has run out, the connector's for a closed connection.
SESSION_GONE = frozenset({390103, 390104, 390108, 390111, 390112, 390114, 250002})
RIDE_OUT_SECONDS = 20.0  # a local warehouse that was killed is back within a few seconds


def connect(settings: Settings) -> SnowflakeConnection:
    """Open a connection.

    Raises:
        ConfigError: A Snowflake account is set without a user, or without a key pair or token.
        WarehouseUnreachable: The warehouse does not answer.
        WarehouseDamaged: The local warehouse's file cannot be read.
        WarehouseError: It refuses the sign-in.
    """
    import snowflake.connector
    from snowflake.connector.errors import Error

    # What matters of these is in the error that is raised.
    for name in ("snowflake.connector", "snowflake.connector.vendored.urllib3", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    where = "the local warehouse" if settings.local_warehouse else f"Snowflake account {settings.snowflake_account}"
    try:
        options = _local(settings) if settings.local_warehouse else _snowflake(settings)
        connection = snowflake.connector.connect(**{**_common(settings), **options})
    except (Error, OSError) as error:
        if _is_unreachable(error):
            raise WarehouseUnreachable(f"{where} does not answer: {_said(error)}", cure=_cure(settings)) from error
        if settings.local_warehouse and WarehouseDamaged.is_meant_by(str(error)):
            raise WarehouseDamaged(_damage_in(error), cure=WarehouseDamaged.CURE) from error
        raise WarehouseError(f"{where} refused the sign-in: {_said(error)}", cure=_sign_in_cure(settings)) from error
    connection.errorhandler = _raise_but_in_timers
    return connection


def execute(connection: SnowflakeConnection, sql: str, parameters: Sequence[object] = ()) -> int:
    """Run a statement and return how many rows it touched (-1 where the warehouse does not say).

    Raises:
        WarehouseDamaged: The local warehouse's file cannot be read there.
        WarehouseError: The warehouse refused it or did not answer.
    """
    return int(_run(connection, sql, parameters).rowcount or 0)


def query(connection: SnowflakeConnection, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
    """Run a query and return its rows, each a mapping by lower-case column name.

    Raises:
        WarehouseError: The warehouse refused it or did not answer.
    """
    cursor = _run(connection, sql, parameters)
    names = [column.name.lower() for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def transaction(connection: SnowflakeConnection) -> Iterator[None]:
    """All statements of the block, or none of them."""
    try:
        execute(connection, "begin")
        yield
        execute(connection, "commit")
    except BaseException:
        with suppress(WarehouseError):  # when the session is gone, so is its transaction
            execute(connection, "rollback")
        raise


class Warehouse:
    """A connection for a long-lived process: opened when needed, and opened anew when it broke.

    A warehouse that starts again knows none of its old sessions, so work that fails is tried on a new one: for a
    while when the warehouse does not answer, once when it refused a statement. Only work that may be repeated
    belongs here. One thread at a time uses it; the others wait.
    """

    def __init__(self, settings: Settings, *, ride_out_seconds: float = RIDE_OUT_SECONDS) -> None:
        self._settings = settings
        self._ride_out = ride_out_seconds
        self._connection: SnowflakeConnection | None = None
        self._lock = threading.Lock()

    def run(self, work: Callable[[SnowflakeConnection], Result]) -> Result:
        """Do some work on the connection.

        Raises:
            WarehouseUnreachable: The warehouse did not answer in all that time.
            WarehouseError: It refused a statement twice.
        """
        refused = stop_after_attempt(2)
        silent = stop_after_delay(self._ride_out)

        def enough(state: RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            return silent(state) if isinstance(error, WarehouseUnreachable) else refused(state)

        retrying = Retrying(
            retry=retry_if_exception_type(WarehouseError), wait=wait_fixed(0.5), stop=enough, reraise=True
        )
        with self._lock:
            result: Result = retrying(self._try, work)
            return result

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(Exception):  # a broken one is being thrown away
                connection.close()

    def _try(self, work: Callable[[SnowflakeConnection], Result]) -> Result:
        if self._connection is None:
            self._connection = connect(self._settings)
        try:
            return work(self._connection)
        except WarehouseError:
            self.close()
            raise


def _run(connection: SnowflakeConnection, sql: str, parameters: Sequence[object]) -> Any:
    from snowflake.connector.errors import Error

    cursor = connection.cursor()
    try:
        return cursor.execute(sql, tuple(parameters) or None)
    except Error as error:
        kind = " ".join(sql.split()[:3])
        local = connection.account == LOCAL_ACCOUNT
        if _is_unreachable(error):
            cure = LOCAL_CURE if local else "check the network; the statement may be tried again"
            raise WarehouseUnreachable(f"no answer to '{kind} …': {_said(error)}", cure=cure) from error
        if local and WarehouseDamaged.is_meant_by(str(error)):
            raise WarehouseDamaged(f"'{kind} …' failed: {_said(error)}", cure=WarehouseDamaged.CURE) from error
        cure = "rtlib logs warehouse" if local else "check the role's rights and the query history"
        raise WarehouseError(f"the warehouse refused '{kind} …': {_said(error)}", cure=cure) from error


def _common(settings: Settings) -> dict[str, object]:
    seconds = settings.warehouse_timeout_seconds
    return {
        "database": settings.snowflake_database,
        "application": "rtlib",
        # Values travel beside the statement, never inside it.
        "paramstyle": "qmark",
        "network_timeout": seconds,
        "login_timeout": seconds,
        # TIMESTAMP_NTZ columns hold UTC, so "now" has to be UTC too.
        "session_parameters": {"TIMEZONE": "UTC", "CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False},
    }


def _local(settings: Settings) -> dict[str, object]:
    try:
        port = settings.local_port("warehouse")
        _knock(port)
        secret = settings.local_secret("warehouse")
    except ServiceError as error:  # no stack runs: it may come, as after any other silence
        raise WarehouseUnreachable(error.what, cure=LOCAL_CURE) from error
    return {
        "account": LOCAL_ACCOUNT,
        "user": WAREHOUSE_USER,
        "password": secret.get_secret_value(),
        "host": LOCAL_HOST,
        "port": port,
        "protocol": "http",
        # How long the connector goes on retrying; a statement itself may take the socket's timeout.
        "network_timeout": min(LOCAL_RETRY_SECONDS, settings.warehouse_timeout_seconds),
        "login_timeout": min(LOCAL_RETRY_SECONDS, settings.warehouse_timeout_seconds),
        "socket_timeout": settings.warehouse_timeout_seconds,
        # Nothing here may look for a cloud's metadata service or a certificate's revocation.
        "platform_detection_timeout_seconds": 0,
        "disable_ocsp_checks": True,
    }


def _snowflake(settings: Settings) -> dict[str, object]:
    """Sign-in by key pair or token; a password is not taken, because Snowflake refuses password-only sign-ins."""
    if settings.snowflake_user is None:
        raise ConfigError("RTLIB_SNOWFLAKE_ACCOUNT is set, but no user", cure="set RTLIB_SNOWFLAKE_USER")
    options = {
        "account": settings.snowflake_account,
        "user": settings.snowflake_user,
        "role": settings.snowflake_role,
        "warehouse": settings.snowflake_warehouse,
    }
    return {**{name: value for name, value in options.items() if value is not None}, **_credentials(settings)}


def _credentials(settings: Settings) -> dict[str, object]:
    key, phrase = settings.snowflake_private_key_file, settings.snowflake_private_key_passphrase
    if key is not None:
        if not key.is_file():
            raise ConfigError(f"there is no private key at {key}", cure="set RTLIB_SNOWFLAKE_PRIVATE_KEY_FILE")
        locked = {"private_key_file_pwd": phrase.get_secret_value()} if phrase else {}
        return {"authenticator": "SNOWFLAKE_JWT", "private_key_file": str(key), **locked}
    if settings.snowflake_token is not None:
        token = settings.snowflake_token.get_secret_value()
        return {"authenticator": "PROGRAMMATIC_ACCESS_TOKEN", "token": token}
    raise ConfigError(
        f"no credentials for Snowflake account {settings.snowflake_account}",
        cure="set RTLIB_SNOWFLAKE_PRIVATE_KEY_FILE (a key pair) or RTLIB_SNOWFLAKE_TOKEN (an access token)",
    )


def _knock(port: int) -> None:
    """Fail at once where nothing listens; the connector would go on trying."""
    with socket.create_connection((LOCAL_HOST, port), timeout=LOCAL_RETRY_SECONDS):
        pass


def _is_unreachable(error: Exception) -> bool:
    """True for what may pass: no connection, no answer in time, or a session that is no longer known."""
    from snowflake.connector import errors

    if getattr(error, "errno", None) in SESSION_GONE:
        return True
    answered = isinstance(error, errors.DatabaseError | errors.ForbiddenError)
    return not answered or isinstance(error, errors.OperationalError)


def _raise_but_in_timers(connection: Any, cursor: Any, kind: Any, values: dict[str, Any]) -> None:
    """The connector cancels slow statements from a timer's thread; that this failed too is no news to anybody."""
    from snowflake.connector.errors import Error

    if not isinstance(threading.current_thread(), threading.Timer):
        Error.default_errorhandler(connection, cursor, kind, values)


def _cure(settings: Settings) -> str:
    return LOCAL_CURE if settings.local_warehouse else "check the account's name and the network"


def _damage_in(error: Exception) -> str:
    """The warehouse's sentence about its file, without what the connector puts before it."""
    said = _said(error)
    return said[max(0, said.find("the warehouse's file")) :]


def _sign_in_cure(settings: Settings) -> str:
    if settings.local_warehouse:
        return "rtlib down && rtlib up, which draws a new secret"
    return "check account, user, role and credentials; RTLIB_SNOWFLAKE_… in .env.local"


def _said(error: Exception) -> str:
    """The warehouse's own words, without the connector's prefix and in one line."""
    return " ".join(str(getattr(error, "msg", None) or error).split())[:400]
