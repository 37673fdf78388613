"""Good and bad events of a schema, for Hypothesis: only the subset of JSON Schema that domains use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

Schema = Mapping[str, Any]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=5
)


def fitting(schema: Schema) -> st.SearchStrategy[Any]:
    """Values that the schema takes."""
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    types = [schema["type"]] if isinstance(schema["type"], str) else list(schema["type"])
    return st.one_of(*(_of_type(one, schema) for one in types))


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
    """A good event in which one thing was done: a field set to something, taken out, or put in."""
    event: dict[str, Any] = draw(fitting(schema))
    inside = draw(st.booleans())
    place = event["attributes"] if inside else event
    name = draw(st.sampled_from(sorted(place)) | st.text()) if place else draw(st.text())
    if draw(st.booleans()):
        place.pop(name, None)
    else:
        place[name] = draw(JSON)
    return event
