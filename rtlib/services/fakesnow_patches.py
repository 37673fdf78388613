"""Mends: where the stand-in for Snowflake differs from it in ways that would hurt, put right from outside.

Each mend says what fakesnow 0.12 does and what Snowflake does instead. ``apply`` puts them in force, in the
server's process alone.
"""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable
from importlib import import_module
from typing import Any

LOG = logging.getLogger(__name__)
RESULTS_KEPT = 4
RESULT_BYTES_KEPT = 32 * 1024 * 1024
TRANSLATIONS_KEPT = 200
LONGEST_KEPT = 20_000  # characters of a statement that is remembered
# What a statement's translation may depend on besides its text, the database and the schema.
NOT_BY_TEXT_ALONE = re.compile(r"identifier\s*\(|result_scan|last_query_id|random|uniform|@|\$", re.IGNORECASE)


class Newest(OrderedDict[Any, Any]):
    """A mapping that forgets its oldest entries: by their number, and results by their bytes too, but for the newest.

    fakesnow keeps every result of every query for ever; Snowflake forgets them too, after a day.
    """

    def __init__(self, size: int = RESULTS_KEPT) -> None:
        super().__init__()
        self._size = size
        self._lock = threading.Lock()

    def __setitem__(self, key: Any, value: Any) -> None:
        with self._lock:
            super().__setitem__(key, value)
            while len(self) > self._size or (len(self) > 1 and self._bytes() > RESULT_BYTES_KEPT):
                self.popitem(last=False)

    def _bytes(self) -> int:
        """What the results among the values hold: fakesnow keeps each as a tuple that begins with its Arrow table."""
        return sum(getattr(one[0], "nbytes", 0) for one in self.values() if isinstance(one, tuple) and one)


