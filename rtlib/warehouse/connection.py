"""Connection: to Snowflake, or to fakesnow on a laptop, through the same connector."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, wait_fixed

from rtlib.config import Settings
from rtlib.errors import ConfigError, ServiceError, WarehouseDamaged, WarehouseError, WarehouseUnreachable
from rtlib.optional_imports import without
from rtlib.run_state import WAREHOUSE_USER

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

P = ParamSpec("P")
Result = TypeVar("Result")
LOCAL_ACCOUNT = "fakesnow"
LOCAL_HOST = "127.0.0.1"
LOCAL_RETRY_SECONDS = 2
LOCAL_CURE = "rtlib status; rtlib up"
# Snowflake's error numbers for an unknown or expired token, and the connector's for a closed connection.
SESSION_GONE = frozenset({390103, 390104, 390108, 390111, 390112, 390114, 250002})
# What the connector imports if it is installed, for services of Snowflake and for result sets as data frames. Importing
# these takes longer than the connector itself, and 40 MB.
UNUSED = ("boto3", "botocore", "keyring", "pandas", "pyarrow")
RIDE_OUT_SECONDS = 20.0  # a killed local warehouse is back within a few seconds


def connect(settings: Settings) -> SnowflakeConnection:
    """Open a connection.

    Raises:
        ConfigError: A Snowflake account is set without a user, or without a key pair or token.
        WarehouseUnreachable: The warehouse does not answer.
        WarehouseDamaged: The local warehouse's file cannot be read.
        WarehouseError: The warehouse refuses the sign-in.
    """
    with without(*UNUSED) if settings.local_warehouse else nullcontext():
        import snowflake.connector
    from snowflake.connector.errors import Error

    # The raised error carries what matters of these logs.
    for name in ("snowflake.connector", "snowflake.connector.vendored.urllib3", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    where = "the local warehouse" if settings.local_warehouse else f"Snowflake account {settings.snowflake_account}"
    try:
        options = _local(settings) if settings.local_warehouse else _snowflake(settings)
        connection = snowflake.connector.connect(**{**_common(settings), **options})
    except (Error, OSError) as error:
        if _is_unreachable(error):
            raise WarehouseUnreachable(f"{where} does not answer: {_message(error)}", cure=_cure(settings)) from error
        if settings.local_warehouse and WarehouseDamaged.is_meant_by(str(error)):
            raise WarehouseDamaged(_damage_in(error), cure=WarehouseDamaged.CURE) from error
        raise WarehouseError(f"{where} refused the sign-in: {_message(error)}", cure=_sign_in_cure(settings)) from error
    connection.errorhandler = _raise_outside_timers
    return connection


def execute(connection: SnowflakeConnection, sql: str, parameters: Sequence[object] = ()) -> int:
    """Run a statement; returns how many rows it changed (-1 if the warehouse does not report it).

    Raises:
        WarehouseDamaged: The local warehouse's file cannot be read.
        WarehouseError: The warehouse refused it or did not answer.
    """
    return int(_run(connection, sql, parameters).rowcount or 0)


def query(connection: SnowflakeConnection, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
    """Run a query; returns its rows as mappings by lower-case column name.

    Raises:
        WarehouseError: The warehouse refused it or did not answer.
    """
    cursor = _run(connection, sql, parameters)
    names = [column.name.lower() for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def transaction(connection: SnowflakeConnection) -> Iterator[None]:
    """Run the block's statements in a transaction: all of them take effect, or none."""
    try:
        execute(connection, "begin")
        yield
        execute(connection, "commit")
    except BaseException:
        with suppress(WarehouseError):  # a lost session has lost its transaction too
            execute(connection, "rollback")
        raise


