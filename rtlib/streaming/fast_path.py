"""Fast path: the text of a well-formed record as a single regular expression, so that the common case is cheap.

If the fields of a record are in the order of its schema, each once and of its type, there is no need to look for
missing, repeated or unknown fields. A record that does not match is not refused; it is validated field by field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
CAPTURED = "attributes"  # the object captured by the expression's only group
# Narrower than JSON (RFC 8259), so that Spark can parse every match: no escapes, no number too large for a column.
TEXT = r'[^"\\\x00-\x1f]*+'
VALUES = {
    "integer": r"-?(?:0|[1-9][0-9]{0,17})",
    "number": r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,2})?",
    "null": "null",
}
# A pattern that cannot match beyond the end of its string: no quote, dot, negated class or character class escape.
CONTAINED = re.compile(r"\^((?:[A-Za-z0-9_:,|*+?(){}\[\]-]|\\\.)*)\$")


def record_regex(schema: Schema) -> str | None:
    """The schema as a Java regular expression for the whole text of a record; None if it cannot be expressed.

    A match is an object with only fields of the schema, each at most once, all required fields present, each value of
    an allowed type, and each text matching its pattern. Other constraints on values are not checked.

    Args:
        schema: A JSON Schema in the subset that ``validation`` supports. Its required object ``attributes`` becomes
            the expression's only group.
    """
    rule = schema.get("properties", {}).get(CAPTURED, {})
    if rule.get("type") != "object" or CAPTURED not in schema.get("required", ()):
        return None
    text = _object(schema, captured=CAPTURED)
    return None if text is None else rf"^{text}\z"


def _object(schema: Schema, *, captured: str | None = None) -> str | None:
    """Each member follows the opening brace or a comma; a space is allowed only where most JSON writers put it."""
    members, separator = [], r"(?:(?<=\{)|(?<!\{), ?)"
    for name, rule in schema.get("properties", {}).items():
        value = _value(rule)
        if value is None:
            return None
        group = f"({value})" if name == captured else value
        member = f'{separator}"{re.escape(name)}": ?{group}'
        if name in schema.get("required", ()):
            separator = ", ?"  # from here on every member has a predecessor
            members.append(member)
        else:
            members.append(f"(?:{member})?")
    return rf"\{{{''.join(members)}\}}" if members else None


def _value(rule: Schema) -> str | None:
    types = rule.get("type", "string")
    alternatives = [_of_type(name, rule) for name in ([types] if isinstance(types, str) else types)]
    return None if None in alternatives else rf"(?:{'|'.join(filter(None, alternatives))})"


def _of_type(name: str, rule: Schema) -> str | None:
    if name == "object":
        return _object(rule)
    return _text(rule) if name == "string" else VALUES.get(name)


def _text(rule: Schema) -> str | None:
    if "pattern" not in rule:
        return f'"{TEXT}"'
    contained = CONTAINED.fullmatch(rule["pattern"])
    if contained is None or "(?" in contained[1]:
        return None
    return f'"(?:{contained[1].replace("(", "(?:")})"'
