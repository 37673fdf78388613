from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector
from pydantic import SecretStr
from snowflake.connector import SnowflakeConnection

from rtlib.config import Settings
from rtlib.errors import ConfigError, WarehouseError, WarehouseUnreachable
from rtlib.warehouse.connection import Warehouse, connect, execute, query
from support.warehouse_server import WarehouseServer


@pytest.fixture
def sign_in(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The options passed to the connector; nothing is connected."""
    options: dict[str, Any] = {}

    class Connection:
        errorhandler: object = None

    def record(**passed: Any) -> Connection:
        options.update(passed)
        return Connection()

    monkeypatch.setattr(snowflake.connector, "connect", record)
    return options


def snowflake_settings(home: Path, **options: Any) -> Settings:
    return Settings(home=home, snowflake_account="org-one", snowflake_user="loader", **options)


def test_a_key_pair_signs_in_to_snowflake(tmp_path: Path, sign_in: dict[str, Any]) -> None:
    key = tmp_path / "key.p8"
    key.write_text("a key")
    phrase = SecretStr("open sesame")
    connect(
        snowflake_settings(
            tmp_path,
            snowflake_private_key_file=key,
            snowflake_private_key_passphrase=phrase,
            snowflake_role="LOADER",
            snowflake_warehouse="XS",
            warehouse_timeout_seconds=33,
        )
    )
    assert sign_in["authenticator"] == "SNOWFLAKE_JWT"
    assert (sign_in["private_key_file"], sign_in["private_key_file_pwd"]) == (str(key), "open sesame")
    assert (sign_in["account"], sign_in["user"], sign_in["role"]) == ("org-one", "loader", "LOADER")
    assert (sign_in["warehouse"], sign_in["database"]) == ("XS", "RTLIB")
    assert (sign_in["network_timeout"], sign_in["login_timeout"]) == (33, 33)
    assert sign_in["session_parameters"]["TIMEZONE"] == "UTC"
    assert not {"password", "host", "port", "protocol", "token"} & set(sign_in)


def test_a_token_signs_in_to_snowflake(tmp_path: Path, sign_in: dict[str, Any]) -> None:
    connect(snowflake_settings(tmp_path, snowflake_token=SecretStr("pat-1")))
    assert (sign_in["authenticator"], sign_in["token"]) == ("PROGRAMMATIC_ACCESS_TOKEN", "pat-1")
    assert not {"password", "private_key_file", "role", "warehouse"} & set(sign_in)


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"snowflake_user": None}, "RTLIB_SNOWFLAKE_USER"),
        ({}, "RTLIB_SNOWFLAKE_TOKEN"),
        ({"snowflake_private_key_file": Path("/nowhere/key.p8")}, "RTLIB_SNOWFLAKE_PRIVATE_KEY_FILE"),
    ],
)
def test_a_sign_in_that_cannot_work_names_the_setting(
    tmp_path: Path, sign_in: dict[str, Any], changes: dict[str, Any], setting: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        connect(snowflake_settings(tmp_path).model_copy(update=changes))
    assert setting in caught.value.cure
    assert not sign_in


def test_a_refused_sign_in_is_reported_without_the_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise snowflake.connector.errors.DatabaseError(msg="Invalid token", errno=250001)

    monkeypatch.setattr(snowflake.connector, "connect", refuse)
    with pytest.raises(WarehouseError, match="org-one refused the sign-in") as caught:
        connect(snowflake_settings(tmp_path, snowflake_token=SecretStr("pat-1")))
    assert not isinstance(caught.value, WarehouseUnreachable)
    assert "pat-1" not in str(caught.value)


def test_the_local_warehouse_needs_no_account(warehouse_server: WarehouseServer, sign_in: dict[str, Any]) -> None:
    connect(warehouse_server.settings)
    assert (sign_in["account"], sign_in["host"], sign_in["protocol"]) == ("fakesnow", "127.0.0.1", "http")
    assert sign_in["port"] == warehouse_server.port
    assert sign_in["network_timeout"] <= 20
    assert sign_in["session_parameters"]["CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED"] is False


def test_if_nothing_listens_the_error_comes_at_once_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text('{"warehouse": 1}')
    began = time.monotonic()
    with pytest.raises(WarehouseUnreachable, match="does not answer") as caught:
        connect(Settings(home=tmp_path, part="loader"))
    assert "rtlib up" in caught.value.cure
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "broken",
    [
        "selec 1",
        "select * from RAW.NOWHERE",
        "select frobnicate(1)",
        "create warehouse XS",
        "select 1 / 'a'",
        "create stream S on table RAW.EVENTS",
    ],
)
def test_a_broken_statement_is_refused_quickly_with_the_warehouses_message(
    warehouse: SnowflakeConnection, broken: str
) -> None:
    began = time.monotonic()
    with pytest.raises(WarehouseError, match=f"refused '{broken.split()[0]}") as caught:
        execute(warehouse, broken)
    assert not isinstance(caught.value, WarehouseUnreachable)
    assert time.monotonic() - began < 2
    assert query(warehouse, "select 1 as n") == [{"n": 1}]


def test_values_are_bound_parameters(warehouse: SnowflakeConnection) -> None:
    odd = 'it\'s 100 % \\ "quoted" é 漢 ; -- drop table RAW.EVENTS'
    assert query(warehouse, "select ? as a, ? as b, ? as c", (odd, 7, None)) == [{"a": odd, "b": 7, "c": None}]


def test_a_null_time_is_none(warehouse: SnowflakeConnection) -> None:
    sql = "select null::timestamp_ntz as nothing, '1969-12-31 23:59:59.999999'::timestamp_ntz as old"
    row = query(warehouse, sql)[0]
    assert row["nothing"] is None
    assert row["old"].isoformat() == "1969-12-31T23:59:59.999999"


def test_a_lost_session_is_unreachable(own_warehouse: Callable[[], WarehouseServer]) -> None:
    server = own_warehouse()
    connection = server.connect()
    server.kill()
    with pytest.raises(WarehouseUnreachable, match="no answer to 'select 1"):
        query(connection, "select 1 as n")
    server.start()
    with pytest.raises(WarehouseUnreachable):
        query(connection, "select 1 as n")


def test_a_restart_of_the_warehouse_is_ridden_out(own_warehouse: Callable[[], WarehouseServer]) -> None:
    server = own_warehouse()
    warehouse = Warehouse(server.settings, ride_out_seconds=30)
    assert warehouse.run(query, "select 1 as n")[0]["n"] == 1
    server.kill()
    again = threading.Timer(1, server.start)
    again.start()
    assert warehouse.run(query, "select 2 as n")[0]["n"] == 2
    again.join()
    warehouse.close()


def test_refused_work_is_tried_exactly_twice(warehouse_server: WarehouseServer) -> None:
    tried = []

    def work(connection: SnowflakeConnection) -> None:
        tried.append(connection)
        execute(connection, "selec 1")

    warehouse = Warehouse(warehouse_server.settings)
    with pytest.raises(WarehouseError):
        warehouse.run(work)
    assert len(tried) == 2
    assert tried[0] is not tried[1]
    warehouse.close()


def test_an_unreachable_warehouse_is_given_up_after_a_while(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text('{"warehouse": 1}')
    began = time.monotonic()
    with pytest.raises(WarehouseUnreachable):
        Warehouse(Settings(home=tmp_path, part="loader"), ride_out_seconds=1).run(query, "select 1")
    assert 1 <= time.monotonic() - began < 5
