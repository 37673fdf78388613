"""Validation: a JSON Schema compiled once, so that thousands of events a second can be held against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rtlib.errors import ConfigError, EventRefused

if TYPE_CHECKING:
    from fastjsonschema import JsonSchemaValueException

Schema = Mapping[str, Any]
Validate = Callable[[Mapping[str, Any]], None]


def compile_schema(schema: Schema) -> Validate:
    """Make the function that judges events.

    The words of a reason are those that the streaming queries use, so that one fault has one name everywhere.
    ``format`` is not judged (JSON Schema leaves that open); say it with ``pattern``, as the domains do. An integer is
    to be written as one: JSON Schema would take 7.0 for 7, and Spark, which reads it behind Kafka, does not.

    Returns:
        A function that takes the event's JSON object, returns nothing when it fits, and raises EventRefused with
        the reason and the field's dotted path when it does not.

    Raises:
        ConfigError: This is no JSON Schema.
    """
    import re

    import fastjsonschema

    try:
        # Defaults off: a validator that fills values in would change the event that it judges.
        judge = fastjsonschema.compile(dict(schema), use_default=False, use_formats=False)
    except (fastjsonschema.JsonSchemaDefinitionException, re.error) as error:
        raise ConfigError(f"the schema is no JSON Schema: {error}", cure="compare it with a domain's") from error

    integers = tuple(_integers(schema))

    def validate(event: Mapping[str, Any]) -> None:
        try:
            judge(event)
        except fastjsonschema.JsonSchemaValueException as error:
            raise _refused(error) from None
        for path in integers:
            if isinstance(_at(event, path), float):
                raise EventRefused("not an integer", field=".".join(path))

    return validate


def _integers(schema: Schema) -> Iterator[tuple[str, ...]]:
    """The path of each field that takes integers and no other numbers."""
    for name, rule in schema.get("properties", {}).items():
        told = rule.get("type", ())
        types = {told} if isinstance(told, str) else set(told)
        if "integer" in types and "number" not in types:
            yield (name,)
        yield from ((name, *path) for path in _integers(rule))


def _at(event: Any, path: tuple[str, ...]) -> Any:
    """What stands there; None where nothing does."""
    for name in path:
        event = event.get(name) if isinstance(event, Mapping) else None
    return event


def _refused(error: JsonSchemaValueException) -> EventRefused:
    path = list(error.path[1:])  # the first step is the library's name for the whole
    if error.rule == "required":
        missing = next(name for name in error.rule_definition if name not in error.value)
        return EventRefused("missing", field=".".join([*path, missing]))
    reason = _reason(error.rule or "", error.rule_definition, error.value, error.message)
    return EventRefused(reason, field=".".join(path))


def _reason(rule: str, wanted: Any, value: Any, message: str) -> str:
    """Why, in words."""
    reasons: dict[str, Callable[[], str]] = {
        "type": lambda: "null" if value is None else _not_of_type(wanted),
        "const": lambda: f"not {wanted!r}",
        "enum": lambda: f"not one of: {', '.join(str(one) for one in wanted if one is not None)}",
        "pattern": lambda: "not of the form that its schema asks for",
        "minLength": lambda: f"shorter than {wanted}",
        "minimum": lambda: f"below {wanted}",
        "maximum": lambda: f"above {wanted}",
        "additionalProperties": lambda: "has a field that the schema does not know",
    }
    return reasons[rule]() if rule in reasons else message.partition(" ")[2] or message


def _not_of_type(wanted: str | list[str]) -> str:
    kind = wanted if isinstance(wanted, str) else next((one for one in wanted if one != "null"), "null")
    return f"not {'an' if kind[0] in 'aio' else 'a'} {kind}"
