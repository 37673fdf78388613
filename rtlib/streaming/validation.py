"""Validation: a domain's JSON Schema as Spark columns, so that both queries validate alike and without Python.

Real-time mode accepts no Python functions, and if the two queries disagreed on a record, their counts would never
reconcile. So the subset of JSON Schema that the domains use (type, enum, const, pattern, minimum, maximum, minLength,
required, properties) is compiled to column expressions, and tests compare the results with the ``jsonschema``
library's.

Almost every record is valid and has its fields in the order of the schema. Such a record is recognised by a regular
expression (``fast_path``) and its values, at about half the cost of checking field by field.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterator, Mapping
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

from rtlib.limits import DEEP, MAX_EVENT_BYTES, REMOVALS, TOO_DEEP, TOO_LARGE
from rtlib.streaming.fast_path import record_regex

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

FRAME_BYTES = 5  # Confluent's wire format: a zero byte and a 4-byte schema id before the JSON
NO_MATCH = r"(\z.)"  # matches no text
SPARK_TYPES = {"string": "string", "number": "double", "integer": "bigint"}

_DERIVED = ("occurred_at", "attributes")

Schema = Mapping[str, Any]
Rule = tuple[str, str, "Column"]  # field, reason, and a column that is true if the rule is broken


def validate_records(
    records: DataFrame, schema: Schema, *, future_seconds: int, schema_ids: Collection[int] | None = None
) -> DataFrame:
    """Parse Kafka records, with the reason for each invalid record.

    Args:
        records: A Kafka source's rows: ``value``, ``topic``, ``partition``, ``offset``, ``timestamp``.
        schema: The domain's JSON Schema.
        future_seconds: How far ahead of Kafka's clock an event may be. A clock further ahead would drag the watermark
            past all other producers' events.
        schema_ids: The ids of the topic's schemas in the registry; None allows all.

    Returns:
        The schema's fields (``attributes`` as JSON text, ``occurred_at`` as a timestamp, null for an invalid record),
        ``topic``, ``kafka_partition``, ``kafka_offset``, ``received_at``, the unchanged ``payload``, and ``field`` and
        ``reason``, both null for a valid record.
    """
    from pyspark.sql import functions as F

    small = F.length("value") <= MAX_EVENT_BYTES  # larger records are neither decoded nor parsed
    text = F.when(small, F.expr(f"try_validate_utf8(substring(value, {FRAME_BYTES + 1}))"))
    parsed = records.select(
        F.col("value").alias("payload"),
        "topic",
        F.col("partition").alias("kafka_partition"),
        F.col("offset").alias("kafka_offset"),
        F.col("timestamp").alias("received_at"),
        text.alias("text"),
        F.from_json(text, _typed(schema)).alias("event"),
    )
    parsed = parsed.withColumn("fast_attributes", F.regexp_extract("text", record_regex(schema) or NO_MATCH, 1))
    parsed = parsed.withColumn("is_fast", _is_fast(schema, future_seconds, schema_ids))
    parsed = parsed.withColumn("raw", F.when(~F.col("is_fast"), F.from_json("text", "map<string,string>")))
    for name in _objects(schema):  # as a column, because Spark would parse it again for every rule
        parsed = parsed.withColumn(f"raw_{name}", F.from_json(F.col("raw")[name], "map<string,string>"))
    problem = F.coalesce(*(_problem(*rule) for rule in _rules(schema, future_seconds, schema_ids)))
    # Spark interprets the body of this lambda. In the code that it generates for each batch, these hundred rules would
    # be most of the text, for few records.
    interpreted = F.zip_with(F.array(F.lit(0)), F.array(F.lit(0)), lambda _left, _right: problem)[0]
    fields = [F.col(f"event.{name}").alias(name) for name in schema["properties"] if name not in _DERIVED]
    return parsed.withColumn("problem", F.when(~F.col("is_fast"), interpreted)).select(
        *fields,
        # Null for invalid records: a year beyond Python's range would end the archive query.
        F.when(F.col("problem").isNull(), F.col("event.occurred_at")).alias("occurred_at"),
        F.when(F.col("is_fast"), F.col("fast_attributes")).otherwise(F.col("raw")["attributes"]).alias("attributes"),
        "topic",
        "kafka_partition",
        "kafka_offset",
        "received_at",
        "payload",
        F.col("problem.field").alias("field"),
        F.col("problem.reason").alias("reason"),
    )


def _problem(field: str, reason: str, broken: Column) -> Column:
    from pyspark.sql import functions as F

    problem = F.struct(F.lit(field).alias("field"), F.lit(reason).alias("reason"))
    return F.when(F.coalesce(broken, F.lit(False)), problem)


def _is_fast(schema: Schema, future_seconds: int, schema_ids: Collection[int] | None) -> Column:
    """True for a record that is valid by the regular expression and its values; False decides nothing."""
    from pyspark.sql import functions as F

    broken = [*_frame_rules(schema_ids), *_typed_rules(schema, F.col("event")), _ahead(future_seconds)]
    kept = [~F.coalesce(rule, F.lit(False)) for _, _, rule in broken]
    # Spark returns null for text that it cannot parse, even if it matches.
    parsed = [
        F.col(f"event.{name}").isNotNull() for name in schema.get("required", ()) if not _may_be_null(schema, name)
    ]
    return F.coalesce(reduce(and_, [F.col("fast_attributes") != "", *parsed, *kept]), F.lit(False))


def _typed_rules(schema: Schema, typed: Column, prefix: str = "") -> Iterator[Rule]:
    for name, rule in schema.get("properties", {}).items():
        if _types(rule) == ("object",):
            yield from _typed_rules(rule, typed[name], f"{prefix}{name}.")
        else:
            others = {key: value for key, value in rule.items() if key != "pattern"}  # in the regular expression
            yield from _value_rules(others, typed[name], f"{prefix}{name}")


def _rules(schema: Schema, future_seconds: int, schema_ids: Collection[int] | None) -> Iterator[Rule]:
    """All rules in the order in which their reasons are reported: the frame, the JSON, then field by field."""
    from pyspark.sql import functions as F

    yield from _frame_rules(schema_ids)
    yield "", TOO_LARGE, F.length("payload") > MAX_EVENT_BYTES
    yield "", "not valid UTF-8", F.col("text").isNull()
    yield "", TOO_DEEP, _too_deep(F.col("text"))
    yield "", "not a JSON object", F.col("raw").isNull()
    yield from _object_rules(schema, raw=F.col("raw"), typed=F.col("event"), prefix="")
    yield _ahead(future_seconds)


def _ahead(future_seconds: int) -> Rule:
    from pyspark.sql import functions as F

    ahead = F.col("event.occurred_at") > F.col("received_at") + F.expr(f"INTERVAL {future_seconds} SECONDS")
    return "occurred_at", f"more than {future_seconds} s in the future", ahead


def _frame_rules(schema_ids: Collection[int] | None) -> Iterator[Rule]:
    from pyspark.sql import functions as F

    yield "", "empty: the record has no value", F.col("payload").isNull()
    yield "", "shorter than the 5-byte frame", F.length("payload") <= FRAME_BYTES
    yield "", "no Confluent frame: the first byte is not 0", F.expr("substring(payload, 1, 1) <> x'00'")
    if schema_ids is not None:
        ids = [struct.pack(">I", schema_id) for schema_id in sorted(schema_ids)]
        yield "", "a schema id that is not this topic's", ~F.expr("substring(payload, 2, 4)").isin(ids)


def _too_deep(text: Column) -> Column:
    """``limits.too_deep`` as a column."""
    from pyspark.sql import functions as F

    for expression in REMOVALS:
        text = F.regexp_replace(text, expression, "")
    return text.rlike(DEEP)


def _object_rules(schema: Schema, *, raw: Column, typed: Column, prefix: str) -> Iterator[Rule]:
    from pyspark.sql import functions as F

    required = set(schema.get("required", ()))
    # JSON readers differ in which of two values they use, so a repeated field has no defined value.
    repeated = F.size(F.array_distinct(F.map_keys(raw))) < F.size(raw)
    yield prefix.rstrip("."), "has a field twice", raw.isNotNull() & repeated
    if schema.get("additionalProperties") is False:
        names = F.array(*(F.lit(name) for name in schema["properties"]))
        yield (
            prefix.rstrip("."),
            "has a field that the schema does not know",
            F.size(F.array_except(F.map_keys(raw), names)) > 0,
        )
    for name, rule in schema["properties"].items():
        path = f"{prefix}{name}"
        if name in required:
            yield path, "missing", ~_has(raw, name)
        if _types(rule) == ("object",):
            yield from _nested(rule, raw=raw, typed=typed, name=name, path=path)
        else:
            yield from _field_rules(rule, raw=raw[name], typed=typed[name], path=path, present=_has(raw, name))


def _nested(rule: Schema, *, raw: Column, typed: Column, name: str, path: str) -> Iterator[Rule]:
    from pyspark.sql import functions as F

    inner = F.col(f"raw_{name}")
    yield path, "not an object", _has(raw, name) & inner.isNull()
    if rule.get("properties"):
        yield from _object_rules(rule, raw=inner, typed=typed[name], prefix=f"{path}.")


def _field_rules(rule: Schema, *, raw: Column, typed: Column, path: str, present: Column) -> Iterator[Rule]:
    from pyspark.sql import functions as F

    types = _types(rule)
    if "null" not in types:
        yield path, "null", present & raw.isNull()
    kind = next((name for name in types if name != "null"), "string")
    if kind == "string":
        value = raw
        if not {"const", "enum", "pattern"} & rule.keys():  # a map of strings also accepts a number as a string
            quoted = rf'"{path.rpartition(".")[2]}"\s*:\s*"'
            yield path, "not a string", raw.isNotNull() & ~F.col("text").rlike(quoted)
    else:
        yield path, f"not {_article(kind)}", raw.isNotNull() & typed.isNull()
        value = typed
    yield from _value_rules(rule, value, path)
    if path == "occurred_at":
        yield path, "not a time", raw.isNotNull() & typed.isNull()


def _value_rules(rule: Schema, value: Column, path: str) -> Iterator[Rule]:
    """Rules for a value beyond its type."""
    from pyspark.sql import functions as F

    if "const" in rule:
        yield path, f"not {rule['const']!r}", value != F.lit(rule["const"])
    if "enum" in rule:
        allowed = [constant for constant in rule["enum"] if constant is not None]
        yield path, f"not one of: {', '.join(map(str, allowed))}", ~value.isin(allowed)
    if "pattern" in rule:
        yield path, "not of the form that its schema asks for", ~value.rlike(_java_pattern(rule["pattern"]))
    if "minLength" in rule:
        yield path, f"shorter than {rule['minLength']}", F.length(value) < rule["minLength"]
    if "minimum" in rule:
        yield path, f"below {rule['minimum']}", value < F.lit(rule["minimum"])
    if "maximum" in rule:
        yield path, f"above {rule['maximum']}", value > F.lit(rule["maximum"])


def _java_pattern(pattern: str) -> str:
    r"""The pattern for Java, where ``$`` also matches before a final line break and ``\z`` does not."""
    return re.sub(r"(?<!\\)((?:\\\\)*)\$$", r"\1\\z", pattern)


def _has(raw: Column, name: str) -> Column:
    from pyspark.sql import functions as F

    return F.coalesce(F.map_contains_key(raw, name), F.lit(True))  # a missing map is covered by another rule


def _may_be_null(schema: Schema, name: str) -> bool:
    return "null" in _types(schema["properties"][name])


def _objects(schema: Schema) -> list[str]:
    return [name for name, rule in schema["properties"].items() if _types(rule) == ("object",)]


def _types(rule: Schema) -> tuple[str, ...]:
    types = rule.get("type", "string")
    return (types,) if isinstance(types, str) else tuple(types)


def _article(kind: str) -> str:
    return "an integer" if kind == "integer" else f"a {kind}"


def _typed(schema: Schema) -> str:
    """The schema as a Spark type, in DDL."""
    columns = []
    for name, rule in schema["properties"].items():
        kind = next((name for name in _types(rule) if name != "null"), "string")
        if kind == "object":
            inner = _typed(rule) if rule.get("properties") else None
            columns.append(f"`{name}` {inner or 'map<string,string>'}")
        else:
            columns.append(f"`{name}` {'timestamp' if name == 'occurred_at' else SPARK_TYPES[kind]}")
    return f"struct<{', '.join(column.replace(' ', ': ', 1) for column in columns)}>"