class Warehouse:
    """A connection for a long-lived process: opened when needed, and reopened after it broke.

    A restarted warehouse has lost its sessions, so failed work is retried on a new connection: for a while if the
    warehouse does not answer, once if it refused a statement. Only work that may be repeated belongs here. Threads
    use it in turn.

    Args:
        settings: Which warehouse.
        ride_out_seconds: How long to retry while the warehouse does not answer.
    """

    def __init__(self, settings: Settings, *, ride_out_seconds: float = RIDE_OUT_SECONDS) -> None:
        self._settings = settings
        self._ride_out = ride_out_seconds
        self._connection: SnowflakeConnection | None = None
        self._lock = threading.Lock()

    def run(
        self, work: Callable[Concatenate[SnowflakeConnection, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Call ``work(connection, *args, **kwargs)``.

        Raises:
            WarehouseUnreachable: The warehouse did not answer within ``ride_out_seconds``.
            WarehouseError: It refused a statement twice.
        """
        refused = stop_after_attempt(2)
        silent = stop_after_delay(self._ride_out)

        def give_up(state: RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            return silent(state) if isinstance(error, WarehouseUnreachable) else refused(state)

        retrying = Retrying(
            retry=retry_if_exception_type(WarehouseError), wait=wait_fixed(0.5), stop=give_up, reraise=True
        )
        with self._lock:
            result: Result = retrying(self._try, lambda connection: work(connection, *args, **kwargs))
            return result

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(Exception):  # it may be broken already
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
            cure = LOCAL_CURE if local else "check the network; the statement may be retried"
            raise WarehouseUnreachable(f"no answer to '{kind} …': {_message(error)}", cure=cure) from error
        if local and WarehouseDamaged.is_meant_by(str(error)):
            raise WarehouseDamaged(f"'{kind} …' failed: {_message(error)}", cure=WarehouseDamaged.CURE) from error
        cure = "rtlib logs warehouse" if local else "check the role's rights and the query history"
        raise WarehouseError(f"the warehouse refused '{kind} …': {_message(error)}", cure=cure) from error


def _common(settings: Settings) -> dict[str, object]:
    seconds = settings.warehouse_timeout_seconds
    return {
        "database": settings.snowflake_database,
        "application": "rtlib",
        # Values are bound parameters, never part of the statement.
        "paramstyle": "qmark",
        "network_timeout": seconds,
        "login_timeout": seconds,
        # TIMESTAMP_NTZ columns hold UTC, so the current time has to be UTC too.
        "session_parameters": {"TIMEZONE": "UTC", "CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False},
    }


def _local(settings: Settings) -> dict[str, object]:
    try:
        port = settings.local_port("warehouse")
        _probe_port(port)
        secret = settings.local_secret("warehouse")
    except ServiceError as error:  # no stack runs; it may start, so this is retried like any other silence
        raise WarehouseUnreachable(error.what, cure=LOCAL_CURE) from error
    return {
        "account": LOCAL_ACCOUNT,
        "user": WAREHOUSE_USER,
        "password": secret.get_secret_value(),
        "host": LOCAL_HOST,
        "port": port,
        "protocol": "http",
        # How long the connector retries; a statement itself may take the socket's timeout.
        "network_timeout": min(LOCAL_RETRY_SECONDS, settings.warehouse_timeout_seconds),
        "login_timeout": min(LOCAL_RETRY_SECONDS, settings.warehouse_timeout_seconds),
        "socket_timeout": settings.warehouse_timeout_seconds,
        # No look-up of a cloud's metadata service or of revoked certificates: there is neither.
        "platform_detection_timeout_seconds": 0,
        "disable_ocsp_checks": True,
    }


def _snowflake(settings: Settings) -> dict[str, object]:
    """Sign-in by key pair or token; not by password, because Snowflake refuses password-only sign-ins."""
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


def _probe_port(port: int) -> None:
    """Fail at once if nothing listens on the port; the connector would retry."""
    with socket.create_connection((LOCAL_HOST, port), timeout=LOCAL_RETRY_SECONDS):
        pass


def _is_unreachable(error: Exception) -> bool:
    """True for transient errors: no connection, no answer in time, or an expired session."""
    from snowflake.connector import errors

    if getattr(error, "errno", None) in SESSION_GONE:
        return True
    answered = isinstance(error, errors.DatabaseError | errors.ForbiddenError)
    return not answered or isinstance(error, errors.OperationalError)


def _raise_outside_timers(connection: Any, cursor: Any, kind: Any, values: dict[str, Any]) -> None:
    """Raise errors, except in a timer's thread: there the connector cancels slow statements, and may fail to."""
    from snowflake.connector.errors import Error

    if not isinstance(threading.current_thread(), threading.Timer):
        Error.default_errorhandler(connection, cursor, kind, values)


def _cure(settings: Settings) -> str:
    return LOCAL_CURE if settings.local_warehouse else "check the account's name and the network"


def _damage_in(error: Exception) -> str:
    """The warehouse's sentence about its file, without the connector's prefix."""
    message = _message(error)
    return message[max(0, message.find("the warehouse's file")) :]


def _sign_in_cure(settings: Settings) -> str:
    if settings.local_warehouse:
        return "rtlib down && rtlib up, which generates a new secret"
    return "check account, user, role and credentials; RTLIB_SNOWFLAKE_… in .env.local"


def _message(error: Exception) -> str:
    """The warehouse's message, without the connector's prefix, in a single line."""
    return " ".join(str(getattr(error, "msg", None) or error).split())[:400]
