"""The local warehouse's door: who may sign in, and that no request or statement reaches a file off the stages."""

from __future__ import annotations

import gzip
import http.client
import json
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest
import snowflake.connector
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from snowflake.connector import SnowflakeConnection

from rtlib.config import Settings
from rtlib.errors import WarehouseError, WarehouseUnreachable
from rtlib.services.fakesnow_http import STATEMENT_CHARACTERS, open_within
from rtlib.warehouse.connection import connect, execute, query
from support.warehouse_server import WarehouseServer

SIGN_IN, STATEMENT = "/session/v1/login-request", "/queries/v1/query-request"
TREASURE = "the owner's private key"


@dataclass(frozen=True)
class Attacker:
    """Sends requests to a warehouse, and knows what lies outside its stage."""

    server: WarehouseServer
    outside: Path

    @property
    def secret(self) -> str:
        return self.server.settings.local_secret("warehouse").get_secret_value()

    def ask(self, path: str, body: Any = None, *, method: str = "POST", token: str = "", **headers: str) -> Any:
        """The status and the body of an answer; a server that hangs up has refused as well (0)."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", "Authorization": f'Snowflake Token="{token}"' if token else ""}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.request(method, path, content, {name: value for name, value in sent.items() if value})
            answer = connection.getresponse()
            text = answer.read().decode()
        except (ConnectionError, http.client.HTTPException):
            return 0, {}
        finally:
            connection.close()
        assert TREASURE not in text
        return answer.status, json.loads(text) if text.startswith("{") else {}

    def sign_in(self, query_string: str = "", *, user: Any = "learner", secret: Any = None, **more: Any) -> Any:
        data = {"LOGIN_NAME": user, "PASSWORD": self.secret if secret is None else secret, **more}
        return self.ask(SIGN_IN + query_string, {"data": {"SESSION_PARAMETERS": {}, **data}})

    def session(self) -> str:
        token: str = self.sign_in("?databaseName=RTLIB&schemaName=RAW")[1]["data"]["token"]
        return token

    def found_outside(self) -> dict[str, tuple[float, bytes]]:
        """All that no request may change: everything but the stages, and the database's own file and log."""
        home = self.server.home
        own = (home / "warehouse" / "stages", home / "warehouse" / "spill")
        files = [path for root in (self.outside, home) for path in root.rglob("*") if path.is_file()]
        return {
            str(path): (path.stat().st_mtime, path.read_bytes())
            for path in files
            if not any(path.is_relative_to(folder) for folder in own) and path.name not in {"RTLIB.db", "RTLIB.db.wal"}
        }


@pytest.fixture
def attacker(warehouse_server: WarehouseServer, tmp_path: Path) -> Iterator[Attacker]:
    """An attacker who must have changed nothing in the end, with the server still answering."""
    (tmp_path / "key").write_text(TREASURE)
    attacker = Attacker(warehouse_server, tmp_path)
    before = attacker.found_outside()
    yield attacker
    assert attacker.found_outside() == before
    connection = warehouse_server.connect()
    assert query(connection, "select 1 as one") == [{"one": 1}]
    connection.close()


# --- the sign-in ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given_by",
    [
        {"secret": ""},
        {"secret": "unused"},
        {"secret": None, "user": "root"},
        {"secret": None, "user": "LEARNER"},
        {"secret": 5},
        {"secret": ["x"]},
        {"secret": "\ud800"},
        {"secret": None, "user": {"a": 1}},
    ],
)
def test_a_sign_in_without_the_secret_is_refused(attacker: Attacker, given_by: dict[str, Any]) -> None:
    status, answer = attacker.sign_in(**given_by)
    assert (status, answer["code"], answer["success"]) == (403, "390100", False)


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": []}, {"data": {"PASSWORD": None}}])
def test_a_sign_in_without_a_user_is_refused(attacker: Attacker, body: Any) -> None:
    assert attacker.ask(SIGN_IN, body)[0] == 403


