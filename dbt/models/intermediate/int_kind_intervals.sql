{{
    config(
        materialized='incremental',
        unique_key=['domain', 'site', 'interval_start', 'kind'],
        incremental_strategy='merge',
        tmp_relation_type='table',
        on_schema_change='fail',
    )
}}

-- A row for each raw event and for each rollup: an event is either raw or in a rollup, so both together are all events.
with parts as (
    select
        domain,
        site,
        interval_start,
        kind,
        1 as events,
        iff(is_live, 1, 0) as live_events,
        iff(value is null, 0, 1) as values_counted,
        value as value_sum,
        value as value_min,
        value as value_max,
        loaded_at
    from {{ ref('stg_events') }}
    union all
    select
        domain,
        site,
        interval_start,
        kind,
        events,
        live_events,
        values_counted,
        value_sum,
        value_min,
        value_max,
        loaded_at
    from {{ ref('stg_rollups') }}
),

{% if is_incremental() -%}
-- Every interval with a new event or rollup since the last run is counted again. The period overlaps the last run,
-- because a transaction that was open then shows its rows only now.
newest as (
    select dateadd(minute, -{{ var('open_transaction_minutes') }}, max(loaded_at)) as loaded_at from {{ this }}
),

touched as (
    select distinct
        parts.domain,
        parts.interval_start
    from parts
    inner join newest on parts.loaded_at >= newest.loaded_at or newest.loaded_at is null
),

chosen as (
    select parts.*
    from parts
    inner join touched on parts.domain = touched.domain and parts.interval_start = touched.interval_start
),
{%- else -%}
chosen as (
    select * from parts
),
{%- endif %}

counted as (
    select
        domain,
        site,
        interval_start,
        kind,
        sum(events) as events,
        sum(live_events) as live_events,
        sum(values_counted) as values_counted,
        sum(value_sum) as value_sum,
        min(value_min) as value_min,
        max(value_max) as value_max,
        max(loaded_at) as loaded_at
    from chosen
    group by domain, site, interval_start, kind
)

select counted.*
from counted
{% if is_incremental() -%}
-- Intervals in the overlap that did not change are not written again.
left join {{ this }} as known
    on
        counted.domain = known.domain
        and counted.site = known.site
        and counted.interval_start = known.interval_start
        and counted.kind = known.kind
where known.events is null or known.events <> counted.events
{%- endif %}
