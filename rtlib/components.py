"""Components: every part of the architecture, once. Add one here and the graph, the doctor and the docs have it."""

from __future__ import annotations

from dataclasses import dataclass

from rtlib.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Component:
    """One node of the architecture.

    Attributes:
        id: Short name, unique.
        title: What the node is called on the graph.
        product: The product that plays the part locally.
        layer: The column it stands in: one of ``LAYERS``.
        row: Its place in the column, 0 at the top; fractions are allowed.
        plain: What it does, in words a newcomer knows.
        breaks: What happens when it is stopped.
        upstream: The ids it reads from; the edges of the graph.
        probe: The observation that tells how it is (see ``pipeline.probes``); None while it is planned.
        period_seconds: How long it may take from one of its readings to the next.
        part: The supervised local process behind it, if it has one of its own.
        lesson: Notebook that teaches it.
        source: File or folder that implements it.
        elsewhere: The same code with other settings.
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

    @property
    def planned(self) -> bool:
        """True while nothing that runs stands behind the node."""
        return self.probe is None


DAY = 26 * 3600.0  # a daily job, and two hours for it to be late
LAYERS = ("sources", "broker", "stream", "warehouse", "models", "people")

ARCHITECTURE_COMPONENTS_LIST: tuple[Component, ...] = (
    Component(
        "simulator", "Simulator", "Python, seeded", "sources", 1.5,
        "Plays the outside world: orders, clicks, sensor readings or game sessions, with busy and quiet hours, "
        "and with the flaws of real life: late, out of order, twice, or broken.",
        "No new events. Every number downstream stands still, and the app says how old it is.",
        probe="simulator", part="simulator", lesson="01_kafka", source="rtlib/simulator",
        elsewhere="your own producers",
    ),
    Component(
        "registry", "Schema registry", "Apicurio Registry", "broker", 0,
        "Keeps the contract: which fields an event has and of which type. A change that would break a reader "
        "is refused.",
        "Running producers go on with the schema they know; a new producer or a new schema has to wait.",
        upstream=("simulator",), probe="registry", part="registry", lesson="01_kafka",
        source="rtlib/broker/registry.py", elsewhere="Confluent or Glue registry",
    ),
    Component(
        "events", "Events topic", "Apache Kafka", "broker", 1.5,
        "An append-only log in four partitions. It keeps events in the order they came, so that every reader can "
        "read at its own pace, and again.",
        "Producers wait and retry; queries wait. Nothing is lost, everything is late.",
        upstream=("simulator",), probe="broker", part="broker", lesson="01_kafka", source="rtlib/broker",
        elsewhere="Amazon MSK, Confluent",
    ),
    Component(
        "rejected", "Rejected topic", "Apache Kafka", "broker", 3,
        "Where events go that do not fit their schema: the bytes untouched, with the reason beside them, so that "
        "somebody can mend and replay them.",
        "It shares the broker with the events topic.",
        upstream=("archive",), probe="rejected", part="broker", lesson="01_kafka", source="rtlib/broker",
        elsewhere="Amazon MSK, Confluent",
    ),
    Component(
        "kpis", "KPI query", "Spark, real-time mode", "stream", 1,
        "Counts and averages each site's events minute by minute as they arrive, drops duplicates, and waits a "
        "while for late ones: that while is the watermark.",
        "KPIs stand still. After a restart it goes on from its checkpoint and catches up.",
        upstream=("events",), probe="kpis", part="stream", lesson="02_spark", source="rtlib/streaming/queries.py",
        elsewhere="Spark cluster, EMR, Kubernetes",
    ),
    Component(
        "archive", "Archive query", "Spark, micro-batch", "stream", 2,
        "Copies every event into the warehouse in small batches, each applied once, and sends what does not fit "
        "to the rejected topic.",
        "The warehouse's history stops growing, while live KPIs go on. After a restart it catches up.",
        upstream=("events",), probe="archive", part="stream", lesson="03_speed_layer",
        source="rtlib/streaming/queries.py", elsewhere="Spark cluster, EMR, Kubernetes",
    ),
    Component(
        "loader", "Speed loader", "confluent-kafka", "stream", 0,
        "Reads the KPI records and writes the newest of each site and minute into the speed layer.",
        "Live KPIs in the warehouse grow old. After a restart it reads on from its last committed offset.",
        upstream=("kpis",), probe="loader", part="loader", lesson="03_speed_layer", source="rtlib/warehouse/ingest.py",
        elsewhere="Snowpipe Streaming",
    ),
    Component(
        "speed", "Speed layer", "fakesnow, as Snowflake", "warehouse", 0,
        "One row for each site and minute, overwritten as better numbers arrive: the table behind live screens.",
        "The dashboard has nothing fresh to read, and says so.",
        upstream=("loader",), probe="speed", part="warehouse", lesson="03_speed_layer", source="rtlib/warehouse",
        elsewhere="Snowflake",
    ),
    Component(
        "dwh", "Data warehouse", "fakesnow, as Snowflake", "warehouse", 2,
        "Every event ever accepted, once, with the batch that brought it: the history that reports and models "
        "are built on.",
        "The archive query retries its batch until the warehouse is back; nothing is lost.",
        upstream=("archive",), probe="dwh", part="warehouse", lesson="03_speed_layer", source="rtlib/warehouse",
        elsewhere="Snowflake",
    ),
    Component(
        "dbt", "dbt marts", "dbt-core", "models", 1,
        "Turns raw events into tested tables that answer business questions.",
        "Reports show yesterday's numbers, and new forecasts are refused until the marts hold every finished day.",
        upstream=("dwh",), probe="dbt", period_seconds=DAY, lesson="05_dbt", source="dbt",
        elsewhere="the same project, target snowflake",
    ),
    Component(
        "forecast", "Forecast", "Prophet and ARIMA", "models", 2,
        "Predicts the coming demand, with an honest range, and is scored against what really happened.",
        "No new plan is made: the last one ends with the days that were forecast.",
        upstream=("dbt",), probe="forecast", period_seconds=DAY, lesson="06_forecasts", source="rtlib/forecast",
        elsewhere="the same code, as a scheduled job",
    ),
    Component(
        "staffing", "Staffing", "Erlang C", "models", 3,
        "Turns a demand forecast into how many people are needed, and what being wrong would cost.",
        "Plans are made by feel.",
        upstream=("forecast",), probe="staffing", period_seconds=DAY, lesson="07_staffing", source="rtlib/staffing",
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
        "Says in plain English what a part is doing right now, using only numbers that were measured. Without a "
        "key the text is made here from the same numbers.",
        "The texts are made locally.",
        upstream=("dbt",), probe="explain", lesson="09_explain", source="rtlib/explain",
        elsewhere="the same, with a key of yours",
    ),
    Component(
        "powerbi", "Power BI", "Power BI", "people", 2,
        "The report for people who do not open notebooks.",
        "Reports are not refreshed.",
        upstream=("dbt",), probe="powerbi", period_seconds=DAY, lesson="10_bi", source="powerbi",
        elsewhere="the same project, with your account in its parameters",
    ),
    Component(
        "alerts", "Teams alerts", "Microsoft Teams", "people", 3,
        "Tells the people on shift when something needs them, once, and again when it is over.",
        "Nobody is called. After a restart it judges the minutes it missed, each once, and sends what was left over.",
        upstream=("kpis", "staffing"), probe="alerts", part="alerts", lesson="08_alerts", source="rtlib/alerts",
        elsewhere="a Workflows webhook of your channel",
    ),
)  # fmt: skip


def component(component_id: str) -> Component:
    """The component with this id.

    Raises:
        ConfigError: There is none; the message lists those there are.
    """
    for one in ARCHITECTURE_COMPONENTS_LIST:
        if one.id == component_id:
            return one
    known = ", ".join(one.id for one in ARCHITECTURE_COMPONENTS_LIST)
    raise ConfigError(f"no component is called {component_id!r}", cure=f"use one of: {known}")


def edges() -> tuple[tuple[str, str], ...]:
    """All (from, to) pairs, in the order of the components."""
    return tuple((source, one.id) for one in ARCHITECTURE_COMPONENTS_LIST for source in one.upstream)


def upstream_of(component_id: str) -> frozenset[str]:
    """Every id that data passes through on its way to this one."""
    return _reach(component_id, {(b, a) for a, b in edges()})


def downstream_of(component_id: str) -> frozenset[str]:
    """Every id that this one's data reaches."""
    return _reach(component_id, set(edges()))


def _reach(start: str, pairs: set[tuple[str, str]]) -> frozenset[str]:
    seen: set[str] = set()
    waiting = [component(start).id]
    while waiting:
        here = waiting.pop()
        fresh = {b for a, b in pairs if a == here} - seen
        seen |= fresh
        waiting.extend(fresh)
    return frozenset(seen)