def test_the_connector_says_at_once_that_the_secret_is_wrong(
    warehouse_server: WarehouseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Settings, "local_secret", lambda *_: SecretStr("wrong-secret"))
    sent: list[str] = []
    request = snowflake.connector.network.SnowflakeRestful._request_exec
    monkeypatch.setattr(
        snowflake.connector.network.SnowflakeRestful,
        "_request_exec",
        lambda self, **given: (sent.append(given["full_url"]), request(self, **given))[1],
    )
    with pytest.raises(WarehouseError, match="local warehouse refused the sign-in") as caught:
        connect(warehouse_server.settings)
    assert not isinstance(caught.value, WarehouseUnreachable)
    assert "rtlib up" in caught.value.cure
    assert len(sent) == 1  # no retries
    assert "wrong-secret" not in str(caught.value)


def test_a_stack_that_was_never_started_has_no_secret_and_is_unreachable(warehouse_server: WarehouseServer) -> None:
    home = warehouse_server.home / "empty"
    home.mkdir()
    (home / "ports.json").write_text(json.dumps({"warehouse": warehouse_server.port}))
    with pytest.raises(WarehouseUnreachable, match="no secret"):
        connect(Settings(home=home, part="loader"))


def test_the_secret_is_in_no_command_line_or_environment(attacker: Attacker) -> None:
    process = psutil.Process(attacker.server.process.pid)
    assert attacker.secret not in str((process.cmdline(), process.environ()))


def test_files_and_folders_of_the_warehouse_are_the_owners_alone(warehouse_server: WarehouseServer) -> None:
    data = warehouse_server.home / "warehouse"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (data, *data.glob("*"))}
    assert {"stages", "spill", "RTLIB.db"} <= modes.keys()
    assert [name for name, mode in modes.items() if mode & 0o077] == []


NAMES = ("databaseName", "schemaName", "roleName", "warehouse")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("secret", [None, "no"])
def test_sql_in_a_name_of_the_sign_in_runs_for_nobody(attacker: Attacker, name: str, secret: str | None) -> None:
    sql = f"RTLIB'; COPY (SELECT 'import os') TO '{attacker.outside}/evil.pth'; --".replace(" ", "%20")
    status, answer = attacker.sign_in(f"?{name}={sql}", secret=secret)
    assert (status, answer["success"]) == ((403, False) if secret else (200, False))
    assert secret or f"{name} " in answer["message"]
    assert attacker.sign_in(f"?{name}=RTLIB&{name}={sql}", secret=secret)[1]["success"] is False


def test_a_database_that_is_not_there_is_not_made(attacker: Attacker) -> None:
    _, answer = attacker.sign_in("?databaseName=OTHER")
    assert answer["success"] is False
    assert "no database OTHER; the local warehouse has RTLIB" in answer["message"]


@pytest.mark.parametrize("parameters", [{"nop_regexes": ["(a+)+$"]}, {"AUTOCOMMIT": "no"}, [], "x"])
def test_a_session_parameter_that_would_reach_further_is_refused(attacker: Attacker, parameters: Any) -> None:
    assert attacker.sign_in(SESSION_PARAMETERS=parameters)[1]["success"] is False
    path = {"FAKESNOW_DB_PATH": str(attacker.outside)}
    assert attacker.sign_in("?databaseName=X", SESSION_PARAMETERS=path)[1]["success"] is False


# --- requests that are not of a session -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", STATEMENT),
        ("POST", "/session?delete=true"),
        ("POST", "/session/heartbeat"),
        ("POST", "/queries/v1/abort-request"),
        ("GET", "/monitoring/queries/x"),
        ("GET", "/nowhere"),
        ("POST", "/session/token-request"),
    ],
)
@pytest.mark.parametrize("token", ["", "guessed"])
def test_every_route_asks_for_a_session(attacker: Attacker, method: str, path: str, token: str) -> None:
    status, answer = attacker.ask(path, {"sqlText": "drop table RAW.EVENTS"}, method=method, token=token)
    assert (status, answer["success"]) == (401, False)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Length": str(2**40)}, 413),
    ],
)
def test_what_a_web_page_can_send_is_refused_even_with_the_secret(
    attacker: Attacker, headers: dict[str, str], status: int
) -> None:
    body = {"data": {"LOGIN_NAME": "learner", "PASSWORD": attacker.secret}}
    assert attacker.ask(SIGN_IN, body, **headers)[0] == status
    assert attacker.ask(STATEMENT, {"sqlText": "select 1"}, token=attacker.session(), **headers)[0] == status


