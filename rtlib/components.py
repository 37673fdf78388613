"""Components: every part of the architecture, once; graph, panel and explanations are made from this list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rtlib.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Component:
    """A node of the architecture.

    Attributes:
        id: Short name, unique.
        title: Its name on the graph.
        product: The product that plays the part locally.
        layer: Its column: one of ``LAYERS``.
        row: Its position in the column, 0 at the top; fractions are allowed.
        plain: What it does, in words that a newcomer knows.
        breaks: What happens when it is stopped.
        upstream: The ids of the components that it reads from; the edges of the graph.
        probe: The observation that shows its state (see ``pipeline.monitoring.probes.catalog``); None while it is
            planned.
        period_seconds: The time in seconds from a reading to the next.
        part: The supervised local process behind it, if there is one.
        lesson: The notebook that teaches it.
        source: The file or folder that implements it.
        elsewhere: What replaces the product when the same code runs with other settings.
        receives: The name of its reading that says how much arrives at it per unit of time, if it has such a reading.
        sends: The same for how much it passes on.
    """

    id: str
    title: str
    product: str
    layer: str
    row: float
    plain: str
    breaks: str
    upstream: tuple[str, ...] = ()
    probe: str | None = None
    period_seconds: float = 1.0
    part: str | None = None
    lesson: str | None = None
    source: str | None = None
    elsewhere: str = ""
    receives: str = ""
    sends: str = ""

    @property
    def planned(self) -> bool:
        """True while nothing behind the node can run."""
        return self.probe is None


DAY = 26 * 3600.0  # a daily job that may be two hours late
LAYERS = ("sources", "broker", "stream", "warehouse", "models", "people")

ARCHITECTURE_COMPONENTS_LIST: tuple[Component, ...] = (
    Component(
        "simulator", "Simulator", "Python, seeded", "sources", 1.5,
        "Plays the outside world: orders, clicks, sensor readings or game sessions, with busy and quiet hours, "
        "and with the defects of real life: late, out of order, twice, or malformed.",
        "No new events. Every number downstream freezes, and the app shows how old it is.",
        probe="simulator", part="simulator", lesson="01_kafka", source="rtlib/simulator",
        elsewhere="your own producers", sends="sending",
    ),
    Component(
        "registry", "Schema registry", "Apicurio Registry", "broker", 0,
        "Keeps the contract: which fields an event has, and their types. A change that would break a reader is "
        "refused.",
        "Running producers continue with the schema they have; a new producer or a new schema has to wait.",
        upstream=("simulator",), probe="registry", part="registry", lesson="01_kafka",
        source="rtlib/broker/registry.py", elsewhere="Confluent or Glue registry",
    ),
    Component(
        "events", "Events topic", "Apache Kafka", "broker", 1.5,
        "An append-only log in four partitions. It keeps events in the order of their arrival, so that every reader "
        "can read at its own pace, and again.",
        "Producers wait and retry; queries wait. Nothing is lost, everything is late.",
        upstream=("simulator",), probe="broker", part="broker", lesson="01_kafka", source="rtlib/broker",
        elsewhere="Amazon MSK, Confluent", receives="arriving", sends="arriving",
    ),
    Component(
        "rejected", "Rejected topic", "Apache Kafka", "broker", 3,
        "Events that do not fit their schema go here: the bytes unchanged, with the reason beside them, so that they "
        "can be repaired and replayed.",
        "It shares the broker with the events topic.",
        upstream=("archive",), probe="rejected", part="broker", lesson="01_kafka", source="rtlib/broker",
        elsewhere="Amazon MSK, Confluent", receives="now",
    ),
    Component(
        "kpis", "KPI query", "Spark, real-time mode", "stream", 1,
        "Counts and averages each site's events minute by minute as they arrive, drops duplicates, and waits a "
        "while for late ones: that while is the watermark.",
        "KPIs freeze. After a restart it continues from its checkpoint and catches up.",
        upstream=("events",), probe="kpis", part="stream", lesson="02_spark", source="rtlib/streaming/queries.py",
        elsewhere="Spark cluster, EMR, Kubernetes", sends="KPI records",
    ),
    Component(
        "archive", "Archive query", "Spark, micro-batch", "stream", 2,
        "Copies every event into the warehouse in small batches, each applied once, and sends malformed records to "
        "the rejected topic.",
        "The warehouse's history stops growing, while live KPIs continue. After a restart it catches up.",
        upstream=("events",), probe="archive", part="stream", lesson="03_speed_layer",
        source="rtlib/streaming/queries.py", elsewhere="Spark cluster, EMR, Kubernetes",
    ),
    Component(
        "loader", "Speed loader", "confluent-kafka", "stream", 0,
        "Reads the KPI records and writes the newest of each site and minute into the speed layer.",
        "Live KPIs in the warehouse grow old. After a restart it continues from its last committed offset.",
        upstream=("kpis",), probe="loader", part="loader", lesson="03_speed_layer",
        source="rtlib/warehouse/kpi_merge.py", elsewhere="Snowpipe Streaming",
    ),
    Component(
        "speed", "Speed layer", "fakesnow, as Snowflake", "warehouse", 0,
        "A row for each site and minute, overwritten as better numbers arrive: the table behind live screens.",
        "The dashboard has no fresh numbers to read, and says so.",
        upstream=("loader",), probe="speed", part="warehouse", lesson="03_speed_layer", source="rtlib/warehouse",
        elsewhere="Snowflake",
    ),
    Component(
        "dwh", "Data warehouse", "fakesnow, as Snowflake", "warehouse", 2,
        "Every event ever accepted, once, with the batch that brought it: the history that reports and models "
        "are built on.",
        "The archive query retries its batch until the warehouse is back; nothing is lost.",
        upstream=("archive",), probe="dwh", part="warehouse", lesson="03_speed_layer", source="rtlib/warehouse",
        elsewhere="Snowflake", receives="arriving",
    ),
    Component(
        "dbt", "dbt marts", "dbt-core", "models", 1,
        "Turns raw events into tested tables that answer business questions.",
        "Reports show yesterday's numbers, and new forecasts are refused until the marts hold every finished day.",
        upstream=("dwh",), probe="dbt", period_seconds=DAY, part="batch", lesson="05_dbt", source="dbt",
        elsewhere="the same project, target snowflake",
    ),
    Component(
        "forecast", "Forecast", "Prophet and ARIMA", "models", 2,
        "Predicts the coming demand, with an honest range, and is scored against what really happened.",
        "No new plan is made: the last one ends with the days that were forecast.",
        upstream=("dbt",), probe="forecast", period_seconds=DAY, part="batch", lesson="06_forecasts",
        source="rtlib/forecast",
        elsewhere="the same code, as a scheduled job",
    ),
    Component(
        "staffing", "Staffing", "Erlang C", "models", 3,
        "Turns a demand forecast into how many people are needed, and what being wrong would cost.",
        "Nobody knows how many people are needed.",
        upstream=("forecast",), probe="staffing", period_seconds=DAY, part="batch", lesson="07_staffing",
        source="rtlib/staffing",
        elsewhere="the same code, as a scheduled job",
    ),
    Component(
        "dashboard", "Dashboard", "Voilà", "people", 0,
        "The picture you are looking at: it reads the speed layer every second.",
        "Nobody sees the numbers; the pipeline itself goes on.",
        upstream=("speed",), probe="dashboard", lesson="00_start", source="notebooks/app.ipynb",
        elsewhere="Voilà behind a load balancer",
    ),
    Component(
        "explain", "Explanations", "Gemini", "people", 1,
        "Describes in plain English what a part is doing right now, a KPI or a forecast, using only measured numbers. "
        "Without a key the text is made here from the same numbers.",
        "The texts are made locally.",
        upstream=("speed", "forecast"), probe="explain", lesson="09_explain", source="rtlib/explain",
        elsewhere="the same, with a key of yours",
    ),
    Component(
        "powerbi", "Power BI", "Power BI", "people", 2,
        "The report for people who do not open notebooks.",
        "Reports are not refreshed.",
        upstream=("dbt",), probe="powerbi", period_seconds=DAY, part="batch", lesson="10_bi", source="powerbi",
        elsewhere="the same project, with your account in its parameters",
    ),
    Component(
        "alerts", "Teams alerts", "Microsoft Teams", "people", 3,
        "Tells the people on shift when something needs them, once, and again when it is over.",
        "No alerts. After a restart it evaluates the minutes it missed, each once, and sends the alerts left over.",
        upstream=("kpis", "staffing"), probe="alerts", part="alerts", lesson="08_alerts", source="rtlib/alerts",
        elsewhere="a Workflows webhook of your channel",
    ),
)  # fmt: skip


def component(component_id: str) -> Component:
    """The component with this id.

    Raises:
        ConfigError: There is none; the message lists all ids.
    """
    for candidate in ARCHITECTURE_COMPONENTS_LIST:
        if candidate.id == component_id:
            return candidate
    ids = ", ".join(candidate.id for candidate in ARCHITECTURE_COMPONENTS_LIST)
    raise ConfigError(f"there is no component {component_id!r}", cure=f"use one of: {ids}")


def edges() -> tuple[tuple[str, str], ...]:
    """All (from, to) pairs, in the order of the components."""
    return tuple((source, target.id) for target in ARCHITECTURE_COMPONENTS_LIST for source in target.upstream)


def upstream_of(component_id: str) -> frozenset[str]:
    """The ids of all components that data passes through on its way to this component."""
    return reachable(component(component_id).id, [(target, source) for source, target in edges()])


def downstream_of(component_id: str) -> frozenset[str]:
    """The ids of all components that its data reaches."""
    return reachable(component(component_id).id, edges())


def reachable(start: str, edges: Iterable[tuple[str, str]]) -> frozenset[str]:
    """All nodes that can be reached from a node along directed (from, to) edges, without the node itself."""
    targets: dict[str, set[str]] = {}
    for source, target in edges:
        targets.setdefault(source, set()).add(target)
    reached: set[str] = set()
    frontier = [start]
    while frontier:
        new = targets.get(frontier.pop(), set()) - reached
        reached |= new
        frontier.extend(new)
    return frozenset(reached - {start})
