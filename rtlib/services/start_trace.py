"""Start trace: what a start of the stack spends its time on, as a Gantt chart."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path

from rtlib.services.processes import cpu_seconds

ROW, LABEL, FIGURES, WIDTH = 24, 130, 190, 900  # pixels: height of a row; width of names, of figures, of the chart
STEP, PART = "#9aa7b5", "#3a7ca5"


@dataclass(frozen=True, slots=True)
class Span:
    """A step of the start, or a part from the start of its process until its health check passed.

    Attributes:
        name: The step or the part.
        begin, end: Seconds since the start began.
        cpu: Processor seconds of the part until then, children included; None for a step.
    """

    name: str
    begin: float
    end: float
    cpu: float | None = None


class StartTrace:
    """Collects the spans of a start.

    Args:
        home: The state folder whose parts are measured; None measures none, because that reads every process.
    """

    def __init__(self, home: Path | None) -> None:
        self._home, self._zero = home, time.time()
        self.spans: list[Span] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add the block as a step."""
        begin = time.time() - self._zero
        try:
            yield
        finally:
            self.spans.append(Span(name, begin, time.time() - self._zero))

    def ready(self, part: str, started_at: float) -> None:
        """Add a part whose health check has just passed; ``started_at`` in Unix seconds."""
        if self._home is None:
            return
        cpu = cpu_seconds(self._home).get(part)
        self.spans.append(Span(part, max(0.0, started_at - self._zero), time.time() - self._zero, cpu))


def svg(spans: Sequence[Span]) -> str:
    """The Gantt chart of these spans, in the order of their begin."""
    rows = sorted(spans, key=lambda span: (span.begin, span.end))
    last = max((span.end for span in rows), default=1.0)
    scale, height = (WIDTH - LABEL - FIGURES) / last, ROW * (len(rows) + 2)
    bars = "".join(_bar(span, index, scale) for index, span in enumerate(rows, start=1))
    marks = "".join(
        f'<line x1="{LABEL + second * scale:.0f}" y1="{ROW}" x2="{LABEL + second * scale:.0f}" y2="{height - ROW}" '
        f'stroke="#d5dbe1"/><text x="{LABEL + second * scale:.0f}" y="16" text-anchor="middle">{second} s</text>'
        for second in range(0, int(last) + 1, 5)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="sans-serif" font-size="13"><title>Start of the stack: {last:.1f} s</title>'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>{marks}{bars}</svg>\n'
    )


def _bar(span: Span, index: int, scale: float) -> str:
    top, left, width = ROW * index, LABEL + span.begin * scale, max(2.0, (span.end - span.begin) * scale)
    cpu = "" if span.cpu is None else f", {span.cpu:.1f} s of processor"
    return (
        f'<text x="{LABEL - 8}" y="{top + 16}" text-anchor="end">{escape(span.name)}</text>'
        f'<rect x="{left:.1f}" y="{top + 4}" width="{width:.1f}" height="{ROW - 8}" rx="2" '
        f'fill="{STEP if span.cpu is None else PART}"/>'
        f'<text x="{left + width + 6:.1f}" y="{top + 16}">{span.end - span.begin:.1f} s{cpu}</text>'
    )
