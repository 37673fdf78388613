"""Observations of every probe, the graph that they make, and HTML as a tree."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

from rtlib.components import ARCHITECTURE_COMPONENTS_LIST
from rtlib.graph import Graph, build
from rtlib.records import Observation, Reading, Status

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PROBES = sorted({part.probe for part in ARCHITECTURE_COMPONENTS_LIST if part.probe})


def observations(status: Status = Status.HEALTHY, *, ago: float = 0.4, value: float = 51.2) -> dict[str, Observation]:
    """The same observation for every probe, with a reading that is ``ago`` seconds old."""
    reading = Reading("arriving", value, "records/s", NOW - timedelta(seconds=ago))
    return {probe: Observation(status, "it answers", NOW, (reading,)) for probe in PROBES}


def graph_of(observed: Mapping[str, Observation] | None = None) -> Graph:
    """The graph of these observations; by default every part is healthy."""
    return build(observations() if observed is None else observed, now=NOW)


def tree_of(html: str) -> ElementTree.Element:
    """HTML as a tree; parsing fails unless it is well formed, so no inserted text became markup."""
    return ElementTree.fromstring(f"<root>{html.replace('&nbsp;', ' ')}</root>")


def text_of(html: str) -> str:
    """The text of HTML, without its markup."""
    return "".join(tree_of(html).itertext())
