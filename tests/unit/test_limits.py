"""The limits of an event, the same for producers and for the streaming queries."""

from __future__ import annotations

import json

import pytest

from rtlib.limits import MAX_EVENT_DEPTH, too_deep

DEEPEST = "[" * MAX_EVENT_DEPTH + "]" * MAX_EVENT_DEPTH


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        (DEEPEST, False),
        (f"[{DEEPEST}]", True),
        (f'{{"a": {DEEPEST}}}', True),
        (json.dumps(["[" * 50, '"{' * 50]), False),  # brackets in strings are text
        (json.dumps([["\\" * 5 + '"' + "[" * 50]]), False),
        ("[]" * 500, False),
        ("[" * MAX_EVENT_DEPTH, False),
        ("[" * 5_000, True),
        ("[{}" * MAX_EVENT_DEPTH, False),
        ("[{}" * (MAX_EVENT_DEPTH + 1), True),
        ("not JSON", False),
    ],
)
def test_depth_counts_brackets_that_are_open_at_once(text: str, deep: bool) -> None:
    assert too_deep(text) is deep
