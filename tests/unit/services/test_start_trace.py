"""The chart of what a start takes its time for."""

from __future__ import annotations

import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from rtlib.services import start_trace
from rtlib.services.start_trace import Span, StartTrace, svg


def test_a_step_lasts_as_long_as_its_block_even_if_that_fails(tmp_path: Path) -> None:
    trace = StartTrace(tmp_path)
    with pytest.raises(ValueError, match="no disk"), trace.step("tables"):
        raise ValueError("no disk")
    (span,) = trace.spans
    assert (span.name, span.cpu) == ("tables", None)
    assert 0 <= span.begin <= span.end


def test_a_part_lasts_from_the_start_of_its_process_and_has_its_processor_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_trace, "cpu_seconds", lambda home: {"broker": 3.5})
    trace = StartTrace(tmp_path)
    trace.ready("broker", time.time() + 2)
    (span,) = trace.spans
    assert (span.name, span.cpu) == ("broker", 3.5)
    assert span.begin == pytest.approx(2, abs=0.5)


def test_the_chart_shows_every_span_with_its_length_in_the_order_of_its_begin() -> None:
    spans = [Span("stream", 4.0, 20.0, 12.0), Span("Java, jars <ports>", 0.0, 1.5)]
    texts = [node.text for node in ElementTree.fromstring(svg(spans)).iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in texts if text in ("stream", "Java, jars <ports>")] == ["Java, jars <ports>", "stream"]
    assert "16.0 s, 12.0 s of processor" in texts and "1.5 s" in texts and "20 s" in texts


def test_a_start_without_spans_has_an_empty_chart() -> None:
    assert ElementTree.fromstring(svg([])).tag == "{http://www.w3.org/2000/svg}svg"