def answering_errors(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Answer a statement that cannot run with an error.

    fakesnow answers HTTP 500, which the connector takes for an outage and retries; Snowflake says what is wrong. It
    is written to the log as well.
    """
    from snowflake.connector.errors import Error, ProgrammingError

    def execute_or_say(self: Any, command: str, *args: Any, **kwargs: Any) -> Any:
        self.asked = command
        try:
            _refuse_copies_to_files(command)
            return execute(self, command, *args, **kwargs)
        except Error as error:
            LOG.warning("refused: %s\n  %s", command[:2_000], error)
            raise
        except Exception as error:
            LOG.warning("failed: %s", command[:2_000], exc_info=error)
            # 603 is Snowflake's own number for "could not be executed".
            raise ProgrammingError(msg=f"{type(error).__name__}: {error}", errno=603, sqlstate="XX000") from error

    return execute_or_say


def _refuse_copies_to_files(command: str) -> None:
    """Refuse DuckDB's ``COPY ... TO 'file'``, which Snowflake has not: it could overwrite the database's own file."""
    from snowflake.connector.errors import ProgrammingError
    from sqlglot import TokenType, tokenize
    from sqlglot.errors import SqlglotError

    if "copy" not in command.lower():
        return
    try:
        tokens = [(token.token_type, token.text.upper()) for token in tokenize(command, read="snowflake")]
    except SqlglotError:
        return  # no statement: it is refused where it is parsed
    words = [text for kind, text in tokens if kind not in (TokenType.STRING, TokenType.IDENTIFIER)]
    after = words[words.index("COPY") + 1 :] if "COPY" in words else []
    if after[:1] != ["INTO"] and "TO" in after:
        raise ProgrammingError(msg="COPY ... TO a file is not Snowflake's SQL; use COPY INTO @stage", errno=1003)


def remembering(translate: Callable[..., Any]) -> Callable[..., Any]:
    """Translate a statement to DuckDB's dialect once; fakesnow walks its tree seventy times each time it runs."""
    from sqlglot import exp

    known = Newest(TRANSLATIONS_KEPT)
    plain = (exp.Select, exp.Insert, exp.Update, exp.Delete, exp.Merge)

    def translate_once(self: Any, expression: Any, params: Any) -> Any:
        text = getattr(self, "asked", "")
        if not isinstance(expression, plain) or not text or len(text) > LONGEST_KEPT or NOT_BY_TEXT_ALONE.search(text):
            return translate(self, expression, params)
        key = (text, type(expression), self._conn.database, self._conn.schema)
        found = known.get(key)
        if found is None:
            found = known[key] = translate(self, expression, params)
        return found

    return translate_once


def parsed_once(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Parse a statement once; fakesnow does so twice each time it runs. A tree is copied three times sooner."""
    known = Newest(TRANSLATIONS_KEPT)

    def parse_or_copy(command: str) -> Any:
        if len(command) > LONGEST_KEPT:
            return parse(command)
        found = known.get(command)
        if found is None:
            found = known[command] = parse(command)
        return found.copy()

    return parse_or_copy


def merge_undivided(explode: Callable[..., Any]) -> Callable[..., Any]:
    """Leave a MERGE whole; fakesnow divides it into four statements that others can see half done."""
    from sqlglot import exp

    def explode_others(self: Any, expression: Any) -> Any:
        if not isinstance(expression, exp.Merge):
            return explode(self, expression)
        for update in expression.find_all(exp.Update):
            for assignment in update.expressions:
                # DuckDB wants the column's name alone left of the "=".
                assignment.this.set("table", None)
        return [expression]

    return explode_others


def merge_natively(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Run a MERGE as DuckDB's own, and answer with the counts that Snowflake answers with."""
    import sqlglot
    from sqlglot import exp

    def execute_merge(self: Any, transformed: Any, params: Any = None) -> Any:
        if not isinstance(transformed, exp.Merge):
            return execute(self, transformed, params)
        if not self._conn._autocommit and not self._conn._in_transaction:
            self._duck_conn.begin()
            self._conn._in_transaction = True
        sql = f"{transformed.sql(dialect='duckdb')} RETURNING merge_action"
        done = Counter(action for (action,) in self._duck_conn.execute(sql, params).fetchall())
        asked = [one.args["then"] for one in transformed.find_all(exp.When)]
        kinds = {"INSERT": exp.Insert, "UPDATE": exp.Update, "DELETE": exp.Var}
        counts = [
            f"""{done[name]} AS "number of rows {name.lower().removesuffix("e")}ed\""""
            for name, kind in kinds.items()
            if any(isinstance(then, kind) for then in asked)
        ]
        answer = sqlglot.parse_one(f"SELECT {', '.join(counts)}", read="duckdb")
        answer.set("merge_counts", True)
        return execute(self, answer, None)

    return execute_merge


def timestamps_with_nulls(column: Any) -> Any:
    """Timestamps as the connector expects them: seconds, nanoseconds. fakesnow makes of NULL the year 1970."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    whole = pc.floor_temporal(column, unit="second")
    parts = [
        pc.divide(whole.cast(pa.timestamp("s", column.type.tz)).cast(pa.int64()), 1),
        pc.round(pc.multiply(pc.subsecond(column), 1_000_000_000)).cast(pa.int32()),
    ]
    names = ["epoch", "fraction"]
    if column.type.tz:
        parts, names = [*parts, pa.array([1440] * len(column), pa.int32())], [*names, "timezone"]
    return pa.StructArray.from_arrays(parts, names=names, mask=column.is_null())


def columns_of(table: Any, duck_conn: Any, database: str | None, schema: str | None) -> list[tuple[str, str]]:
    """A table's columns and their types, for a COPY INTO that goes by their names.

    fakesnow looks for the table in the session's schema alone, where no temporary one is; Snowflake finds both.
    """
    found = duck_conn.execute(f"describe {table.sql(dialect='duckdb')}").fetchall()
    return [(name, kind) for name, kind, *_ in found]


def apply() -> None:
    """Put every mend in force in this process."""
    # fakesnow's own call of an older form; harmless, and nobody's to mend who reads the log.
    warnings.filterwarnings("ignore", message="Arrow output on a DB-API result", category=UserWarning)
    arrow: Any = import_module("fakesnow.arrow")
    cursors: Any = import_module("fakesnow.cursor")
    server: Any = import_module("fakesnow.server")
    server.parse_one = cursors.parse_one = parsed_once(cursors.parse_one)
    cursor = cursors.FakeSnowflakeCursor
    cursor.execute = answering_errors(cursor.execute)
    cursor._execute = merge_natively(cursor._execute)
    cursor._transform_explode = merge_undivided(cursor._transform_explode)
    cursor._transform = remembering(cursor._transform)
    arrow.timestamp_to_sf_struct = timestamps_with_nulls
    copies: Any = import_module("fakesnow.copy_into")
    copies._describe_table = columns_of