def test_a_zip_bomb_and_deep_json_are_refused(attacker: Attacker) -> None:
    assert attacker.ask(SIGN_IN, gzip.compress(b" " * 40_000_000), Content_Encoding="gzip")[0] == 413
    assert attacker.ask(STATEMENT, b'{"a":' * 100_000, token=attacker.session())[0] == 400


def test_tokens_are_of_256_bits_and_never_the_same(attacker: Attacker) -> None:
    tokens = {attacker.session() for _ in range(3)}
    assert len(tokens) == 3
    assert all(len(token) >= 43 for token in tokens)  # 32 bytes in base64


# --- statements of a session ----------------------------------------------------------------------------------------

REACHING_OUT = [
    "select content from read_text('{out}/key')",
    "select filename from read_blob('{out}/key')",
    "select count(*) from read_csv('{out}/key')",
    "select content from read_text('{stage}/../../secrets.json')",
    "select * from read_json('{out}/key')",
    "select * from read_parquet('{out}/key')",
    "select * from sniff_csv('{out}/key')",
    "select * from glob('{out}/*')",
    "select * from '{out}/key'",
    "select content from read_text('/proc/self/environ')",
    "create table RAW.STOLEN as select content from read_text('{out}/key')",
    "create view RAW.STOLEN as select content from read_text('{out}/key')",
    "insert into LOOT select content from read_text('{out}/key')",
    "select (select content from read_text('{out}/key')) as a",
    "select * from query('select content from read_text(''{out}/key'')')",
    "copy (select 'x') to '{out}/evil.pth'",
    "copy RAW.EVENTS to '{out}/evil.pth'",
    "copy into RAW.REJECTED (payload) from 'file://{out}/key' file_format = (type = csv) purge = true",
    "copy into RAW.REJECTED (payload) from 'file://{stage}/../../../key' purge = true",
    "copy into '{out}/evil.pth' from (select 'x')",
    "copy into '@~/../../evil.pth' from RAW.EVENTS",
    "use schema \"a'; copy (select 1) to '{out}/evil.pth\"",
    "use database \"RTLIB.RAW'; copy (select 1) to '{out}/evil\"",
    "create database EVIL",
    'create database "../../outside/evil"',
    "attach '{out}/evil.db' as evil",
    "export database '{out}/evil'",
    "import database '{out}'",
    "install httpfs",
    "load httpfs",
    "load '{out}/evil.so'",
    "pragma profiling_output='{out}/evil'",
    "call enable_logging(storage = 'file', storage_path = '{out}/evil')",
    "create secret evil (type s3)",
    "create persistent secret evil (type http, bearer_token 'x')",
    "select getenv('HOME')",
    "drop database RTLIB",
    "detach RTLIB",
    'create or replace stage ".."',
    "put file://{out}/key @RAW.EVIL/../../../../evil",
    "get @RAW.EVIL file://{out}/",
]


@pytest.mark.parametrize("sql", REACHING_OUT)
def test_no_statement_reaches_a_file_outside_the_stage(
    attacker: Attacker, warehouse: SnowflakeConnection, sql: str
) -> None:
    stage = attacker.server.home / "warehouse" / "stages"
    execute(warehouse, "use schema RAW")  # without one, fakesnow refuses a function in FROM for that reason
    execute(warehouse, "create or replace temporary table LOOT (content varchar)")
    with pytest.raises(WarehouseError) as caught:
        rows = query(warehouse, sql.format(out=attacker.outside, stage=stage))
        assert rows is None
    assert not isinstance(caught.value, WarehouseUnreachable)
    assert query(warehouse, "select count(*) as n from RAW.REJECTED") == [{"n": 0}]


