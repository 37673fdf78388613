"""Records for tests of the broker: valid and spoilt events of a schema (the subset that domains use), and a KPI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

KPI = {
    "domain": "iot",
    "site": "north",
    "window_start": "2026-03-02T08:15:00.000000Z",
    "window_end": "2026-03-02T08:16:00.000000Z",
    "measures": {"readings": 3.0, "mean_temperature": None},
    "events": 3,
    "late": 1,
    "first_event_at": "2026-03-02T08:15:00.250000Z",
    "last_event_at": "2026-03-02T08:15:59.999999Z",
}
Schema = Mapping[str, Any]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=5
)


def fitting(schema: Schema) -> st.SearchStrategy[Any]:
    """Values that the schema accepts."""
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    types = [schema["type"]] if isinstance(schema["type"], str) else list(schema["type"])
    return st.one_of(*(_of_type(kind, schema) for kind in types))


def _of_type(kind: str, schema: Schema) -> st.SearchStrategy[Any]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if kind == "object":
        required = {name: fitting(rule) for name, rule in schema["properties"].items() if name in schema["required"]}
        optional = {
            name: fitting(rule) for name, rule in schema["properties"].items() if name not in schema["required"]
        }
        return st.fixed_dictionaries(required, optional=optional)
    if kind == "string":
        if "pattern" in schema:
            return st.from_regex(schema["pattern"], fullmatch=True)
        return st.text(min_size=schema.get("minLength", 0))
    if kind == "integer":
        return st.integers(low, high)
    return st.none() if kind == "null" else st.floats(low, high, allow_nan=False, allow_infinity=False)


@st.composite
def spoilt(draw: st.DrawFn, schema: Schema) -> dict[str, Any]:
    """A valid event with a single change: a field set to another value, removed, or added."""
    event: dict[str, Any] = draw(fitting(schema))
    inside = draw(st.booleans())
    place = event["attributes"] if inside else event
    name = draw(st.sampled_from(sorted(place)) | st.text()) if place else draw(st.text())
    if draw(st.booleans()):
        place.pop(name, None)
    else:
        place[name] = draw(JSON)
    return event


def kpi_value(**changes: Any) -> bytes:
    """The value of a record of the KPI topic, with some fields changed."""
    return json.dumps({**KPI, **changes}).encode()
