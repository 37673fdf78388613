"""What the local warehouse remembers of statements."""

from __future__ import annotations

import sqlglot

from rtlib.services.fakesnow_mends import LONGEST_KEPT, parsed_once


def test_a_statement_is_parsed_once_and_what_one_run_changes_in_its_tree_the_next_does_not_see() -> None:
    asked = []

    def parse(command: str) -> sqlglot.Expression:
        asked.append(command)
        return sqlglot.parse_one(command, read="snowflake")

    remembered = parsed_once(parse)
    first = remembered("select a from t where b = ?")
    first.set("where", None)
    assert remembered("select a from t where b = ?").sql() == "SELECT a FROM t WHERE b = ?"
    assert asked == ["select a from t where b = ?"]


def test_a_statement_of_great_length_is_not_remembered() -> None:
    asked = []
    remembered = parsed_once(lambda command: asked.append(command))
    for _ in range(2):
        remembered("x" * (LONGEST_KEPT + 1))
    assert len(asked) == 2
