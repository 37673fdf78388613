"""fakesnow patches: correct differences between fakesnow and Snowflake that matter here.

Each patch states what fakesnow 0.12 does and what Snowflake does instead. ``apply`` installs them, in the server's
process only.
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

from rtlib.services import fakesnow_speed

LOG = logging.getLogger(__name__)
RESULTS_KEPT = 4
RESULT_BYTES_KEPT = 32 * 1024 * 1024
# The tree of a statement takes about 50 bytes a character, and there are two caches.
# A build of dbt has 200 statements with 160,000 characters.
STATEMENTS_KEPT = 1_000
CHARACTERS_KEPT = 300_000
MAX_CACHED_CHARACTERS = 8_000  # longer statements are not cached
# A translation of such a statement depends on more than its text, the database and the schema.
UNCACHEABLE = re.compile(r"identifier\s*\(|result_scan|last_query_id|random|uniform|@|\$", re.IGNORECASE)


class NewestEntries(OrderedDict[Any, Any]):
    """A mapping limited in the number of its entries and in their sizes; the newest entry always stays.

    fakesnow keeps the result of every query; Snowflake drops it after a day.

    Args:
        size: The maximum number of entries.
        most: The maximum sum of the sizes.
        measure: The size of an entry, from its key and value; by default the bytes of a result.
    """

    def __init__(
        self,
        size: int = RESULTS_KEPT,
        *,
        most: int = RESULT_BYTES_KEPT,
        measure: Callable[[Any, Any], int] | None = None,
    ) -> None:
        super().__init__()
        self._size = size
        self._most = most
        self._measure = measure or _result_bytes
        self._lock = threading.Lock()

    def __setitem__(self, key: Any, value: Any) -> None:
        with self._lock:
            super().__setitem__(key, value)
            while len(self) > self._size or (len(self) > 1 and self._total() > self._most):
                self.popitem(last=False)

    def _total(self) -> int:
        return sum(self._measure(key, value) for key, value in self.items())


def _result_bytes(_: Any, value: Any) -> int:
    """The size of a result: fakesnow keeps it as a tuple that begins with its Arrow table."""
    return getattr(value[0], "nbytes", 0) if isinstance(value, tuple) and value else 0


def _statements() -> NewestEntries:
    """A cache by statement, or by a tuple that begins with one."""
    return NewestEntries(
        STATEMENTS_KEPT,
        most=CHARACTERS_KEPT,
        measure=lambda key, _: len(key if isinstance(key, str) else key[0]),
    )


def reporting_errors(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Answer a failed statement with a Snowflake error, and log it.

    fakesnow answers HTTP 500, which the connector takes for an outage and retries; Snowflake reports the error.
    """
    from snowflake.connector.errors import Error, ProgrammingError

    def execute_or_report(self: Any, command: str, *args: Any, **kwargs: Any) -> Any:
        self.statement_text = command
        try:
            _refuse_copies_to_files(command)
            return execute(self, command, *args, **kwargs)
        except Error as error:
            LOG.warning("refused: %s\n  %s", command[:2_000], error)
            raise
        except Exception as error:
            LOG.warning("failed: %s", command[:2_000], exc_info=error)
            # 603 is Snowflake's code for "could not be executed".
            raise ProgrammingError(msg=f"{type(error).__name__}: {error}", errno=603, sqlstate="XX000") from error

    return execute_or_report


def _refuse_copies_to_files(command: str) -> None:
    """Refuse DuckDB's ``COPY ... TO 'file'``, unknown to Snowflake: it could overwrite the database's own file."""
    from snowflake.connector.errors import ProgrammingError
    from sqlglot import TokenType, tokenize
    from sqlglot.errors import SqlglotError

    if "copy" not in command.lower():
        return
    try:
        tokens = [(token.token_type, token.text.upper()) for token in tokenize(command, read="snowflake")]
    except SqlglotError:
        return  # not a statement: the parser refuses it
    words = [text for kind, text in tokens if kind not in (TokenType.STRING, TokenType.IDENTIFIER)]
    after = words[words.index("COPY") + 1 :] if "COPY" in words else []
    if after[:1] != ["INTO"] and "TO" in after:
        raise ProgrammingError(msg="COPY ... TO a file is not Snowflake's SQL; use COPY INTO @stage", errno=1003)


