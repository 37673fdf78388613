"""Contract: a domain's JSON Schema as Spark columns, so that both queries judge a record alike and without Python.

Real-time mode takes no Python functions, and a verdict that differed between the two queries would make counts that
never reconcile. So the subset of JSON Schema that the domains use (type, enum, const, pattern, minimum, maximum,
minLength, required, properties) is compiled to column expressions, and tests hold the verdicts against the
``jsonschema`` library's.

Almost every record fits, and is written in the order of its schema. Such a one is known by its ``shape`` and its
values, for about half of what it costs to look for every field and its faults.
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
NEVER = r"(\z.)"  # what nothing looks like
SPARK_TYPES = {"string": "string", "number": "double", "integer": "bigint"}

_DERIVED = ("occurred_at", "attributes")

Schema = Mapping[str, Any]
Rule = tuple[str, str, "Column"]  # field, reason, true when broken


def validate_records(
    records: DataFrame, schema: Schema, *, future_seconds: int, schema_ids: Collection[int] | None = None
) -> DataFrame:
    """Parse Kafka records and say of each why it is refused, if it is.

    Args:
        records: A Kafka source's rows: ``value``, ``topic``, ``partition``, ``offset``, ``timestamp``.
        schema: The domain's JSON Schema.
        future_seconds: How far ahead of Kafka's clock an event may be. A clock further ahead would drag the
            watermark past everybody else's events.
        schema_ids: The ids that the registry gave the topic's schemas; None takes every id.

    Returns:
        The schema's fields (``attributes`` as JSON text, ``occurred_at`` as a timestamp, null where the record is
        refused), ``topic``, ``kafka_partition``, ``kafka_offset``, ``received_at``, the untouched ``payload``, and
        ``field`` and ``reason``, both null for a record that fits.
    """
    from pyspark.sql import functions as F

    small = F.length("value") <= MAX_EVENT_BYTES  # what is larger is neither decoded nor parsed
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
    parsed = parsed.withColumn("shaped", F.regexp_extract("text", record_regex(schema) or NEVER, 1))
    parsed = parsed.withColumn("plain", _plain(schema, future_seconds, schema_ids))
    parsed = parsed.withColumn("raw", F.when(~F.col("plain"), F.from_json("text", "map<string,string>")))
    for name in _objects(schema):  # a column of its own, or Spark would parse it again for every rule
        parsed = parsed.withColumn(f"raw_{name}", F.from_json(F.col("raw")[name], "map<string,string>"))
    problem = F.coalesce(*(_problem(*rule) for rule in _rules(schema, future_seconds, schema_ids)))
    # Spark interprets the body of this lambda. In the code that it writes anew for each batch, these hundred rules
    # would be most of the text, for records that are few.
    apart = F.zip_with(F.array(F.lit(0)), F.array(F.lit(0)), lambda _left, _right: problem)[0]
    fields = [F.col(f"event.{name}").alias(name) for name in schema["properties"] if name not in _DERIVED]
    return parsed.withColumn("problem", F.when(~F.col("plain"), apart)).select(
        *fields,
        # Null for what is refused: a year that Spark can count and Python cannot would end the archive query.
        F.when(F.col("problem").isNull(), F.col("event.occurred_at")).alias("occurred_at"),
        F.when(F.col("plain"), F.col("shaped")).otherwise(F.col("raw")["attributes"]).alias("attributes"),
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

    told = F.struct(F.lit(field).alias("field"), F.lit(reason).alias("reason"))
    return F.when(F.coalesce(broken, F.lit(False)), told)


def _plain(schema: Schema, future_seconds: int, schema_ids: Collection[int] | None) -> Column:
    """True for a record that breaks no rule, as its shape and its values show; false says nothing."""
    from pyspark.sql import functions as F

    broken = [*_frame_rules(schema_ids), *_typed_rules(schema, F.col("event")), _ahead(future_seconds)]
    held = [~F.coalesce(rule, F.lit(False)) for _, _, rule in broken]
    # Spark gives nothing at all for what it cannot read, whatever it looks like.
    read = [F.col(f"event.{name}").isNotNull() for name in schema.get("required", ()) if not _may_be_null(schema, name)]
    return F.coalesce(reduce(and_, [F.col("shaped") != "", *read, *held]), F.lit(False))


def _typed_rules(schema: Schema, typed: Column, prefix: str = "") -> Iterator[Rule]:
    for name, rule in schema.get("properties", {}).items():
        if _types(rule) == ("object",):
            yield from _typed_rules(rule, typed[name], f"{prefix}{name}.")
        else:
            rest = {key: told for key, told in rule.items() if key != "pattern"}  # the shape has looked at that
            yield from _value_rules(rest, typed[name], f"{prefix}{name}")


def _rules(schema: Schema, future_seconds: int, schema_ids: Collection[int] | None) -> Iterator[Rule]:
    """All rules in the order in which their reasons should be told: the frame, the JSON, then field by field."""
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
        known = [struct.pack(">I", one) for one in sorted(schema_ids)]
        yield "", "a schema id that is not this topic's", ~F.expr("substring(payload, 2, 4)").isin(known)


def _too_deep(text: Column) -> Column:
    """``limits.too_deep`` as a column."""
    from pyspark.sql import functions as F

    for one in REMOVALS:
        text = F.regexp_replace(text, one, "")
    return text.rlike(DEEP)


def _object_rules(schema: Schema, *, raw: Column, typed: Column, prefix: str) -> Iterator[Rule]:
    from pyspark.sql import functions as F

    required = set(schema.get("required", ()))
    # Readers differ in which of the two they take, so a field that is there twice says nothing.
    twice = F.size(F.array_distinct(F.map_keys(raw))) < F.size(raw)
    yield prefix.rstrip("."), "has a field twice", raw.isNotNull() & twice
    if schema.get("additionalProperties") is False:
        known = F.array(*(F.lit(name) for name in schema["properties"]))
        yield (
            prefix.rstrip("."),
            "has a field that the schema does not know",
            F.size(F.array_except(F.map_keys(raw), known)) > 0,
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
    kind = next((one for one in types if one != "null"), "string")
    if kind == "string":
        value = raw
        if not {"const", "enum", "pattern"} & rule.keys():  # a map of strings takes a number for a string
            quoted = rf'"{path.rpartition(".")[2]}"\s*:\s*"'
            yield path, "not a string", raw.isNotNull() & ~F.col("text").rlike(quoted)
    else:
        yield path, f"not {_article(kind)}", raw.isNotNull() & typed.isNull()
        value = typed
    yield from _value_rules(rule, value, path)
    if path == "occurred_at":
        yield path, "not a time", raw.isNotNull() & typed.isNull()


def _value_rules(rule: Schema, value: Column, path: str) -> Iterator[Rule]:
    """What a value must be beyond its type."""
    from pyspark.sql import functions as F

    if "const" in rule:
        yield path, f"not {rule['const']!r}", value != F.lit(rule["const"])
    if "enum" in rule:
        allowed = [one for one in rule["enum"] if one is not None]
        yield path, f"not one of: {', '.join(map(str, allowed))}", ~value.isin(allowed)
    if "pattern" in rule:
        yield path, "not of the form that its schema asks for", ~value.rlike(_to_the_end(rule["pattern"]))
    if "minLength" in rule:
        yield path, f"shorter than {rule['minLength']}", F.length(value) < rule["minLength"]
    if "minimum" in rule:
        yield path, f"below {rule['minimum']}", value < F.lit(rule["minimum"])
    if "maximum" in rule:
        yield path, f"above {rule['maximum']}", value > F.lit(rule["maximum"])


def _to_the_end(pattern: str) -> str:
    r"""The pattern as Java is to read it: its ``$`` also matches before a last line break, and ``\z`` does not."""
    return re.sub(r"(?<!\\)((?:\\\\)*)\$$", r"\1\\z", pattern)


def _has(raw: Column, name: str) -> Column:
    from pyspark.sql import functions as F

    return F.coalesce(F.map_contains_key(raw, name), F.lit(True))  # no map at all is told by a rule of its own


def _may_be_null(schema: Schema, name: str) -> bool:
    return "null" in _types(schema["properties"][name])


def _objects(schema: Schema) -> list[str]:
    return [name for name, rule in schema["properties"].items() if _types(rule) == ("object",)]


def _types(rule: Schema) -> tuple[str, ...]:
    told = rule.get("type", "string")
    return (told,) if isinstance(told, str) else tuple(told)


def _article(kind: str) -> str:
    return "an integer" if kind == "integer" else f"a {kind}"


def _typed(schema: Schema) -> str:
    """The schema as a Spark type, in DDL."""
    columns = []
    for name, rule in schema["properties"].items():
        kind = next((one for one in _types(rule) if one != "null"), "string")
        if kind == "object":
            inner = _typed(rule) if rule.get("properties") else None
            columns.append(f"`{name}` {inner or 'map<string,string>'}")
        else:
            columns.append(f"`{name}` {'timestamp' if name == 'occurred_at' else SPARK_TYPES[kind]}")
    return f"struct<{', '.join(column.replace(' ', ': ', 1) for column in columns)}>"
