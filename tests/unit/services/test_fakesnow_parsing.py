"""The local warehouse's cache of parsed statements."""

from __future__ import annotations

import sqlglot

from rtlib.services.fakesnow_patches import MAX_CACHED_CHARACTERS, parsing_once


def test_a_statement_is_parsed_once_and_a_change_to_its_tree_does_not_affect_the_next_run() -> None:
    parsed = []

    def parse(command: str) -> sqlglot.Expression:
        parsed.append(command)
        return sqlglot.parse_one(command, read="snowflake")

    cached = parsing_once(parse)
    first = cached("select a from t where b = ?")
    first.set("where", None)
    assert cached("select a from t where b = ?").sql() == "SELECT a FROM t WHERE b = ?"
    assert parsed == ["select a from t where b = ?"]


def test_a_very_long_statement_is_not_cached() -> None:
    parsed = []
    cached = parsing_once(lambda command: parsed.append(command))
    for _ in range(2):
        cached("x" * (MAX_CACHED_CHARACTERS + 1))
    assert len(parsed) == 2
