"""Compatibility: the registry's refusal of a schema, in words that name the field and what changed about it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
# Apicurio lists its complaints as KIND at /json/pointer.
COMPLAINT = re.compile(r"(?P<kind>[A-Z_]{5,}) at (?P<path>/[^\s,\]]*(?:\[criterion\])?)")


def readable(message: str, *, old: Schema | None, new: Schema) -> tuple[str, ...]:
    """Say field by field why a new schema was refused.

    Args:
        message: What the registry said.
        old: The schema that it holds; None when that is not known.
        new: The refused one.

    Returns:
        One sentence a fault, each once; the registry's own message where it names none that can be followed.
    """
    found = [COMPLAINT.fullmatch(one.strip(" []")) or COMPLAINT.search(one) for one in message.split(", ")]
    told = [line for one in found if one for line in _lines(one["kind"], one["path"], old or {}, new)]
    return tuple(dict.fromkeys(told)) or (message,)


def _lines(kind: str, path: str, old: Schema, new: Schema) -> Iterator[str]:
    parent, _, last = path.rpartition("/")
    before, after = _at(old, parent), _at(new, parent)
    if last == "propertySchemasRemoved":
        for name in _less(before.get("properties", {}), after.get("properties", {})):
            yield f"{_field(parent, name)}: removed, but events written before carry it"
    elif last == "propertySchemasAdded":
        for name in _less(after.get("properties", {}), before.get("properties", {})):
            yield f"{_field(parent, name)}: added, but events written before may hold anything under that name"
    elif last == "required":
        for name in _less(after.get("required", ()), before.get("required", ())):
            yield f"{_field(parent, name)}: required now, but events written before need not have it"
    elif last == "additionalProperties":
        yield f"{_field(parent) or 'the event'}: closed now, but events written before may have other fields"
    else:
        yield _changed(kind, path, old, new)


def _changed(kind: str, path: str, old: Schema, new: Schema) -> str:
    """What is different about one field's rule."""
    rule = "/".join(_rule_steps(path))
    before, after = _at(old, rule), _at(new, rule)
    keys = [key for key in {**before, **after} if key != "description" and before.get(key) != after.get(key)]
    changes = [f"{key} was {_show(before.get(key))} and would be {_show(after.get(key))}" for key in keys]
    return f"{_field(rule) or 'the event'}: {'; '.join(changes) or kind.lower().replace('_', ' ')}"


def _rule_steps(path: str) -> list[str]:
    """The steps to the rule of the field that a path leads into: each ``properties`` with the name after it."""
    steps = path.strip("/").split("/")
    taken: list[str] = []
    for name, value in zip(steps[::2], steps[1::2], strict=False):
        if name != "properties":
            break
        taken += [name, value]
    return taken


def _at(schema: Schema, path: str) -> Schema:
    here: Any = schema
    for step in path.strip("/").split("/") if path.strip("/") else ():
        here = here.get(step, {}) if isinstance(here, Mapping) else {}
    return here if isinstance(here, Mapping) else {}


def _field(path: str, *more: str) -> str:
    return ".".join([*_rule_steps(path)[1::2], *more])


def _less(some: Any, others: Any) -> list[str]:
    return [one for one in some if one not in others]


def _show(value: Any) -> str:
    return "absent" if value is None else json.dumps(value, ensure_ascii=False)
