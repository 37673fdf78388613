"""Connection: Snowflake, or fakesnow on a laptop, by the same connector."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rtlib.config import Settings
from rtlib.errors import ConfigError, WarehouseError

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

Result = TypeVar("Result")
RIDE_OUT_SECONDS = 20.0  # a local warehouse that was killed is back within a few seconds


def connect(settings: Settings) -> SnowflakeConnection:
    """Open a connection.

    Raises:
        ConfigError: A Snowflake account is set without a user, or without a key pair or token.
        WarehouseError: The warehouse does not answer, or refuses the sign-in.
    """
    import snowflake.connector
    from snowflake.connector.errors import Error

    for name in ("snowflake.connector", "snowflake.connector.vendored.urllib3", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters of it is in the error that is raised
    options = _local(settings) if settings.local_warehouse else _snowflake(settings)
    try:
        return snowflake.connector.connect(**options)
    except Error as error:
        where = "the local warehouse" if settings.local_warehouse else f"Snowflake account {settings.snowflake_account}"
        cure = "rtlib status; rtlib up" if settings.local_warehouse else "check account, user, role and credentials"
        raise WarehouseError(f"{where} does not answer: {_said(error)}", cure=cure) from error


def execute(connection: SnowflakeConnection, sql: str, parameters: Sequence[object] = ()) -> int:
    """Run a statement and return how many rows it touched (-1 where the warehouse does not say).

    Raises:
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


class Warehouse:
    """A connection for a long-lived process: opened when needed, and opened anew when it broke.

    A local warehouse that starts again knows none of its old sessions, so whatever fails is tried on a new one for
    a while before the error is passed on. Only work that may be repeated belongs here.
    """

    def __init__(self, settings: Settings, *, ride_out_seconds: float = RIDE_OUT_SECONDS) -> None:
        self._settings = settings
        self._ride_out = ride_out_seconds
        self._connection: SnowflakeConnection | None = None
        self._lock = threading.Lock()

    def run(self, work: Callable[[SnowflakeConnection], Result]) -> Result:
        """Do some work on the connection.

        Raises:
            WarehouseError: It failed on every try.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(WarehouseError),
            wait=wait_fixed(0.5),
            stop=stop_after_delay(self._ride_out),
            reraise=True,
        )
        with self._lock:
            result: Result = retrying(self._try, work)
            return result

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            _close_quietly(connection)

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
        raise WarehouseError(
            f"the warehouse refused '{kind} …': {_said(error)}", cure="rtlib logs warehouse"
        ) from error


def _local(settings: Settings) -> dict[str, object]:
    return {
        "account": "fakesnow",
        "user": "learner",
        "password": "unused",  # the connector asks for one; fakesnow looks at none
        "host": "127.0.0.1",
        "port": settings.ports["warehouse"],
        "protocol": "http",
        "database": settings.snowflake_database,
        "network_timeout": settings.warehouse_timeout_seconds,
        "login_timeout": 2,
        "session_parameters": {"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False},
        "disable_ocsp_checks": True,
    }


def _snowflake(settings: Settings) -> dict[str, object]:
    """Sign-in by key pair or token; a password is not taken, because Snowflake refuses password-only sign-ins."""
    if settings.snowflake_user is None:
        raise ConfigError("RTLIB_SNOWFLAKE_ACCOUNT is set, but no user", cure="set RTLIB_SNOWFLAKE_USER")
    options: dict[str, object] = {
        "account": settings.snowflake_account,
        "user": settings.snowflake_user,
        "role": settings.snowflake_role,
        "warehouse": settings.snowflake_warehouse,
        "database": settings.snowflake_database,
        "network_timeout": settings.warehouse_timeout_seconds,
        "login_timeout": settings.warehouse_timeout_seconds,
    }
    if settings.snowflake_private_key_file is not None:
        phrase = settings.snowflake_private_key_passphrase
        return {
            **options,
            "authenticator": "SNOWFLAKE_JWT",
            "private_key_file": str(settings.snowflake_private_key_file),
            "private_key_file_pwd": phrase.get_secret_value() if phrase else None,
        }
    if settings.snowflake_token is not None:
        token = settings.snowflake_token.get_secret_value()
        return {**options, "authenticator": "PROGRAMMATIC_ACCESS_TOKEN", "token": token}
    raise ConfigError(
        f"no credentials for Snowflake account {settings.snowflake_account}",
        cure="set RTLIB_SNOWFLAKE_PRIVATE_KEY_FILE (a key pair) or RTLIB_SNOWFLAKE_TOKEN (an access token)",
    )


def _said(error: Exception) -> str:
    """The warehouse's own words, without the connector's prefix and in one line."""
    return " ".join(str(getattr(error, "msg", None) or error).split())[:400]


def _close_quietly(connection: SnowflakeConnection) -> None:
    from contextlib import suppress

    with suppress(Exception):  # a broken connection is being thrown away
        connection.close()
