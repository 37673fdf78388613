"""Explanations of refused schema changes; the messages are Apicurio's own for these changes."""

from __future__ import annotations

import pytest

from rtlib.broker.compatibility import explain_refusal

OLD = {
    "type": "object",
    "required": ["site", "value"],
    "properties": {
        "site": {"type": "string", "enum": ["a", "b"]},
        "value": {"type": ["number", "null"], "minimum": 0},
        "attributes": {"type": "object", "required": ["x"], "properties": {"x": {"type": "string"}}},
    },
}


def refusal(*complaints: str) -> str:
    return (
        "io.apicurio.registry.rules.RuleViolationException: Incompatible artifact: t1 [JSON], num of incompatible "
        f"diffs: {{{len(complaints)}}}, list of diff types: [{', '.join(complaints)}]"
    )


def changed(**properties: object) -> dict[str, object]:
    kept = {name: rule for name, rule in {**OLD["properties"], **properties}.items() if rule is not None}
    return {**OLD, "properties": kept}


@pytest.mark.parametrize(
    ("new", "complaints", "lines"),
    [
        (
            changed(site=None),
            ["OBJECT_TYPE_PROPERTY_SCHEMAS_NARROWED at /propertySchemasRemoved"],
            ("site: removed, but earlier events carry it",),
        ),
        (
            changed(note={"type": "string"}),
            ["OBJECT_TYPE_PROPERTY_SCHEMAS_NARROWED at /propertySchemasAdded"],
            ("note: added, but earlier events may hold anything under that name",),
        ),
        (
            {**OLD, "required": ["site", "value", "attributes"]},
            ["OBJECT_TYPE_REQUIRED_PROPERTIES_MEMBER_ADDED at /required"],
            ("attributes: now required, but earlier events may lack it",),
        ),
        (
            changed(site={"type": "integer", "enum": ["a", "b"]}),
            ["SUBSCHEMA_TYPE_CHANGED at /properties/site"],
            ('site: type was "string" and would be "integer"',),
        ),
        (
            changed(value={"type": "string", "minimum": 0}),
            ["COMBINED_TYPE_CRITERION_NARROWED at /properties/value/[criterion]"],
            ('value: type was ["number", "null"] and would be "string"',),
        ),
        (
            changed(value={"type": ["number", "null"], "minimum": 5}),
            ["COMBINED_TYPE_SUBSCHEMA_NOT_COMPATIBLE at /properties/value"],
            ("value: minimum was 0 and would be 5",),
        ),
        (
            changed(attributes={**OLD["properties"]["attributes"], "properties": {"x": {"type": "integer"}}}),
            ["SUBSCHEMA_TYPE_CHANGED at /properties/attributes/properties/x"],
            ('attributes.x: type was "string" and would be "integer"',),
        ),
        (
            changed(attributes={"type": "object", "properties": {}}),
            ["OBJECT_TYPE_PROPERTY_SCHEMAS_NARROWED at /properties/attributes/propertySchemasRemoved"],
            ("attributes.x: removed, but earlier events carry it",),
        ),
        (
            {**OLD, "additionalProperties": False},
            ["OBJECT_TYPE_ADDITIONAL_PROPERTIES_TRUE_TO_FALSE at /additionalProperties"],
            ("the event: now closed, but earlier events may have other fields",),
        ),
        (
            {**changed(site=None, store={"type": "string"}), "required": ["store", "value"]},
            [
                "OBJECT_TYPE_REQUIRED_PROPERTIES_MEMBER_ADDED at /required",
                "OBJECT_TYPE_PROPERTY_SCHEMAS_NARROWED at /propertySchemasRemoved",
            ],
            (
                "store: now required, but earlier events may lack it",
                "site: removed, but earlier events carry it",
            ),
        ),
    ],
)
def test_an_explanation_names_field_and_change(
    new: dict[str, object], complaints: list[str], lines: tuple[str]
) -> None:
    assert explain_refusal(refusal(*complaints), old=OLD, new=new) == lines


def test_a_message_in_an_unknown_form_is_returned_unchanged() -> None:
    message = "Schema being registered is incompatible with an earlier schema"
    assert explain_refusal(message, old=OLD, new=OLD) == (message,)


def test_without_the_old_schema_the_kind_of_change_is_named() -> None:
    lines = explain_refusal(refusal("SUBSCHEMA_TYPE_CHANGED at /properties/site"), old=None, new={})
    assert lines == ("site: subschema type changed",)
