"""Spec: the semantic model and the report, once; TMDL, PBIR and the preview are made of it. Plain data.

Columns of marts come from dbt's manifest, so that a model and a report cannot drift apart; those of the other tables
are listed here, because the report shows a few of them, and 'rtlib bi validate' holds them against their SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["card", "line", "column", "table", "slicer"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its name in the warehouse, in lower case, its type there, and what it means."""

    name: str
    type: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view of the warehouse; ``columns`` is empty where dbt's manifest knows them."""

    name: str
    schema: str
    relation: str
    about: str
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class Measure:
    """A number over many rows.

    Attributes:
        table: Where it lives.
        name: What people call it.
        dax: Its formula in Power BI.
        sql: The same for the preview, over the rows of ``table``.
        format: How it is written, in Power BI's words.
        about: What it means.
    """

    table: str
    name: str
    dax: str
    sql: str
    format: str
    about: str


@dataclass(frozen=True, slots=True)
class Visual:
    """One thing on a page.

    Attributes:
        name: Unique on its page.
        title: Above it.
        kind: What it is drawn as.
        table: The table that its columns are of.
        category: The column along the axis, or the slicer's; None for a card.
        series: The column that splits it; None for one line.
        measures: Names of measures.
        columns: Columns of a table visual.
        place: Left, top, width, height, in pixels of a page of 1280 by 720.
    """

    name: str
    title: str
    kind: Kind
    table: str
    place: tuple[int, int, int, int]
    category: str | None = None
    series: str | None = None
    measures: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A page; with ``refresh_seconds`` it asks again by itself.

    Power BI Desktop keeps to it. In the Service an administrator sets the least that a capacity allows, and where that
    is more, it holds instead.
    """

    name: str
    title: str
    visuals: tuple[Visual, ...]
    refresh_seconds: int = 0


def _columns(**types: str) -> tuple[Column, ...]:
    return tuple(Column(name, kind) for name, kind in types.items())


TABLES: tuple[Table, ...] = (
    Table("sites", "SEEDS", "SITES", "One row for each site.", _columns(
        site="varchar", domain="varchar", title="varchar", country="varchar")),
    Table("speed_kpis", "STAGING", "STG_SPEED_KPIS", "The speed layer: one row for each site and minute.", _columns(
        domain="varchar", site="varchar", window_start="timestamp_ntz", events="number", late="number",
        last_event_at="timestamp_ntz")),
    Table("forecasts", "STAGING", "STG_FORECASTS", "One row for each site, model and interval ahead.", _columns(
        domain="varchar", site="varchar", model="varchar", made_at="timestamp_ntz", interval_start="timestamp_ntz",
        mean="float", lower_80="float", upper_80="float", is_champion="boolean")),
    Table("alerts", "OPS", "ALERTS", "One row for each message to people.", (
        Column("domain", "varchar", "Which world."),
        Column("site", "varchar", "Where; all for what is measured of a domain as a whole."),
        Column("rule", "varchar", "The domain's name of the rule that was broken."),
        Column("severity", "varchar", "warning or critical."),
        Column("change", "varchar", "raised, or recovered: the alert is over."),
        Column("title", "varchar", "What was measured, and where."),
        Column("value", "float", "It, at that moment; of what is no longer measured, the last there was."),
        Column("unit", "varchar", "In which unit."),
        Column("judged_at", "timestamp_ntz", "When the alert was raised, or was over, UTC."),
        Column("status", "varchar", "pending, delivered, undelivered, or muted: kept and not sent."),
        Column("reason", "varchar", "Why nobody took it; empty for the others."))),
    Table("hourly_kpis", "MARTS", "HOURLY_KPIS", "Each measure of each site, hour by hour."),
    Table("daily_kpis", "MARTS", "DAILY_KPIS", "Each measure of each site, day by day."),
    Table("interval_load", "MARTS", "INTERVAL_LOAD", "How many events each site had in each interval."),
    Table("forecast_accuracy", "MARTS", "FORECAST_ACCURACY", "How far each model was off, once it was over."),
    Table("staffing_gap", "MARTS", "STAFFING_GAP", "Who is needed and who is on the plan, interval by interval."),
    Table("late_and_rejected", "MARTS", "LATE_AND_REJECTED", "Records by what became of them, hour by hour."),
    Table("speed_batch_reconciliation", "MARTS", "SPEED_BATCH_RECONCILIATION", "Windows in which the layers differ."),
)  # fmt: skip

MEASURES: tuple[Measure, ...] = (
    Measure("speed_kpis", "Live events", "SUM ( speed_kpis[events] )", "sum(events)", "#,0",
            "Events counted by the speed layer."),
    Measure("speed_kpis", "Late events", "SUM ( speed_kpis[late] )", "sum(late)", "#,0",
            "Those of them that came after the end of their minute."),
    Measure("speed_kpis", "Newest event",
            "MAX ( speed_kpis[last_event_at] )", "max(last_event_at)", "yyyy-mm-dd hh:nn:ss",
            "When the newest event happened, UTC."),
    Measure("hourly_kpis", "KPI by hour",
            "IF ( HASONEVALUE ( hourly_kpis[measure] ), AVERAGE ( hourly_kpis[measured_value] ) )",
            "iff(count(distinct measure) = 1, avg(measured_value), null)", "#,0.##",
            "Mean of a KPI over the chosen sites; empty until one measure is chosen: minutes and counts have no mean."),
    Measure("daily_kpis", "KPI by day",
            "IF ( HASONEVALUE ( daily_kpis[measure] ), AVERAGE ( daily_kpis[measured_value] ) )",
            "iff(count(distinct measure) = 1, avg(measured_value), null)", "#,0.##",
            "Mean of a KPI over the chosen sites; empty until one measure is chosen: minutes and counts have no mean."),
    Measure("interval_load", "Load", "SUM ( interval_load[events] )", "sum(events)", "#,0",
            "Events that ask for somebody."),
    # The series "all" is the domain as a whole; the rows of its sites say the same again.
    Measure("forecasts", "Forecast",
            'CALCULATE ( SUM ( forecasts[mean] ), forecasts[is_champion] = TRUE (), forecasts[site] = "all" )',
            "sum(iff(is_champion and site = 'all', mean, 0))", "#,0.0", "What is expected, over all sites."),
    Measure("forecasts", "Lower bound",
            'CALCULATE ( SUM ( forecasts[lower_80] ), forecasts[is_champion] = TRUE (), forecasts[site] = "all" )',
            "sum(iff(is_champion and site = 'all', lower_80, 0))", "#,0.0", "Of its 80 % interval; choose one domain."),
    Measure("forecasts", "Upper bound",
            'CALCULATE ( SUM ( forecasts[upper_80] ), forecasts[is_champion] = TRUE (), forecasts[site] = "all" )',
            "sum(iff(is_champion and site = 'all', upper_80, 0))", "#,0.0", "Of its 80 % interval; choose one domain."),
    Measure("forecasts", "What came",
            "CALCULATE ( [Load], TREATAS ( SUMMARIZE ( forecasts, forecasts[interval_start], forecasts[domain] ), "
            "interval_load[interval_start], interval_load[domain] ) )",
            "sum(iff(is_champion and site = 'all', (select sum(came.events) from MARTS.INTERVAL_LOAD as came "
            "where came.domain = forecasts.domain and came.interval_start = forecasts.interval_start), null))",
            "#,0", "The load of the intervals that were forecast, once they are over."),
    Measure("forecast_accuracy", "Mean absolute error", "AVERAGE ( forecast_accuracy[mean_absolute_error] )",
            "avg(mean_absolute_error)", "#,0.00", "How far a model was off, in events."),
    Measure("forecast_accuracy", "Interval held", "AVERAGE ( forecast_accuracy[covered_share] )",
            "avg(covered_share)", "0.0%", "Share of intervals that lay within the 80 % interval."),
    Measure("staffing_gap", "People needed", "SUM ( staffing_gap[required] )", "sum(required)", "#,0",
            "People that forecast and service level ask for."),
    Measure("staffing_gap", "People planned", "SUM ( staffing_gap[planned] )", "sum(planned)", "#,0",
            "People on the plan."),
    Measure("staffing_gap", "Worst gap", "MIN ( staffing_gap[gap] )", "min(gap)", "#,0",
            "Planned less required at the worst interval; below 0 somebody is missing."),
    Measure("alerts", "Alerts raised", 'CALCULATE ( COUNTROWS ( alerts ), alerts[change] = "raised" )',
            "count_if(change = 'raised')", "#,0", "Alerts, their recoveries left out."),
    Measure("alerts", "Not delivered", 'CALCULATE ( COUNTROWS ( alerts ), alerts[status] = "undelivered" )',
            "count_if(status = 'undelivered')", "#,0", "Messages that nobody took; the reason is beside them."),
    Measure("late_and_rejected", "Records", "SUM ( late_and_rejected[records] )", "sum(records)", "#,0",
            "Records by what became of them."),
    Measure("speed_batch_reconciliation", "Windows that differ",
            'CALCULATE ( COUNTROWS ( speed_batch_reconciliation ), '
            'NOT speed_batch_reconciliation[explanation] IN { "equal", "open window" } ) + 0',
            "count_if(explanation not in ('equal', 'open window'))", "#,0",
            "Measures of finished windows in which the layers differ, each with its explanation beside it."),
)  # fmt: skip

# The site of every table that has one, to the row that says what it is called. What is measured for a domain as a whole
# has the site "all", which is no row of sites: Power BI shows it under (Blank). Forecasts are left out, because their
# measures read that series alone and any choice of a site would empty them; late_and_rejected knows domains only.
RELATIONSHIPS: tuple[tuple[str, str, str, str], ...] = tuple(
    (table, "site", "sites", "site")
    for table in (
        "speed_kpis", "hourly_kpis", "daily_kpis", "interval_load", "speed_batch_reconciliation", "staffing_gap",
        "forecast_accuracy", "alerts",
    )
)  # fmt: skip

PAGES: tuple[Page, ...] = (
    Page("live", "Live", refresh_seconds=5, visuals=(
        Visual("events", "Events counted", "card", "speed_kpis", (20, 20, 300, 110), measures=("Live events",)),
        Visual("late", "Late events", "card", "speed_kpis", (335, 20, 300, 110), measures=("Late events",)),
        Visual("newest", "Newest event, UTC", "card", "speed_kpis", (650, 20, 300, 110), measures=("Newest event",)),
        Visual("raised", "Alerts raised", "card", "alerts", (965, 20, 295, 110), measures=("Alerts raised",)),
        Visual("by_minute", "Events by site, minute by minute", "line", "speed_kpis", (20, 145, 820, 555),
               category="window_start", series="site", measures=("Live events",)),
        Visual("by_site", "Events by site", "column", "speed_kpis", (855, 145, 405, 555),
               category="site", measures=("Live events",)))),
    Page("trend", "Trend", visuals=(
        Visual("of_hours", "Measure: choose one", "slicer", "hourly_kpis", (20, 20, 200, 335), category="measure"),
        Visual("by_hour", "By hour and site", "line", "hourly_kpis", (235, 20, 1025, 335),
               category="hour_start", series="site", measures=("KPI by hour",)),
        Visual("of_days", "Measure: choose one", "slicer", "daily_kpis", (20, 365, 200, 335), category="measure"),
        Visual("by_day", "By day and site", "line", "daily_kpis", (235, 365, 1025, 335),
               category="day_start", series="site", measures=("KPI by day",)))),
    Page("forecast", "Forecast", visuals=(
        Visual("domain", "Domain: choose one", "slicer", "forecasts", (20, 20, 200, 440), category="domain"),
        Visual("ahead", "Forecast with its 80 % interval, and what came", "line", "forecasts", (235, 20, 1025, 440),
               category="interval_start", measures=("Forecast", "Lower bound", "Upper bound", "What came")),
        Visual("scores", "How far each model was off", "column", "forecast_accuracy", (20, 475, 610, 225),
               category="model", measures=("Mean absolute error",)),
        Visual("held", "How often the interval held", "column", "forecast_accuracy", (645, 475, 615, 225),
               category="model", measures=("Interval held",)))),
    Page("staffing", "Staffing", visuals=(
        Visual("gap", "Worst gap", "card", "staffing_gap", (20, 20, 300, 110), measures=("Worst gap",)),
        Visual("people", "People needed and planned", "line", "staffing_gap", (20, 145, 1240, 555),
               category="interval_start", measures=("People needed", "People planned")))),
    Page("alerts", "Alerts and quality", visuals=(
        Visual("lost", "Not delivered", "card", "alerts", (20, 20, 300, 110), measures=("Not delivered",)),
        Visual("differ", "Windows that differ", "card", "speed_batch_reconciliation", (335, 20, 300, 110),
               measures=("Windows that differ",)),
        Visual("messages", "Messages", "table", "alerts", (20, 145, 700, 555),
               columns=("judged_at", "title", "change", "severity", "value", "unit", "status", "reason")),
        Visual("outcomes", "Records by what became of them", "column", "late_and_rejected", (735, 145, 525, 555),
               category="outcome", measures=("Records",)))),
)  # fmt: skip


def with_columns(known: Mapping[str, tuple[Column, ...]]) -> tuple[Table, ...]:
    """The tables, with the columns that dbt knows, by the names of its models and seeds; listed ones get its words."""
    return tuple(_known_to_dbt(one, known.get(one.relation.lower(), ())) for one in TABLES)


def _known_to_dbt(table: Table, told: tuple[Column, ...]) -> Table:
    if not table.columns:
        return replace(table, columns=told)
    words = {one.name: one.about for one in told}
    return replace(table, columns=tuple(replace(one, about=one.about or words.get(one.name, ""))
                                        for one in table.columns))  # fmt: skip
