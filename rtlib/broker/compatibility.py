"""Compatibility: a refused schema change, explained field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
# Apicurio lists its complaints as KIND at /json/pointer.
COMPLAINT = re.compile(r"(?P<kind>[A-Z_]{5,}) at (?P<path>/[^\s,\]]*(?:\[criterion\])?)")


def explain_refusal(message: str, *, old: Schema | None, new: Schema) -> tuple[str, ...]:
    """Explain field by field why a new schema is incompatible.

    Args:
        message: The registry's message.
        old: The registered schema; None if unknown.
        new: The refused schema.

    Returns:
        A sentence for each fault, without repetitions; the registry's own message if no fault can be parsed.
    """
    complaints = [COMPLAINT.fullmatch(part.strip(" []")) or COMPLAINT.search(part) for part in message.split(", ")]
    faults = [line for match in complaints if match for line in _faults(match["kind"], match["path"], old or {}, new)]
    return tuple(dict.fromkeys(faults)) or (message,)


def _faults(kind: str, path: str, old: Schema, new: Schema) -> Iterator[str]:
    parent, _, last = path.rpartition("/")
    before, after = _at(old, parent), _at(new, parent)
    if last == "propertySchemasRemoved":
        for name in _missing(before.get("properties", {}), after.get("properties", {})):
            yield f"{_field(parent, name)}: removed, but earlier events carry it"
    elif last == "propertySchemasAdded":
        for name in _missing(after.get("properties", {}), before.get("properties", {})):
            yield f"{_field(parent, name)}: added, but earlier events may hold anything under that name"
    elif last == "required":
        for name in _missing(after.get("required", ()), before.get("required", ())):
            yield f"{_field(parent, name)}: now required, but earlier events may lack it"
    elif last == "additionalProperties":
        yield f"{_field(parent) or 'the event'}: now closed, but earlier events may have other fields"
    else:
        yield _changed(kind, path, old, new)


def _changed(kind: str, path: str, old: Schema, new: Schema) -> str:
    """The difference between the old and the new rule of a field."""
    rule = "/".join(_rule_steps(path))
    before, after = _at(old, rule), _at(new, rule)
    keys = [key for key in {**before, **after} if key != "description" and before.get(key) != after.get(key)]
    changes = [f"{key} was {_show(before.get(key))} and would be {_show(after.get(key))}" for key in keys]
    return f"{_field(rule) or 'the event'}: {'; '.join(changes) or kind.lower().replace('_', ' ')}"


def _rule_steps(path: str) -> list[str]:
    """The steps of a path down to the field's rule: each ``properties`` with the name after it."""
    parts = path.strip("/").split("/")
    steps: list[str] = []
    for keyword, name in zip(parts[::2], parts[1::2], strict=False):
        if keyword != "properties":
            break
        steps += [keyword, name]
    return steps


def _at(schema: Schema, path: str) -> Schema:
    """The part of a schema at a path; empty if there is none."""
    node: Any = schema
    for step in path.strip("/").split("/") if path.strip("/") else ():
        node = node.get(step, {}) if isinstance(node, Mapping) else {}
    return node if isinstance(node, Mapping) else {}


def _field(path: str, *names: str) -> str:
    return ".".join([*_rule_steps(path)[1::2], *names])


def _missing(names: Any, others: Any) -> list[str]:
    return [name for name in names if name not in others]


def _show(value: Any) -> str:
    return "absent" if value is None else json.dumps(value, ensure_ascii=False)