def translating_once(translate: Callable[..., Any]) -> Callable[..., Any]:
    """Cache the translation of a statement to DuckDB's dialect; fakesnow walks its tree seventy times per run."""
    from sqlglot import exp

    cache = _statements()
    plain = (exp.Query, exp.Insert, exp.Update, exp.Delete, exp.Merge)

    def translate_once(self: Any, expression: Any, params: Any) -> Any:
        text = getattr(self, "statement_text", "")
        cacheable = text and len(text) <= MAX_CACHED_CHARACTERS and not UNCACHEABLE.search(text)
        if not isinstance(expression, plain) or not cacheable:
            return translate(self, expression, params)
        key = (text, type(expression), self._conn.database, self._conn.schema)
        translated = cache.get(key)
        if translated is None:
            translated = cache[key] = fakesnow_speed.printed(translate(self, expression, params))
        return translated

    return translate_once


def parsing_once(parse: Callable[[str], Any]) -> tuple[Callable[[str], Any], Callable[[str], Any]]:
    """Cache the syntax tree of a statement; fakesnow parses twice per run. Copying a tree is three times faster.

    The tree of a long statement is kept for the second parse of its run only, because it takes megabytes.

    Returns:
        The first parse of a run, whose tree must only be read, and the second, whose tree may be changed.
    """
    cache = _statements()
    long: dict[str, Any] = {}

    def parse_to_read(command: str) -> Any:
        if len(command) > MAX_CACHED_CHARACTERS:
            long.clear()
            tree = long[command] = parse(command)
            return tree
        tree = cache.get(command)
        if tree is None:
            tree = cache[command] = parse(command)
        return tree

    def parse_to_translate(command: str) -> Any:
        if len(command) > MAX_CACHED_CHARACTERS:
            return long.pop(command, None) or parse(command)
        return parse_to_read(command).copy()

    return parse_to_read, parse_to_translate


def merging_atomically(explode: Callable[..., Any]) -> Callable[..., Any]:
    """Keep a MERGE as one statement; fakesnow splits it into four, so that others can see intermediate states."""
    from sqlglot import exp

    def explode_others(self: Any, expression: Any) -> Any:
        if not isinstance(expression, exp.Merge):
            return explode(self, expression)
        for update in expression.find_all(exp.Update):
            for assignment in update.expressions:
                # DuckDB requires an unqualified column left of the "=".
                assignment.this.set("table", None)
        return [expression]

    return explode_others


def merging_natively(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Run a MERGE as DuckDB's own statement, and return the same counts as Snowflake."""
    import sqlglot
    from sqlglot import exp

    def execute_merge(self: Any, transformed: Any, params: Any = None) -> Any:
        if not isinstance(transformed, exp.Merge):
            return execute(self, transformed, params)
        if not self._conn._autocommit and not self._conn._in_transaction:
            self._duck_conn.begin()
            self._conn._in_transaction = True
        sql = f"{transformed.sql(dialect='duckdb')} RETURNING merge_action"
        rows = Counter(action for (action,) in self._duck_conn.execute(sql, params).fetchall())
        actions = [when.args["then"] for when in transformed.find_all(exp.When)]
        kinds = {"INSERT": exp.Insert, "UPDATE": exp.Update, "DELETE": exp.Var}
        counts = [
            f"""{rows[name]} AS "number of rows {name.lower().removesuffix("e")}ed\""""
            for name, kind in kinds.items()
            if any(isinstance(action, kind) for action in actions)
        ]
        answer = sqlglot.parse_one(f"SELECT {', '.join(counts)}", read="duckdb")
        answer.set("merge_counts", True)
        return execute(self, answer, None)

    return execute_merge


def timestamps_with_nulls(column: Any) -> Any:
    """Timestamps as the connector expects them: seconds and nanoseconds. fakesnow turns NULL into the year 1970."""
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
    """A table's columns and their types, for a COPY INTO that matches columns by name.

    fakesnow looks for the table in the session's schema only, where temporary tables are missing; Snowflake finds both.
    """
    columns = duck_conn.execute(f"describe {table.sql(dialect='duckdb')}").fetchall()
    return [(name, kind) for name, kind, *_ in columns]


def apply() -> None:
    """Install every patch in this process."""
    # A deprecation in fakesnow's own code; harmless, and a reader of the log cannot fix it.
    warnings.filterwarnings("ignore", message="Arrow output on a DB-API result", category=UserWarning)
    arrow: Any = import_module("fakesnow.arrow")
    cursors: Any = import_module("fakesnow.cursor")
    server: Any = import_module("fakesnow.server")
    server.parse_one, cursors.parse_one = parsing_once(cursors.parse_one)
    cursor = cursors.FakeSnowflakeCursor
    cursor.execute = reporting_errors(cursor.execute)
    cursor._execute = merging_natively(cursor._execute)
    cursor._transform_explode = merging_atomically(cursor._transform_explode)
    cursor._transform = translating_once(cursor._transform)
    arrow.timestamp_to_sf_struct = timestamps_with_nulls
    copies: Any = import_module("fakesnow.copy_into")
    copies._describe_table = columns_of
    fakesnow_speed.apply()
