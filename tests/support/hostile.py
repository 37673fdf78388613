"""What an attacker or a fool sends: records by hand, and records drawn by Hypothesis."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from rtlib.broker.framing import frame
from rtlib.errors import EventRefused

MEGABYTE = 1_000_000
LINE_BREAKS = ("\n", "\r", "\r\n", "\x85", "\u2028", "\u2029")  # Java's "$" stands before each of them as well


def as_json(fields: Any) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def _with_floats(event: Mapping[str, Any], changed: Callable[..., bytes]) -> dict[str, bytes]:
    """The event with a decimal point in each integer among its attributes, of which some events have none."""
    inner = event["attributes"]
    whole = [name for name, value in inner.items() if type(value) is int]
    return {f"{name} with a decimal point": changed(attributes={**inner, name: float(inner[name])}) for name in whole}


def by_hand(event: Mapping[str, Any], schema_id: int) -> dict[str, bytes]:
    """Records that each are wrong in a way of their own, made from a good event."""

    def framed(payload: bytes) -> bytes:
        return frame(schema_id, payload)

    def changed(**fields: Any) -> bytes:
        return framed(as_json({**event, **fields}))

    good = as_json(event)
    deep = b'{"a":' * 2_000 + b"1" + b"}" * 2_000
    return {
        "empty": b"",
        "a frame and nothing else": framed(b""),
        "cut in the frame": framed(good)[:3],
        "cut in the JSON": framed(good)[:-7],
        "another magic byte": b"\x07" + framed(good)[1:],
        "no frame": good,
        "a schema id that nobody has": frame(2**31 - 1, good),
        "a schema id of zero": frame(0, good),
        "invalid UTF-8": framed(good.replace(b'"kind"', b'"k\xffnd"', 1)),
        "an overlong UTF-8 slash": framed(good.replace(b'"kind":"', b'"kind":"\xc0\xaf', 1)),
        "NaN": framed(good.replace(b'"value":', b'"value":NaN,"was":', 1)),
        "infinity": framed(good.replace(b'"value":', b'"value":Infinity,"was":', 1)),
        "a number beyond all numbers": changed(value=float("1e308")).replace(b"1e+308", b"1e999"),
        "an integer with a decimal point": changed(sequence=7.0),
        "an integer with an exponent": framed(re.sub(rb'"sequence":\d+', b'"sequence":1e2', good)),
        **_with_floats(event, changed),
        **{
            f"an identifier and {ascii(line_break)}": changed(event_id=event["event_id"] + line_break)
            for line_break in LINE_BREAKS
        },
        **{
            f"a time and {ascii(line_break)}": changed(occurred_at=event["occurred_at"] + line_break)
            for line_break in LINE_BREAKS
        },
        "an integer beyond 64 bits": changed(sequence=10**40),
        "the year 9999": changed(occurred_at="9999-12-31T23:59:59.999999Z"),
        "the year 10000": changed(occurred_at="10000-01-01T00:00:00.000000Z"),
        "the 30th of February": changed(occurred_at="2026-02-30T00:00:00.000000Z"),
        "deep nesting": changed(attributes=1).replace(b'"attributes":1', b'"attributes":' + deep, 1),
        "nothing but brackets": framed(b"[" * 5_000),
        "SQL in the site": changed(site="x'; drop table RAW.EVENTS; --"),
        "SQL in the kind": changed(kind='") or 1=1 --'),
        "a script in the unit": changed(unit="<script>alert(1)</script>"),
        "a null byte in the site": changed(site="a\x00b"),
        "half a surrogate pair": framed(good.replace(b'"site":"', b'"site":"\\ud800', 1)),
        "a field twice": framed(good[:-1] + b',"kind":"teleported"}'),
        "a very long field": changed(site="x" * 200_000),
        "thousands of fields": changed(**{f"extra{number}": number for number in range(3_000)}),
        "another domain's": changed(domain="elsewhere"),
        "text": framed(b"hello"),
        "a bare number": framed(b"42"),
    }


def drawn(event: Mapping[str, Any], schema_id: int) -> st.SearchStrategy[bytes]:
    """Any bytes; a good record with some bytes changed or cut; an event with anything in one field."""
    good = frame(schema_id, as_json(event))
    odd = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    )
    return st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=100).map(lambda some: frame(schema_id, some)),
        st.integers(0, len(good)).map(lambda place: good[:place]),
        st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)).map(
            lambda change: good[: change[0]] + bytes([change[1]]) + good[change[0] + 1 :]
        ),
        st.tuples(st.sampled_from(sorted(event)), odd).map(
            lambda change: frame(schema_id, json.dumps({**event, change[0]: change[1]}).encode("utf-8", "replace"))
        ),
    )


def fits(record: bytes, validate: Any, schema_id: int) -> bool:
    """The verdict of the producer's side: its own decoder and the compiled JSON Schema."""
    from rtlib.broker.framing import unframe
    from rtlib.broker.serde import decode

    try:
        event = decode(record)
        validate(event)
        return unframe(record)[0] == schema_id
    except EventRefused:
        return False
