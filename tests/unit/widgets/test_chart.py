"""Charts and sparklines: everything is drawn within the frame, and values that are not finite are left out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from rtlib.widgets.chart import Band, Line, chart
from rtlib.widgets.sparkline import sparkline
from support.observations import NOW, tree_of


def minutes(count: int) -> list[datetime]:
    return [NOW + timedelta(minutes=number) for number in range(count)]


@pytest.mark.parametrize("values", [(), (None,), (1.0,), (None, None), (float("nan"), float("inf"))])
def test_a_sparkline_with_too_few_values_is_empty(values: tuple[float | None, ...]) -> None:
    assert tree_of(sparkline(values)).find(".//polyline") is None


def test_a_sparkline_stays_inside_its_frame_and_keeps_its_gaps() -> None:
    lines = tree_of(sparkline((1e9, 0.0, None, -5.0, 1e9, float("nan")))).findall(".//polyline")
    points = [tuple(map(float, point.split(","))) for line in lines for point in line.attrib["points"].split()]
    assert len(lines) == 2
    assert all(0 <= x <= 100 and 0 <= y <= 24 for x, y in points)


def test_a_constant_series_is_a_line_in_the_middle() -> None:
    line = tree_of(sparkline((7.0, 7.0, 7.0))).find(".//polyline")
    assert line is not None
    assert set(re.findall(r",([\d.]+)", line.attrib["points"])) == {"12.0"}


@pytest.mark.parametrize("begin", [datetime(2026, 11, 22, hour, tzinfo=UTC) for hour in range(0, 24, 4)])
@pytest.mark.parametrize("hours", [6, 24, 72])
def test_the_labels_of_the_time_axis_do_not_overlap_the_scale_and_are_not_cut_off(begin: datetime, hours: int) -> None:
    line = Line("load", "rt-is", [begin, begin + timedelta(hours=hours)], [0.0, 9.0])
    drawn = chart("load", "orders", [line]).split("<svg", 1)[1].split("</svg>", 1)[0]
    labels = [float(x) for x in re.findall(r'<text x="([\d.]+)"[^>]*"middle"', drawn)]
    scale = [float(x) for x in re.findall(r'<text x="([\d.]+)"[^>]*"end"', drawn)]
    assert labels
    assert min(labels) - 20 > max(scale)
    assert max(labels) + 20 < 900


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_not_finite_are_left_out(odd: float) -> None:
    layers = [
        Band("band", "rt-band", minutes(4), [0.0, odd, 1.0, 2.0], [1.0, odd, 2.0, 3.0]),
        Line("line", "rt-actual", minutes(4), [1.0, odd, 2.0, 3.0]),
    ]
    drawn = chart("load", "orders", layers) + sparkline([1.0, odd, 2.0, 3.0])
    assert not re.search(r"\b(nan|inf)\b", drawn)


def test_huge_numbers_are_drawn_within_the_frame_and_have_short_labels() -> None:
    drawn = chart("load", "orders", [Line("line", "rt-actual", minutes(3), [0.0, 9e99, 1e99])])
    labels = re.findall(r'text-anchor="end">([^<]*)<title>', drawn)
    assert "2 × 10⁹⁹" in labels
    assert max(map(len, labels)) <= 8
    heights = [float(height) for height in re.findall(r"[ML][0-9.]+ (-?[0-9.]+)", drawn)]
    assert heights and all(0 <= height <= 186 for height in heights)
    assert not re.search(r"\b(nan|inf)\b", sparkline([-1.7e308, 1.7e308, 0.0]))
