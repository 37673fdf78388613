"""Spec: the single description of the semantic model and the report, from which TMDL, PBIR and the preview are made.

The columns of marts come from dbt's manifest, so a model and a report cannot diverge. Of the other tables the report
shows a few columns, which are listed here; 'rtlib bi validate' compares them with their SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["card", "line", "column", "table", "slicer"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in the warehouse in lower case, its type there, and its meaning."""

    name: str
    type: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view of the warehouse; ``columns`` is empty if they come from dbt's manifest."""

    name: str
    schema: str
    relation: str
    about: str
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class Measure:
    """An aggregate over rows.

    Attributes:
        table: The table it belongs to.
        name: Its name in the report.
        dax: Its formula in Power BI.
        sql: The same formula in SQL, for the preview, over the rows of ``table``.
        format: Its format string in Power BI.
        about: Its meaning.
    """

    table: str
    name: str
    dax: str
    sql: str
    format: str
    about: str


@dataclass(frozen=True, slots=True)
class Visual:
    """A visual on a page.

    Attributes:
        name: Its name, unique on the page.
        title: Its title.
        kind: Its type.
        table: The table of its columns.
        place: Left, top, width and height in pixels, on a page of 1280 × 720.
        category: The column of the axis or of the slicer; None for a card.
        series: The column with a line for each value; None for a single line.
        measures: Names of its measures.
        columns: Columns of a table visual.
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
    """A page; with ``refresh_seconds`` it queries its data again at this interval.

    Power BI Desktop keeps the interval. In the Service an administrator sets a minimum for the capacity, which holds if
    it is longer.
    """

    name: str
    title: str
    visuals: tuple[Visual, ...]
    refresh_seconds: int = 0


def _columns(**types: str) -> tuple[Column, ...]:
    return tuple(Column(name, kind) for name, kind in types.items())


TABLES: tuple[Table, ...] = (
    Table("sites", "SEEDS", "SITES", "One row for each site.", _columns(
        site="varchar", domain="varchar", title="varchar", country="varchar", time_zone="varchar")),
    Table("speed_kpis", "STAGING", "STG_SPEED_KPIS", "The speed layer: one row for each site and minute.", _columns(
        domain="varchar", site="varchar", window_start="timestamp_ntz", events="number", late="number",
        last_event_at="timestamp_ntz")),
    Table("forecasts", "STAGING", "STG_FORECASTS", "One row for each site, model and interval ahead.", _columns(
        domain="varchar", site="varchar", model="varchar", made_at="timestamp_ntz", interval_start="timestamp_ntz",
        mean="float", lower_80="float", upper_80="float", is_champion="boolean")),
    Table("alerts", "OPS", "ALERTS", "One row for each message to people.", (
        Column("domain", "varchar", "The domain."),
        Column("site", "varchar", "The site; all for a value of the whole domain."),
        Column("rule", "varchar", "Name of the rule that fired."),
        Column("severity", "varchar", "warning or critical."),
        Column("change", "varchar", "raised, or recovered."),
        Column("title", "varchar", "The measure and the site."),
        Column("value", "float", "Value of the measure at that moment; the last value if it is no longer measured."),
        Column("unit", "varchar", "Unit of the value."),
        Column("judged_at", "timestamp_ntz", "When the alert was raised or recovered, UTC."),
        Column("status", "varchar", "pending, delivered, undelivered, or muted (stored, not sent)."),
        Column("reason", "varchar", "Why it was not delivered; else empty."))),
    Table("hourly_kpis", "MARTS", "HOURLY_KPIS", "Each measure of each site by hour, by the site's clocks."),
    Table("daily_kpis", "MARTS", "DAILY_KPIS", "Each measure of each site by business day, by the site's clocks."),
    Table("interval_load", "MARTS", "INTERVAL_LOAD", "Events of each site by interval."),
    Table("forecast_accuracy", "MARTS", "FORECAST_ACCURACY", "Error of each model, over intervals that have ended."),
    Table("staffing_gap", "MARTS", "STAFFING_GAP", "People needed and people planned, by interval."),
    Table("late_and_rejected", "MARTS", "LATE_AND_REJECTED", "Records by outcome and hour."),
    Table("speed_batch_reconciliation", "MARTS", "SPEED_BATCH_RECONCILIATION", "Windows in which the layers differ."),
)  # fmt: skip

MEASURES: tuple[Measure, ...] = (
    Measure("speed_kpis", "Live events", "SUM ( speed_kpis[events] )", "sum(events)", "#,0",
            "Events counted by the speed layer."),
    Measure("speed_kpis", "Late events", "SUM ( speed_kpis[late] )", "sum(late)", "#,0",
            "Events that arrived after the end of their minute."),
    Measure("speed_kpis", "Newest event",
            "MAX ( speed_kpis[last_event_at] )", "max(last_event_at)", "yyyy-mm-dd hh:nn:ss",
            "When the newest event happened, UTC."),
    Measure("hourly_kpis", "KPI by hour",
            "IF ( HASONEVALUE ( hourly_kpis[measure] ), AVERAGE ( hourly_kpis[measured_value] ) )",
            "iff(count(distinct measure) = 1, avg(measured_value), null)", "#,0.##",
            "Mean of a KPI over the chosen sites; empty until a single measure is selected, because units differ."),
    Measure("daily_kpis", "KPI by day",
            "IF ( HASONEVALUE ( daily_kpis[measure] ), AVERAGE ( daily_kpis[measured_value] ) )",
            "iff(count(distinct measure) = 1, avg(measured_value), null)", "#,0.##",
            "Mean of a KPI over the chosen sites; empty until a single measure is selected, because units differ."),
    Measure("interval_load", "Load", "SUM ( interval_load[events] )", "sum(events)", "#,0",
            "Events that need a person."),
    # The series "all" is the whole domain; adding the rows of its sites would count everything twice.
    Measure("forecasts", "Forecast",
            'CALCULATE ( SUM ( forecasts[mean] ), forecasts[is_champion] = TRUE (), forecasts[site] = "all" )',
            "sum(iff(is_champion and site = 'all', mean, 0))", "#,0.0", "Expected events, over all sites."),
    Measure("forecasts", "Lower bound",
            'CALCULATE ( SUM ( forecasts[lower_80] ), forecasts[is_champion] = TRUE (), forecasts[site] = "all" )',
            "sum(iff(is_champion and site = 'all', lower_80, 0))", "#,0.0", "Of the 80 % interval; select one domain."),
    Measure("forecasts", "Upper bound",
            'CALCULATE ( SUM ( forecasts[upper_80] ), forecasts[is_champion] = TRUE (), forecasts[site] = "all" )',
            "sum(iff(is_champion and site = 'all', upper_80, 0))", "#,0.0", "Of the 80 % interval; select one domain."),
    Measure("forecasts", "Actual load",
            "CALCULATE ( [Load], TREATAS ( SUMMARIZE ( forecasts, forecasts[interval_start], forecasts[domain] ), "
            "interval_load[interval_start], interval_load[domain] ) )",
            "sum(iff(is_champion and site = 'all', (select sum(came.events) from MARTS.INTERVAL_LOAD as came "
            "where came.domain = forecasts.domain and came.interval_start = forecasts.interval_start), null))",
            "#,0", "Actual events of the forecast intervals that are over."),
    Measure("forecast_accuracy", "Mean absolute error", "AVERAGE ( forecast_accuracy[mean_absolute_error] )",
            "avg(mean_absolute_error)", "#,0.00", "Mean absolute error of a model, in events."),
    Measure("forecast_accuracy", "Interval held", "AVERAGE ( forecast_accuracy[covered_share] )",
            "avg(covered_share)", "0.0%", "Share of values within the 80 % interval."),
    Measure("staffing_gap", "People needed", "SUM ( staffing_gap[required] )", "sum(required)", "#,0",
            "People that the forecast and the service level require."),
    Measure("staffing_gap", "People planned", "SUM ( staffing_gap[planned] )", "sum(planned)", "#,0",
            "People on the plan."),
    Measure("staffing_gap", "Worst gap", "MIN ( staffing_gap[gap] )", "min(gap)", "#,0",
            "Planned minus required in the worst interval; below 0 people are missing."),
    Measure("alerts", "Alerts raised", 'CALCULATE ( COUNTROWS ( alerts ), alerts[change] = "raised" )',
            "count_if(change = 'raised')", "#,0", "Alerts without their recoveries."),
    Measure("alerts", "Not delivered", 'CALCULATE ( COUNTROWS ( alerts ), alerts[status] = "undelivered" )',
            "count_if(status = 'undelivered')", "#,0", "Messages that were not delivered, with the reason."),
    Measure("late_and_rejected", "Records", "SUM ( late_and_rejected[records] )", "sum(records)", "#,0",
            "Records by outcome."),
    Measure("speed_batch_reconciliation", "Windows that differ",
            'CALCULATE ( COUNTROWS ( speed_batch_reconciliation ), '
            'NOT speed_batch_reconciliation[explanation] IN { "equal", "in flight", "open window" } ) + 0',
            "count_if(explanation not in ('equal', 'in flight', 'open window'))", "#,0",
            "Measures of finished windows in which the layers differ, with the explanation."),
)  # fmt: skip

# From the site of each table to its row in sites, which has the title. Values of a whole domain have the site "all",
# which is not in sites: Power BI shows them under (Blank). Forecasts are left out, because their measures read the
# series "all" and a selected site would empty them; late_and_rejected has no site.
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
        Visual("of_hours", "Select a measure", "slicer", "hourly_kpis", (20, 20, 200, 335), category="measure"),
        Visual("by_hour", "By hour (UTC) and site", "line", "hourly_kpis", (235, 20, 1025, 335),
               category="hour_start", series="site", measures=("KPI by hour",)),
        Visual("of_days", "Select a measure", "slicer", "daily_kpis", (20, 365, 200, 335), category="measure"),
        Visual("by_day", "By business day and site", "line", "daily_kpis", (235, 365, 1025, 335),
               category="business_day", series="site", measures=("KPI by day",)))),
    Page("forecast", "Forecast", visuals=(
        Visual("domain", "Select a domain", "slicer", "forecasts", (20, 20, 200, 440), category="domain"),
        Visual("ahead", "Forecast with its 80 % interval, and actual load", "line", "forecasts", (235, 20, 1025, 440),
               category="interval_start", measures=("Forecast", "Lower bound", "Upper bound", "Actual load")),
        Visual("scores", "Error of each model", "column", "forecast_accuracy", (20, 475, 610, 225),
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
        Visual("outcomes", "Records by outcome", "column", "late_and_rejected", (735, 145, 525, 555),
               category="outcome", measures=("Records",)))),
)  # fmt: skip


def with_columns(known: Mapping[str, tuple[Column, ...]]) -> tuple[Table, ...]:
    """The tables with the columns that dbt declares, by model and seed; listed columns get dbt's descriptions."""
    return tuple(_with_declared(table, known.get(table.relation.lower(), ())) for table in TABLES)


def _with_declared(table: Table, declared: tuple[Column, ...]) -> Table:
    if not table.columns:
        return replace(table, columns=declared)
    abouts = {column.name: column.about for column in declared}
    return replace(table, columns=tuple(replace(column, about=column.about or abouts.get(column.name, ""))
                                        for column in table.columns))  # fmt: skip
