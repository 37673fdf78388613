"""Validation: a JSON Schema compiled once, to validate thousands of events per second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rtlib.errors import ConfigError, EventRefused

if TYPE_CHECKING:
    from fastjsonschema import JsonSchemaValueException

Schema = Mapping[str, Any]
Validate = Callable[[Mapping[str, Any]], None]


def compile_schema(schema: Schema) -> Validate:
    """Compile a JSON Schema into a function that validates events.

    Reasons are worded as in the streaming queries, so that a fault has the same name everywhere. ``format`` is not
    checked (JSON Schema leaves that open); use ``pattern``, as the domains do. An integer must be written without a
    decimal point: JSON Schema accepts 7.0 as 7, but Spark, which reads the events from Kafka, does not.

    Returns:
        A function that takes an event's JSON object, returns None if it fits, and raises EventRefused with the reason
        and the field's dotted path if it does not.

    Raises:
        ConfigError: This is not a JSON Schema.
    """
    import re

    import fastjsonschema

    try:
        # Defaults off: a validator that fills in defaults would change the event.
        check = fastjsonschema.compile(dict(schema), use_default=False, use_formats=False)
    except (fastjsonschema.JsonSchemaDefinitionException, re.error) as error:
        raise ConfigError(
            f"the schema is not a JSON Schema: {error}", cure="compare it with rtlib/domains/iot.schema.json"
        ) from error

    integers = tuple(_integers(schema))

    def validate(event: Mapping[str, Any]) -> None:
        try:
            check(event)
        except fastjsonschema.JsonSchemaValueException as error:
            raise _refused(error) from None
        for path in integers:
            if isinstance(_at(event, path), float):
                raise EventRefused("not an integer", field=".".join(path))

    return validate


def _integers(schema: Schema) -> Iterator[tuple[str, ...]]:
    """The path of each field that accepts integers but no other numbers."""
    for name, rule in schema.get("properties", {}).items():
        declared = rule.get("type", ())
        types = {declared} if isinstance(declared, str) else set(declared)
        if "integer" in types and "number" not in types:
            yield (name,)
        yield from ((name, *path) for path in _integers(rule))


def _at(event: Any, path: tuple[str, ...]) -> Any:
    """The value at this path; None if there is none."""
    for name in path:
        event = event.get(name) if isinstance(event, Mapping) else None
    return event


def _refused(error: JsonSchemaValueException) -> EventRefused:
    path = list(error.path[1:])  # the first step is the library's name for the root
    if error.rule == "required":
        missing = next(name for name in error.rule_definition if name not in error.value)
        return EventRefused("missing", field=".".join([*path, missing]))
    reason = _reason(error.rule or "", error.rule_definition, error.value, error.message)
    return EventRefused(reason, field=".".join(path))


def _reason(rule: str, expected: Any, value: Any, message: str) -> str:
    """A broken rule in words."""
    reasons: dict[str, Callable[[], str]] = {
        "type": lambda: "null" if value is None else _not_of_type(expected),
        "const": lambda: f"not {expected!r}",
        "enum": lambda: f"not one of: {', '.join(str(choice) for choice in expected if choice is not None)}",
        "pattern": lambda: "not of the form that its schema asks for",
        "minLength": lambda: f"shorter than {expected}",
        "minimum": lambda: f"below {expected}",
        "maximum": lambda: f"above {expected}",
        "additionalProperties": lambda: "has a field that the schema does not know",
    }
    return reasons[rule]() if rule in reasons else message.partition(" ")[2] or message


def _not_of_type(expected: str | list[str]) -> str:
    kind = expected if isinstance(expected, str) else next((name for name in expected if name != "null"), "null")
    return f"not {'an' if kind[0] in 'aio' else 'a'} {kind}"
