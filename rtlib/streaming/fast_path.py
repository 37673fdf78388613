"""Shape: what the text of a well-made record looks like, as one regular expression, so that the common case is cheap.

A record whose fields stand in its schema's order, each of them once and each of its type, needs no search for fields
that are missing, doubled or unknown. Whatever does not look so is not refused: it is looked at field by field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
CAPTURED = "attributes"  # the object whose text the expression's only group holds
# Narrower than JSON (RFC 8259), so that a match is surely read: no escapes, no number that a column cannot hold.
TEXT = r'[^"\\\x00-\x1f]*+'
VALUES = {
    "integer": r"-?(?:0|[1-9][0-9]{0,17})",
    "number": r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,2})?",
    "null": "null",
}
# A pattern that cannot run over the end of its string: no quote, no dot, no excluded characters, no named classes.
CONTAINED = re.compile(r"\^((?:[A-Za-z0-9_:,|*+?(){}\[\]-]|\\\.)*)\$")


def record_regex(schema: Schema) -> str | None:
    """The schema as a Java regular expression for the whole text of a record; None where it cannot be told so.

    A match means: an object with no other fields than the schema's, each at most once, none missing that is required,
    each of a type that it may have, and each text of its pattern. What else a value must be it does not say.

    Args:
        schema: A JSON Schema of the kind that ``contract`` knows. Its required object ``attributes`` becomes the
            expression's only group.
    """
    rule = schema.get("properties", {}).get(CAPTURED, {})
    if rule.get("type") != "object" or CAPTURED not in schema.get("required", ()):
        return None
    told = _object(schema, captured=CAPTURED)
    return None if told is None else rf"^{told}\z"


def _object(schema: Schema, *, captured: str | None = None) -> str | None:
    """Each member follows the opening brace or a comma; JSON's optional space is taken where most writers put it."""
    members, between = [], r"(?:(?<=\{)|(?<!\{), ?)"
    for name, rule in schema.get("properties", {}).items():
        value = _value(rule)
        if value is None:
            return None
        group = f"({value})" if name == captured else value
        member = f'{between}"{re.escape(name)}": ?{group}'
        if name in schema.get("required", ()):
            between = ", ?"  # something stands before whatever follows
            members.append(member)
        else:
            members.append(f"(?:{member})?")
    return rf"\{{{''.join(members)}\}}" if members else None


def _value(rule: Schema) -> str | None:
    told = rule.get("type", "string")
    known = [_of_type(one, rule) for one in ([told] if isinstance(told, str) else told)]
    return None if None in known else rf"(?:{'|'.join(filter(None, known))})"


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
