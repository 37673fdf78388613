{{
    config(
        materialized='incremental',
        unique_key=['domain', 'site', 'interval_start', 'kind'],
        incremental_strategy='merge',
        tmp_relation_type='table',
        on_schema_change='fail',
    )
}}

with events as (
    select * from {{ ref('stg_events') }}
),

{% if is_incremental() -%}
-- Events are only added, so every interval with a new event since the last run is counted again. The period overlaps
-- the last run, because a transaction that was open then shows its rows only now.
newest as (
    select dateadd(minute, -{{ var('open_transaction_minutes') }}, max(loaded_at)) as loaded_at from {{ this }}
),

touched as (
    select distinct
        events.domain,
        events.interval_start
    from events
    inner join newest on events.loaded_at >= newest.loaded_at or newest.loaded_at is null
),

chosen as (
    select events.*
    from events
    inner join touched on events.domain = touched.domain and events.interval_start = touched.interval_start
),
{%- else -%}
chosen as (
    select * from events
),
{%- endif %}

counted as (
    select
        domain,
        site,
        interval_start,
        kind,
        count(*) as events,
        count_if(is_live) as live_events,
        count(value) as values_counted,
        sum(value) as value_sum,
        min(value) as value_min,
        max(value) as value_max,
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