@pytest.mark.parametrize("what", ["(select 'junk')", "RAW.EVENTS"])
def test_no_statement_overwrites_the_databases_own_file(
    attacker: Attacker, warehouse: SnowflakeConnection, what: str
) -> None:
    file = attacker.server.home / "warehouse" / "RTLIB.db"
    with pytest.raises(WarehouseError, match="not Snowflake's SQL"):
        query(warehouse, f"/* c */ Copy {what} TO '{file}' (use_tmp_file 'false')")
    assert file.read_bytes()[8:12] == b"DUCK"
    assert query(warehouse, "select 'copy it to x' as v") == [{"v": "copy it to x"}]


@pytest.mark.parametrize("name", ["memory_limit", "enable_external_access", "lock_configuration", "threads"])
def test_no_setting_of_duckdb_can_be_changed(warehouse: SnowflakeConnection, name: str) -> None:
    before = query(warehouse, f"select current_setting('{name}') as v")
    for sql in (f"set {name} = 7", f"set global {name} = 7", f"reset {name}", f"pragma {name}=7"):
        with suppress(WarehouseError):  # a variable of the session, for fakesnow
            execute(warehouse, sql)
    assert query(warehouse, f"select current_setting('{name}') as v") == before


def test_links_on_the_stage_lead_nowhere(attacker: Attacker, warehouse: SnowflakeConnection) -> None:
    execute(warehouse, "use schema RAW")
    stage = attacker.server.home / "warehouse" / "stages"
    links = [stage / "a-file", stage / "a-folder"]
    try:
        links[0].symlink_to(attacker.outside / "key")
        links[1].symlink_to(attacker.outside)
        for path in (links[0], links[1] / "key"):
            with pytest.raises(WarehouseError):
                query(warehouse, f"select content from read_text('{path}')")
        with pytest.raises(ValueError, match="out of the stage"):
            open_within(stage, "a-folder/evil")
    finally:
        for link in links:
            link.unlink()


def test_a_question_larger_than_the_memory_still_spills(warehouse: SnowflakeConnection) -> None:
    sql = (
        "select count(*) as n from "
        "(select distinct repeat(seq4()::varchar, 60) as x from table(generator(rowcount => 600000)))"
    )
    assert query(warehouse, sql) == [{"n": 600_000}]


# --- uploads --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["RTLIB/RAW/S/f", "guessed/RTLIB/RAW/S/f", "guessed/../../../key", "%2e%2e/%2e%2e/key", "x/%2Fetc/x", "x/a%00b"],
)
def test_an_upload_to_an_address_that_was_given_to_nobody_is_refused(attacker: Attacker, path: str) -> None:
    token = attacker.session()
    for secret in ("", token):
        status, _ = attacker.ask(f"/fs_bucket/{path}", b"x", method="PUT", token=secret)
        assert status in (403, 404)
    assert list((attacker.server.home / "warehouse" / "stages").rglob("f")) == []


@pytest.mark.parametrize("name", ["a/..", "..", "k\0y", "%2e%2e", "..%2f..%2f..%2f..%2fevil", "a'b\"c", "x" * 300])
def test_an_odd_name_of_a_file_leads_to_the_stage_or_nowhere(attacker: Attacker, name: str) -> None:
    token = attacker.session()
    attacker.ask(STATEMENT, {"sqlText": "create stage if not exists RAW.ODD"}, token=token)
    sql = "put 'file:///tmp/" + name.replace("'", "\\'") + "' @RAW.ODD"
    status, answer = attacker.ask(STATEMENT, {"sqlText": sql}, token=token)
    assert status == 200
    if answer["success"]:
        url = answer["data"]["stageInfo"]["presignedUrl"].split("/fs_bucket/")[1]
        assert attacker.ask(f"/fs_bucket/{url}", b"x", method="PUT")[0] in (200, 400)
        assert attacker.ask(f"/fs_bucket/{url}x", b"x", method="PUT")[0] in (403, 404)


def test_a_file_is_opened_within_its_folder_alone(tmp_path: Path) -> None:
    inside = tmp_path / "stage"
    inside.mkdir()
    with open_within(inside, "a/b/c") as file:
        file.write(b"x")
    assert (inside / "a" / "b" / "c").read_bytes() == b"x"
    assert stat.S_IMODE((inside / "a").stat().st_mode) == 0o700
    for path in ("../evil", "a/../../evil", str(tmp_path / "evil"), "/evil", "a\0b"):
        with pytest.raises(ValueError, match=r"."):
            open_within(inside, path)
    with pytest.raises(OSError, match=r"."):
        open_within(inside, "a/b")
    assert [path.name for path in tmp_path.iterdir()] == ["stage"]


# --- fuzz -----------------------------------------------------------------------------------------------------------

fuzz = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
STATEMENTS = (
    "copy to into select from read_text create stage table schema database use set attach as union all list purge"
)
SIGNS = "-- /* .. ../ ' \" ; \\ . % @ $ \0 ( ) { } ? = \ud800 é"
OBJECTS = "/etc/passwd {out}/evil put file:// @RAW.ODD RTLIB RAW EVENTS x 1 true"
bits = st.sampled_from([word for words in (STATEMENTS, SIGNS, OBJECTS) for word in words.split(" ")])
odd_text = st.lists(bits | st.text(max_size=5), max_size=14).map(" ".join) | st.lists(bits, max_size=8).map("".join)
keys = st.sampled_from(["1", "2", "type", "value"]) | odd_text
odd_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | odd_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
credentials = {"PASSWORD": odd_json, "LOGIN_NAME": odd_json, "SESSION_PARAMETERS": odd_json}


@fuzz
@given(
    name=st.sampled_from(NAMES),
    value=odd_text,
    data=st.fixed_dictionaries({}, optional=credentials),
    whole=st.none() | odd_json,
    with_secret=st.booleans(),
)
def test_no_sign_in_breaks_the_server(
    attacker: Attacker, name: str, value: str, data: dict[str, Any], whole: Any, with_secret: bool
) -> None:
    secret = {"LOGIN_NAME": "learner", "PASSWORD": attacker.secret} if with_secret else {}
    value = value.replace("{out}", str(attacker.outside))
    path = f"{SIGN_IN}?{name}={quote(value.encode('utf-8', 'surrogatepass'))}"
    status, answer = attacker.ask(path, {"data": {"SESSION_PARAMETERS": {}, **data, **secret}})
    assert status == (200 if with_secret else 403)
    if answer["success"]:
        assert with_secret
        attacker.ask("/session?delete=true", {}, token=answer["data"]["token"])
    assert attacker.ask(SIGN_IN, whole)[0] in (400, 403)


def test_a_megabyte_in_any_place_does_not_break_the_server(attacker: Attacker) -> None:
    token, many = attacker.session(), "x" * 1_000_000
    assert attacker.ask(f"{SIGN_IN}?databaseName={many}", {})[0] in (0, 400, 403, 414)
    assert attacker.sign_in(user=many)[0] == 403
    assert attacker.sign_in(secret=many)[0] == 403
    for sql in (many, f"select '{many}' as a", "(" * 20_000, "x" * (STATEMENT_CHARACTERS + 1)):
        assert attacker.ask(STATEMENT, {"sqlText": sql}, token=token)[0] == 200
    assert attacker.ask(STATEMENT, {"sqlText": "select 1"}, token=many)[0] in (0, 400, 401, 431)


@fuzz
@given(
    sql=odd_text | odd_json,
    extra=st.fixed_dictionaries({}, optional={"bindings": odd_json, "describeOnly": odd_json}),
    garbage=st.none() | st.binary(max_size=40),
)
def test_no_statement_breaks_the_server(
    attacker: Attacker, sql: Any, extra: dict[str, Any], garbage: bytes | None
) -> None:
    token = attacker.session()
    if isinstance(sql, str):
        sql = sql.replace("{out}", str(attacker.outside))
    body = garbage if garbage is not None else {"sqlText": sql, **extra}
    assert attacker.ask(STATEMENT, body, token=token)[0] in (200, 400)
    attacker.ask("/session?delete=true", {}, token=token)
